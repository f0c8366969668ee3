// Compaction through the archive: what is kept is there bit for bit, what is not is gone, and an index made anew says
// the same.
#include <algorithm>
#include <map>

#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

class CompactionTest : public ArchiveTest {
 protected:
  void SetUp() override {
    ArchiveTest::SetUp();
    options_.log.segment_bytes = 1u << 20;
    options_.log.reserve_bytes = 0;
    options_.restore_days = 0;
    options_.compaction_bytes_per_s = 1u << 30;
  }

  static Sample sample(int study, int instance, std::size_t pixel_bytes = 60'000) {
    Sample s;
    s.study = "1.2." + std::to_string(study);
    s.series = s.study + ".1";
    s.sop = s.series + "." + std::to_string(instance);
    s.patient_id = "P" + std::to_string(study % 3);
    s.number = std::to_string(instance);
    s.pixels.resize(pixel_bytes);
    for (std::size_t i = 0; i < pixel_bytes; ++i)
      s.pixels[i] = static_cast<char>(i * static_cast<std::size_t>(7 + instance) >> 3);
    return s;
  }
  void keep(const Sample& s) {
    ASSERT_TRUE(store(s));
    kept_[s.sop] = s.stream();
  }
  Removed remove(const std::string& study, const std::string& series = {}, const std::string& sop = {}) {
    auto removed = run(archive().remove({study, series, sop}, {"", "", "test"}, true));
    EXPECT_TRUE(removed) << to_string(removed.error());
    return std::move(removed).value();
  }
  store::CompactionReport compact() {
    const auto report = archive().compact(false, [&](const store::Fault& f) { faults_.push_back(f); });
    EXPECT_TRUE(report) << to_string(report.error());
    return report ? report.value() : store::CompactionReport{};
  }
  void expect_all_kept() {
    for (const auto& [sop, stream] : kept_) EXPECT_EQ(stored_stream(archive(), sop), stream) << sop;
  }
  /// The index, one that is opened again, and one that is made anew say the same.
  void expect_the_same_anew() {
    const std::string before = dump();
    open();
    EXPECT_EQ(dump(), before);
    options_.rebuild_index = true;
    open();
    options_.rebuild_index = false;
    EXPECT_EQ(dump(), before);
    EXPECT_TRUE(archive().opened_with().faults.empty());
    EXPECT_TRUE(archive().scrub([](const store::Fault& f) { ADD_FAILURE() << to_string(f.error); }, {}));
  }
  std::uint64_t log_bytes() {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(options_.directory / "volume0")) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".cairn")) bytes += entry.file_size();
    }
    return bytes;
  }

  std::map<std::string, std::string> kept_;
  std::vector<store::Fault> faults_;
};

TEST_F(CompactionTest, WhatWasRemovedGoesAndAllElseStaysOverRestartsAndANewIndex) {
  for (int i = 0; i < 120; ++i) {
    i % 4 == 0 ? keep(sample(i % 8, i)) : (void)store(sample(i % 8, i));
  }
  keep(sample(20, 1, 3u << 20));  // in many parts, over several segments
  for (int study : {1, 2, 3, 5, 6, 7}) (void)remove("1.2." + std::to_string(study));
  for (int i = 200; i < 230; ++i) keep(sample(9, i));
  open();
  const std::uint64_t before = log_bytes();
  const auto report = compact();
  EXPECT_TRUE(report.finished);
  EXPECT_GT(report.compacted, 5u);
  // (Not all: a segment into which the long one reaches stays, rather than to have that one copied.)
  EXPECT_GE(report.let_go, 80u);
  // What was written meanwhile may have begun a segment, and another one may have been made ready.
  const std::int64_t less = static_cast<std::int64_t>(before) - static_cast<std::int64_t>(log_bytes());
  EXPECT_LE(less, report.reclaimed_bytes);
  EXPECT_GE(less + 2 * static_cast<std::int64_t>(options_.log.segment_bytes), report.reclaimed_bytes);
  EXPECT_GT(report.reclaimed_bytes, 4'000'000);
  expect_all_kept();
  expect_the_same_anew();
  expect_all_kept();
  EXPECT_EQ(archive().instance(sample(1, 1).sop).error(), Errc::not_found);
  std::uint64_t compacted = 1;
  for (int runs = 0; compacted > 0 && runs < 4; ++runs) compacted = compact().compacted;
  EXPECT_EQ(compacted, 0u);
  expect_all_kept();
  EXPECT_TRUE(faults_.empty());
}

TEST_F(CompactionTest, ARemovalIsFinalOnlyWhenItsTimeIsOver) {
  for (int i = 0; i < 40; ++i) keep(sample(1, i));
  for (int i = 0; i < 40; ++i) keep(sample(2, i));
  const Removed removed = remove("1.2.1");
  options_.restore_days = 1;
  open();
  EXPECT_EQ(compact().compacted, 0u);
  ASSERT_TRUE(run(archive().restore(removed.sequence, {})));
  expect_all_kept();
  const Removed for_good = remove("1.2.1");
  options_.restore_days = 0;
  open();
  EXPECT_GT(compact().let_go, 0u);
  std::vector<Removed> listed;
  EXPECT_TRUE(archive().removed({}, [&](Removed&& r) {
    listed.push_back(std::move(r));
    return true;
  }));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_FALSE(listed.front().restorable);
  EXPECT_EQ(run(archive().restore(for_good.sequence, {})).error(), Errc::conflict);
  expect_the_same_anew();
  EXPECT_EQ(run(archive().restore(for_good.sequence, {})).error(), Errc::conflict);
  // The same instances may come again.
  for (int i = 0; i < 40; ++i) keep(sample(1, i));
  expect_all_kept();
  expect_the_same_anew();
}

TEST_F(CompactionTest, DuplicatesReplacedAndRefusedContentGoesAndTheirDecisionsStand) {
  for (int i = 0; i < 30; ++i) keep(sample(1, i));
  for (int i = 0; i < 30; ++i) ASSERT_EQ(store(sample(1, i)).value().outcome, store::Outcome::identical);
  for (int i = 0; i < 10; ++i) {
    Sample other = sample(1, i);
    other.pixels[5] = 'z';
    other.policy = store::DuplicatePolicy::refuse;
    EXPECT_EQ(store(other).error(), Errc::conflict);
  }
  for (int i = 10; i < 20; ++i) {
    Sample other = sample(1, i);
    other.pixels[5] = 'z';
    other.policy = store::DuplicatePolicy::replace;
    keep(other);
  }
  for (int i = 20; i < 30; ++i) {
    Sample other = sample(1, i);
    other.pixels[5] = 'z';
    keep(other);  // the older one is kept in history
  }
  for (int i = 0; i < 30; ++i) keep(sample(3, i));
  open();
  const std::string before = dump();
  const auto report = compact();
  EXPECT_EQ(report.let_go, 30u + 10u + 10u);
  EXPECT_EQ(archive().stats().counts.history, 10u);
  expect_all_kept();
  expect_the_same_anew();
  expect_all_kept();
  EXPECT_EQ(archive().stats().counts.history, 10u);
}

TEST_F(CompactionTest, InstancesThatWereRemovedOneByOneAndStoredAgain) {
  for (int i = 0; i < 60; ++i) keep(sample(1, i));
  std::vector<Removed> removals;
  for (int i = 0; i < 30; ++i) {
    const Sample s = sample(1, i);
    removals.push_back(remove(s.study, s.series, s.sop));
    kept_.erase(s.sop);
  }
  for (int i = 0; i < 10; ++i) keep(sample(1, i));
  (void)remove("1.2.1");
  kept_.clear();
  for (int i = 5; i < 15; ++i) keep(sample(1, i));
  for (int i = 0; i < 30; ++i) keep(sample(2, i));
  open();
  EXPECT_GT(compact().let_go, 50u);
  expect_all_kept();
  expect_the_same_anew();
}

TEST_F(CompactionTest, WhatAnInstanceOnItsWayHasWrittenStays) {
  const Sample slow = sample(9, 1, 2u << 20);
  const std::string stream = slow.stream();
  const auto receiver = archive().receive({}, {});
  ASSERT_TRUE(receiver);
  std::size_t sent = 0;
  const auto send = [&](std::size_t until) {
    return run([](Receiver& r, std::string_view bytes) -> Task<> {
      CAIRN_CO_TRYV(co_await r.write(as_bytes(bytes)));
      r.relieve();
      co_return outcome::success();
    }(*receiver.value(), std::string_view(stream).substr(sent, until - sent)));
  };
  ASSERT_TRUE(send(1u << 20));
  sent = 1u << 20;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(store(sample(1, i)));
  (void)remove("1.2.1");
  for (int i = 0; i < 40; ++i) keep(sample(2, i));
  (void)compact();
  ASSERT_TRUE(send(stream.size()));
  const auto stored =
      run([](Receiver& r) -> Task<Receiver::Stored> { co_return co_await r.commit(); }(*receiver.value()));
  ASSERT_TRUE(stored) << to_string(stored.error());
  kept_[slow.sop] = stream;
  expect_all_kept();
  (void)compact();
  expect_all_kept();
  expect_the_same_anew();
  EXPECT_TRUE(faults_.empty());
}

TEST_F(CompactionTest, AReaderGoesOnWhileWhatItReadsIsMoved) {
  keep(sample(5, 1, 700'000));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(store(sample(1, i)));
  (void)remove("1.2.1");
  for (int i = 0; i < 40; ++i) keep(sample(2, i));
  options_.log.read_cache_bytes = 0;
  open();
  const auto reader = archive().open(archive().instance(sample(5, 1).sop).value());
  std::string bytes(static_cast<std::size_t>(reader->size()), '\0');
  const auto into = MutableBytes(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  ASSERT_TRUE(reader->read(0, into.first(1000)));
  EXPECT_GT(compact().compacted, 0u);
  ASSERT_TRUE(reader->read(1000, into.subspan(1000)));
  EXPECT_EQ(bytes, kept_.at(sample(5, 1).sop));
}

TEST_F(CompactionTest, ADamagedInstanceIsNamedAndItsSegmentStays) {
  keep(sample(5, 1));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(store(sample(1, i)));
  (void)remove("1.2.1");
  for (int i = 0; i < 40; ++i) keep(sample(2, i));
  const auto place = archive().instance(sample(5, 1).sop).value().parts.front().location;
  archive_.reset();
  const fs::path file = options_.directory / "volume0" / ("seg-0000000" + std::to_string(place.segment) + ".cairn");
  {
    std::fstream segment(file, std::ios::in | std::ios::out | std::ios::binary);
    segment.seekp(static_cast<std::streamoff>(place.offset + 64 + 5000));
    segment.put('\x5a');
  }
  open();
  const auto report = compact();
  EXPECT_GT(report.compacted, 0u);
  EXPECT_EQ(report.left_for_damage, 1u);
  ASSERT_FALSE(faults_.empty());
  EXPECT_EQ(faults_.back().sop_instance_uid, sample(5, 1).sop);
  EXPECT_TRUE(fs::exists(file));
  kept_.erase(sample(5, 1).sop);
  expect_all_kept();
}

TEST_F(CompactionTest, ASurveyCountsAndChangesNothing) {
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(store(sample(1, i)));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store(sample(1, i)));
  (void)remove("1.2.1");
  const std::string before = dump();
  const auto report = archive().compact(true, {});
  ASSERT_TRUE(report);
  EXPECT_GT(report.value().garbage_bytes, 1'000'000u);  // what came twice; the removal is not final yet
  EXPECT_EQ(report.value().compacted, 0u);
  EXPECT_EQ(dump(), before);
}

}  // namespace
}  // namespace cairn::archive::test
