// Several storage volumes, one of them absent for a while: no instance is lost and no sequence is given twice in
// silence.
#include <gtest/gtest.h>

#include "engine/io/testing/manual_file_system.h"
#include "engine/store/log_impl.h"
#include "engine/store/segment_walk.h"
#include "log_fixture.h"

namespace cairn::store {
namespace {

using namespace testing;

class VolumesTest : public ::testing::Test {
 protected:
  static LogOptions on(std::vector<std::uint32_t> volumes) {
    LogOptions options = options_in("/", 1u << 20);
    options.prewritten_bytes = 0;
    options.volumes.clear();
    for (const std::uint32_t id : volumes) options.volumes.push_back({id, directory(id)});
    return options;
  }
  static std::string directory(std::uint32_t id) { return "/archive/volume" + std::to_string(id); }
  void settle() {
    while (log_->step() || files_.complete_one()) {
    }
  }
  Result<ReplaySummary> open(std::vector<std::uint32_t> volumes, Remembering& index, std::string_view token = {}) {
    log_.reset();
    CAIRN_TRY(log_, LogImpl::open(on(std::move(volumes)), files_, Threads::caller));
    return log_->replay(token, index);
  }
  /// Opens, stores `count` more on the lowest volume, stops.
  void live(std::vector<std::uint32_t> volumes, int count, Remembering& index, std::string_view token = {}) {
    const auto replayed = open(std::move(volumes), index, token);
    ASSERT_TRUE(replayed) << to_string(replayed.error());
    EXPECT_TRUE(replayed.value().faults.empty());
    ASSERT_TRUE(log_->start(index));
    for (int i = 0; i < count; ++i) {
      ++sent_;
      store(*log_, pool_, prepare("1.4." + std::to_string(sent_), 30'000, sent_), [](auto o) { EXPECT_TRUE(o); });
      settle();
    }
    log_->stop();
    settle();
    EXPECT_TRUE(log_->finished());
    log_.reset();
  }
  void remove(std::uint32_t id) {
    const auto names = files_.list(directory(id)).value();
    for (const std::string& name : names) EXPECT_TRUE(files_.remove(directory(id) + "/" + name));
  }

  io::testing::ManualFileSystem files_{1};
  io::BufferPool pool_{8u << 20, 1u << 20};
  std::unique_ptr<LogImpl> log_;
  std::uint64_t sent_ = 0;
};

TEST_F(VolumesTest, AVolumeThatComesBackAfterAReindexBringsItsInstances) {
  Remembering first, both, alone, again;
  live({1}, 10, first);
  live({0, 1}, 10, both, first.token);
  live({1}, 5, alone);  // reindexed without the latest
  EXPECT_EQ(alone.instances.size(), 15u);
  EXPECT_GT(alone.last, Sequence{1} << 32) << "above all that the absent one may hold";
  Remembering unused;
  EXPECT_EQ(open({0, 1}, unused, alone.token).error(), Errc::mismatch) << "replaying the rest would leave ten out";
  EXPECT_TRUE(unused.instances.empty());
  const auto replayed = log_->replay("", again);
  ASSERT_TRUE(replayed);
  EXPECT_TRUE(replayed.value().faults.empty());
  EXPECT_EQ(again.instances.size(), 25u);
}

TEST_F(VolumesTest, SequencesGivenTwiceAreReported) {
  Remembering first, both, alone, again;
  live({1}, 10, first);
  live({0, 1}, 10, both, first.token);
  ASSERT_TRUE(files_.remove(directory(1) + "/volumes.cairn"));
  live({1}, 5, alone);
  const auto replayed = open({0, 1}, again);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(again.instances.size(), 20u);
  ASSERT_EQ(replayed.value().faults.size(), 5u);
  for (const Fault& fault : replayed.value().faults) {
    EXPECT_EQ(fault.error, Errc::conflict);
    EXPECT_TRUE(fault.sop_instance_uid.starts_with("1.4."));
  }
}

TEST_F(VolumesTest, AnEmptyMountPointIsNotANewVolume) {
  Remembering first, both;
  live({0}, 5, first);
  live({0, 1}, 0, both, first.token);
  remove(1);
  Remembering again;
  EXPECT_EQ(open({0, 1}, again).error(), Errc::not_found);
  EXPECT_TRUE(files_.list(directory(1)).value().empty()) << "and stays empty";
  ASSERT_TRUE(open({0, 2}, again)) << "a new id is a new volume";
  EXPECT_EQ(again.instances.size(), 5u);
}

TEST_F(VolumesTest, AnIdleVolumeIsInTheTokenToo) {
  Remembering index;
  live({0, 1}, 1, index);
  Remembering again;
  EXPECT_EQ(open({0}, again, index.token).error(), Errc::not_found);
  EXPECT_TRUE(open({0, 1}, again, index.token));
}

TEST_F(VolumesTest, AVolumeAddedJustBeforeAKillDoesNotCostTheIndex) {
  Remembering first, second;
  live({1}, 5, first);
  live({0, 1}, 5, second, first.token);
  Remembering again;  // the index of the first life was the last to be persisted
  const auto replayed = open({0, 1}, again, first.token);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed.value().commits, 5u);
}

TEST_F(VolumesTest, ADamagedVolumeFileIsAFault) {
  Remembering index;
  live({0}, 5, index);
  (*files_.contents(directory(0) + "/volume.cairn"))[20] ^= std::byte{8};
  Remembering again;
  const auto replayed = open({0}, again);
  ASSERT_TRUE(replayed) << to_string(replayed.error());
  EXPECT_EQ(replayed.value().faults.size(), 1u);
  EXPECT_EQ(again.instances.size(), 5u);
}

TEST_F(VolumesTest, AnIndexThatKnowsMoreThanTheLogIsReportedWhenItIsMadeAnew) {
  Remembering index;
  live({0}, 60, index);
  const std::uint32_t last = index.locations.at("1.4.60").segment;
  ASSERT_GT(last, 1u);
  ASSERT_TRUE(files_.remove(directory(0) + "/" + segment_name(last)));
  Remembering again;
  EXPECT_EQ(open({0}, again, index.token).error(), Errc::mismatch);
  const auto replayed = log_->replay("", again);
  ASSERT_TRUE(replayed);
  ASSERT_EQ(replayed.value().faults.size(), 1u);
  EXPECT_EQ(replayed.value().faults[0].location.segment, last);
}

}  // namespace
}  // namespace cairn::store
