// The index is a pure function of the log: however it is cut into batches, closed, killed or damaged, replay gives the
// same rows.
#include <fstream>
#include <random>

#include <gmock/gmock.h>

#include "tests/unit/index/sample.h"

namespace cairn::store::test {
namespace {

namespace fs = std::filesystem;

// A history with everything in it: new ones, identical ones, replacements under every policy, moves.
std::vector<Sample> eventful(std::uint32_t seed, int events) {
  std::mt19937 random(seed);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::vector<Sample> out;
  for (int i = 0; i < events; ++i) {
    Sample s;
    s.study = "1." + std::to_string(pick(5));
    s.series = s.study + "." + std::to_string(pick(3));
    s.sop = "2." + std::to_string(pick(40));
    s.number = pick(4) == 0 ? "" : std::to_string(pick(9) - 2);
    s.series_number = std::to_string(pick(3));
    s.patient_id = "PAT" + std::to_string(pick(4));
    s.patient_name = "N" + std::to_string(pick(3));
    s.modality = std::vector<std::string>{"CT", "MR", ""}[static_cast<std::size_t>(pick(3))];
    s.pixels = std::string(8, static_cast<char>('a' + pick(2)));
    s.policy = static_cast<DuplicatePolicy>(1 + pick(3));
    out.push_back(s);
  }
  return out;
}

class RecoveryTest : public IndexTest {
 protected:
  void store_in_batches(const std::vector<Sample>& samples, std::size_t size) {
    for (std::size_t i = 0; i < samples.size(); i += size) {
      store(std::vector<Sample>(samples.begin() + static_cast<std::ptrdiff_t>(i),
                                samples.begin() + static_cast<std::ptrdiff_t>(std::min(i + size, samples.size()))));
    }
  }
  std::vector<fs::path> files(std::string_view extension) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(directory_ / "index")) {
      if (entry.path().extension() == extension) out.push_back(entry.path());
    }
    return out;
  }
};

TEST_F(RecoveryTest, ReplayInAnyBatchesGivesTheSameDump) {
  for (const std::uint32_t seed : {1u, 2u, 3u, 4u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    log_.clear();
    last_ = 0;
    index_.reset();
    fs::remove_all(directory_ / "index");
    store_in_batches(eventful(seed, 300), 7);
    const std::string live = dump();
    for (const std::size_t size : {std::size_t{1}, std::size_t{64}, std::size_t{1000}}) {
      ASSERT_TRUE(index().reset("test"));
      EXPECT_TRUE(index().positions().empty());
      replay(size);
      EXPECT_EQ(dump(), live) << "batches of " << size;
    }
  }
}

TEST_F(RecoveryTest, TotalsEqualWhatTheRowsAddUpTo) {
  store_in_batches(eventful(9, 500), 13);
  IndexState sum;
  const IndexView view = index().view();
  ASSERT_TRUE(view.each_study([&](std::string_view uid, StudyRow&& study) {
    ++sum.studies;
    std::uint64_t instances = 0, bytes = 0, series_count = 0;
    std::map<std::string, std::uint64_t> modalities;
    const auto all = view.series_of_study(uid);
    for (const auto& series : all.value()) {
      ++series_count;
      std::uint64_t in_series = 0;
      EXPECT_TRUE(view.each_instance(uid, series.series_uid, [&](InstanceRow&& row) {
        ++in_series;
        bytes += row.stream_length;
        return true;
      }));
      EXPECT_EQ(in_series, series.row.instances);
      instances += in_series;
      if (!series.row.modality.empty()) ++modalities[series.row.modality];
    }
    EXPECT_EQ(series_count, study.series);
    EXPECT_EQ(instances, study.instances);
    EXPECT_EQ(bytes, study.bytes);
    EXPECT_EQ((std::vector<std::pair<std::string, std::uint64_t>>(modalities.begin(), modalities.end())),
              study.modalities);
    sum.series += series_count;
    sum.instances += instances;
    sum.bytes += bytes;
    return true;
  }));
  ASSERT_TRUE(view.each_patient([&](std::string_view id, PatientRow&& row) {
    ++sum.patients;
    std::uint64_t studies = 0;
    EXPECT_TRUE(view.each_study_of_patient(id, [&](std::string_view uid) {
      ++studies;
      EXPECT_EQ(view.study(uid).value()->patient_id, id);
      return true;
    }));
    EXPECT_EQ(studies, row.studies);
    return true;
  }));
  IndexState state = index().state();
  sum.applied = state.applied;
  sum.history = state.history;
  EXPECT_EQ(state, sum);
}

TEST_F(RecoveryTest, ReplayOverAnIndexThatHasItChangesNothing) {
  store_in_batches(eventful(5, 100), 10);
  const std::string live = dump();
  replay(9);
  EXPECT_EQ(dump(), live);
}

TEST_F(RecoveryTest, AClosedIndexOpensWithAllOfIt) {
  store_in_batches(eventful(6, 100), 10);
  const std::string live = dump();
  ASSERT_TRUE(index().close());
  index_.reset();
  EXPECT_EQ(open().applied(), last_);
  EXPECT_EQ(index().positions(), "at " + std::to_string(last_));
  EXPECT_EQ(dump(), live);
  EXPECT_TRUE(index().rebuilt_because().empty());
}

TEST_F(RecoveryTest, AnIndexThatWasNotClosedOpensAtItsLastFlushAndReplayFillsIn) {
  const auto samples = eventful(7, 120);
  store_in_batches({samples.begin(), samples.begin() + 60}, 10);
  ASSERT_TRUE(index().persist());
  EXPECT_EQ(index().persisted(), 60u);
  store_in_batches({samples.begin() + 60, samples.end()}, 10);
  const std::string live = dump();
  EXPECT_EQ(index().persisted(), 60u);
  index_.reset();  // as if killed: what is in memory is lost
  EXPECT_EQ(open().applied(), 60u);
  EXPECT_EQ(index().persisted(), 60u);
  EXPECT_EQ(index().positions(), "at 60");
  replay(11);
  EXPECT_EQ(dump(), live);
}

TEST_F(RecoveryTest, TheUnpersistedTailIsBoundedByRecords) {
  IndexOptions o = options();
  o.unpersisted_records = 100;
  index_ = std::move(Index::open(o)).value();
  for (int i = 0; i < 2000; i += 10) {
    std::vector<Sample> batch(10);
    for (int k = 0; k < 10; ++k) batch[static_cast<std::size_t>(k)].sop = "3." + std::to_string(i + k);
    store(batch);
    EXPECT_LE(index().applied() - index().persisted(), 800u + 10u);  // a flush under way is waited for at eight times
  }
  for (int i = 0; i < 200 && index().persisted() < 1950; ++i) usleep(10'000);
  EXPECT_GE(index().persisted(), 1950u);
}

TEST_F(RecoveryTest, ADamagedIndexIsRebuiltAndAnswersTheSame) {
  const auto samples = eventful(8, 200);
  store_in_batches(samples, 20);
  ASSERT_TRUE(index().persist());
  const std::string live = dump();
  const auto damage = [&](const char* what, const std::function<void()>& act) {
    SCOPED_TRACE(what);
    ASSERT_TRUE(index().close());
    index_.reset();
    act();
    open();
    EXPECT_FALSE(index().rebuilt_because().empty());
    EXPECT_EQ(index().applied(), 0u);
    EXPECT_TRUE(index().positions().empty());
    replay(50);
    EXPECT_EQ(dump(), live);
    ASSERT_TRUE(index().persist());
  };
  damage("a table is shortened", [&] { fs::resize_file(files(".sst").front(), 100); });
  damage("a table is missing", [&] { fs::remove(files(".sst").front()); });
  damage("CURRENT is missing", [&] { fs::remove(directory_ / "index" / "CURRENT"); });
  damage("CURRENT is empty", [&] { fs::resize_file(directory_ / "index" / "CURRENT", 0); });
  damage("the manifest is missing", [&] {
    for (const auto& entry : fs::directory_iterator(directory_ / "index")) {
      if (entry.path().filename().string().starts_with("MANIFEST")) fs::remove(entry.path());
    }
  });
  damage("the manifest is shortened", [&] {
    for (const auto& entry : fs::directory_iterator(directory_ / "index")) {
      if (entry.path().filename().string().starts_with("MANIFEST")) fs::resize_file(entry.path(), 20);
    }
  });
  for (const std::size_t which : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    damage("a bit of a table is flipped", [&] {
      const auto tables = files(".sst");
      std::fstream file(tables.at(which % tables.size()), std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(40);
      const int byte = file.get();
      file.seekp(40);
      file.put(static_cast<char>(byte ^ 1));
    });
  }
  damage("damage was met while in use", [&] { std::ofstream(directory_ / "index" / "DAMAGED") << "x"; });
}

TEST_F(RecoveryTest, ADeletedIndexBeginsEmpty) {
  store_in_batches(eventful(10, 50), 10);
  const std::string live = dump();
  index_.reset();
  fs::remove_all(directory_ / "index");
  EXPECT_EQ(open().applied(), 0u);
  replay(50);
  EXPECT_EQ(dump(), live);
}

TEST_F(RecoveryTest, AnOlderCopyOfTheIndexCatchesUp) {
  const auto samples = eventful(11, 100);
  store_in_batches({samples.begin(), samples.begin() + 50}, 10);
  ASSERT_TRUE(index().close());
  index_.reset();
  fs::copy(directory_ / "index", directory_ / "older", fs::copy_options::recursive);
  open();
  store_in_batches({samples.begin() + 50, samples.end()}, 10);
  const std::string live = dump();
  ASSERT_TRUE(index().close());
  index_.reset();
  fs::remove_all(directory_ / "index");
  fs::rename(directory_ / "older", directory_ / "index");
  EXPECT_EQ(open().applied(), 50u);
  replay(10);
  EXPECT_EQ(dump(), live);
}

TEST_F(RecoveryTest, AHugePartListSurvives) {
  Sample s;
  log_[1] = s.stream();
  last_ = 1;
  Committed c = committed_of(log_[1], 1, s.policy);
  c.record.parts.clear();
  for (std::uint32_t i = 0; i < 6000; ++i) c.record.parts.push_back({{i % 3, i, i * 1048576ull}, 1048512, i * 77});
  ASSERT_TRUE(index().apply({&c, 1}, "p"));
  ASSERT_TRUE(index().close());
  index_.reset();
  const auto row = open().view().instance(s.sop).value();
  ASSERT_EQ(row->parts.size(), 6000u);
  EXPECT_EQ(row->parts[5999].crc, 5999u * 77);
  EXPECT_EQ(row->parts[5999].location, c.record.parts[5999].location);
}

}  // namespace
}  // namespace cairn::store::test
