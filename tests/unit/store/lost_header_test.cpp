// Damage that used to stop the start: a segment's header, its footer, single sectors that the device cannot read.
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "engine/io/testing/manual_file_system.h"
#include "engine/store/log_impl.h"
#include "engine/store/segment_walk.h"
#include "log_fixture.h"
#include "wrapped_files.h"

namespace cairn::store {
namespace {

using namespace testing;
using io::testing::ManualFileSystem;

class LostHeaderTest : public ::testing::Test {
 protected:
  LostHeaderTest() { set_segment_bytes(1u << 20); }
  void set_segment_bytes(std::uint64_t bytes) {
    options_.volumes = {{0, "/v"}};
    options_.segment_bytes = bytes;
    options_.reserve_bytes = 0;
    options_.prewritten_bytes = 0;
    options_.read_cache_bytes = 0;
  }
  void settle() {
    while (log_->step() || memory_.complete_one()) {
    }
  }
  Result<ReplaySummary> open(Remembering& index, std::string_view positions = {}) {
    log_.reset();
    CAIRN_TRY(log_, LogImpl::open(options_, files_, Threads::caller));
    return log_->replay(positions, index);
  }
  void put(std::size_t count, std::size_t pixel_bytes) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string uid = "1.7." + std::to_string(++sent_);
      store(*log_, pool_, prepare(uid, pixel_bytes, sent_), [this, uid](auto outcome) {
        if (outcome) acknowledged_.insert(uid);
      });
      settle();
    }
  }
  void begin() {
    ASSERT_TRUE(open(index_));
    ASSERT_TRUE(log_->start(index_));
  }
  void stop() {
    log_->stop();
    settle();
    ASSERT_TRUE(log_->finished());
    log_.reset();
  }
  void kill() {
    memory_.kill_process();
    log_.reset();
    memory_.restart();
  }
  static std::string path(std::uint32_t segment) { return "/v/" + segment_name(segment); }
  std::vector<std::byte>& bytes(std::uint32_t segment) { return *memory_.contents(path(segment)); }
  std::vector<Fault> scrub() {
    std::vector<Fault> faults;
    EXPECT_TRUE(log_->scrub([&](const Fault& f) { faults.push_back(f); }, {}));
    return faults;
  }
  void expect_whole(const Remembering& again) {
    EXPECT_EQ(again.instances.size(), acknowledged_.size());
    for (const std::string& uid : acknowledged_) {
      const auto it = again.instances.find(uid);
      ASSERT_NE(it, again.instances.end()) << uid;
      EXPECT_TRUE(read_stream(*log_, it->second)) << uid;
    }
  }

  ManualFileSystem memory_{1, 256u << 20};
  WrappedFiles files_{memory_};
  LogOptions options_;
  io::BufferPool pool_{8u << 20, 1u << 20};
  Remembering index_;
  std::unique_ptr<LogImpl> log_;
  std::set<std::string> acknowledged_;
  std::uint64_t sent_ = 0;
};

TEST_F(LostHeaderTest, ASealedSegmentIsReadWithoutIt) {
  begin();
  put(30, 90'000);
  stop();
  std::mt19937_64 random(3);
  for (std::uint32_t segment = 1; segment <= 3; ++segment) {
    for (int i = 0; i < 20; ++i) {
      const std::size_t at = random() % kSegmentHeaderBytes;
      const auto bit = static_cast<std::byte>(1u << random() % 8);
      bytes(segment)[at] ^= bit;
      Remembering again;
      const auto replayed = open(again);
      ASSERT_TRUE(replayed) << to_string(replayed.error());
      ASSERT_EQ(replayed.value().faults.size(), 1u);
      EXPECT_EQ(replayed.value().faults[0].location.segment, segment);
      EXPECT_EQ(replayed.value().faults[0].error, Errc::corrupt);
      expect_whole(again);
      const auto faults = scrub();
      ASSERT_EQ(faults.size(), 1u);
      EXPECT_EQ(faults[0].location, (Location{0, segment, 0}));
      bytes(segment)[at] ^= bit;
    }
  }
  Remembering again;
  EXPECT_TRUE(open(again).value().faults.empty()) << "nothing was changed meanwhile";
}

TEST_F(LostHeaderTest, AnUnsealedSegmentIsReadWithoutItAndNotWrittenToAgain) {
  for (const std::size_t count : {1u, 2u, 12u}) {
    begin();
    put(count, 90'000);
    kill();
    const std::uint32_t last = index_.locations.at("1.7." + std::to_string(sent_)).segment;
    std::fill_n(bytes(last).begin(), kSegmentHeaderBytes, std::byte{0x5a});
    Remembering again;
    const auto replayed = open(again);
    ASSERT_TRUE(replayed) << to_string(replayed.error());
    const auto& faults = replayed.value().faults;
    EXPECT_EQ(std::count_if(faults.begin(), faults.end(),
                            [&](const Fault& fault) { return fault.location == Location{0, last, 0}; }),
              1);
    expect_whole(again);
    ASSERT_TRUE(log_->start(again));
    put(1, 5000);
    EXPECT_GT(again.locations.at("1.7." + std::to_string(sent_)).segment, last);
    stop();
    Remembering third;
    ASSERT_TRUE(open(third));
    expect_whole(third);
    index_.instances.clear();
    index_.last = 0;
  }
}

TEST_F(LostHeaderTest, WithoutAnyRecordItIsNamedAndTheRestIsServed) {
  begin();
  put(30, 90'000);
  stop();
  std::fill(bytes(2).begin(), bytes(2).end(), std::byte{0x33});
  Remembering again;
  const auto replayed = open(again);
  ASSERT_TRUE(replayed) << to_string(replayed.error());
  ASSERT_FALSE(replayed.value().faults.empty());
  EXPECT_EQ(replayed.value().faults[0].location, (Location{0, 2, 0}));
  EXPECT_FALSE(again.instances.empty());
  for (const auto& [uid, record] : again.instances) {
    const bool all_elsewhere = std::none_of(record.parts.begin(), record.parts.end(),
                                            [](const Part& part) { return part.location.segment == 2; });
    EXPECT_EQ(read_stream(*log_, record).has_value(), all_elsewhere) << uid;
  }
  EXPECT_FALSE(scrub().empty());
}

TEST_F(LostHeaderTest, AnIndexThatKnowsTheSegmentIsNotGivenUp) {
  begin();
  put(30, 90'000);
  stop();
  const std::uint32_t last = index_.locations.at("1.7.30").segment;
  std::fill(bytes(last).begin(), bytes(last).end(), std::byte{0x33});
  Remembering again;
  const auto replayed = open(again, index_.token);
  ASSERT_TRUE(replayed) << to_string(replayed.error());
  EXPECT_FALSE(replayed.value().faults.empty());
  ASSERT_TRUE(log_->start(again));
  put(1, 5000);
  const Sequence given = again.instances.at("1.7.31").sequence;
  EXPECT_GT(given, index_.last);
}

TEST_F(LostHeaderTest, SequencesOfWhatCannotBeReadAreNotGivenAgain) {
  begin();
  put(30, 90'000);
  stop();
  const std::uint32_t last = index_.locations.at("1.7.30").segment;
  std::fill(bytes(last).begin(), bytes(last).end(), std::byte{0x33});
  Remembering again;
  ASSERT_TRUE(open(again));
  ASSERT_TRUE(log_->start(again));
  put(1, 5000);
  EXPECT_GT(again.instances.at("1.7.31").sequence, index_.last);
}

TEST_F(LostHeaderTest, AFooterDamagedBeforeALaterSegmentIsNamed) {
  begin();
  put(30, 90'000);
  stop();
  for (const std::size_t from_end : {std::size_t{20}, std::size_t{4096}}) {  // trailer; footer record
    const auto kept = bytes(1);
    bytes(1)[kept.size() - from_end] ^= std::byte{4};
    Remembering again;
    const auto replayed = open(again);
    ASSERT_TRUE(replayed);
    EXPECT_EQ(replayed.value().faults.size(), 1u) << from_end;
    expect_whole(again);
    bytes(1) = kept;
  }
}

TEST_F(LostHeaderTest, OneUnreadableBlockAnywhereIsAFaultAndNoMore) {
  begin();
  put(6, 90'000);
  put(20, 1000);
  kill();
  const std::vector<std::byte> kept = bytes(1);
  for (std::uint64_t block = 0; block < kept.size(); block += io::kBlockBytes) {
    memory_.put(path(1), kept);
    files_.bad_blocks = {{path(1), block}};
    Remembering again;
    const auto replayed = open(again);
    ASSERT_TRUE(replayed) << block << ' ' << to_string(replayed.error());
    std::size_t whole = 0;
    for (const std::string& uid : acknowledged_) {
      const auto it = again.instances.find(uid);
      whole += it != again.instances.end() && read_stream(*log_, it->second);
    }
    const auto scrubbed = scrub();
    if (whole < acknowledged_.size()) {
      EXPECT_FALSE(replayed.value().faults.empty() && scrubbed.empty()) << block;
      EXPECT_GE(whole + 10, acknowledged_.size()) << block << ": what lies in other blocks is served";
    }
    for (const std::string& uid : acknowledged_) {
      if (again.instances.contains(uid)) continue;
      EXPECT_FALSE(replayed.value().faults.empty()) << "silently lost " << uid << " with " << block;
    }
  }
}

TEST_F(LostHeaderTest, ScrubGoesOnBehindAnUnreadableBlock) {
  begin();
  put(30, 90'000);
  stop();
  Remembering again;
  ASSERT_TRUE(open(again));
  const Part part = index_.instances.at("1.7.3").parts.at(0);
  files_.bad_blocks = {{path(part.location.segment), io::block_down(part.location.offset + 40'000)}};
  const Part other = index_.instances.at("1.7.5").parts.at(0);
  bytes(other.location.segment)[other.location.offset + 3000] ^= std::byte{1};
  const auto faults = scrub();
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0].sop_instance_uid, "1.7.3");
  EXPECT_EQ(faults[0].error, Errc::io);
  EXPECT_EQ(faults[1].sop_instance_uid, "1.7.5");
  EXPECT_EQ(faults[1].error, Errc::corrupt);
}

TEST_F(LostHeaderTest, TheEmptyRestOfASegmentIsNotReadAfterAKill) {
  set_segment_bytes(96u << 20);
  begin();
  put(10, 90'000);
  ASSERT_TRUE(log_->step_maker());  // the next segment is ready, and empty
  kill();
  files_.bytes_read = 0;
  Remembering again;
  const auto replayed = open(again);
  ASSERT_TRUE(replayed);
  expect_whole(again);
  EXPECT_LT(replayed.value().bytes_read, 48u << 20);
  EXPECT_LT(files_.bytes_read, 64u << 20);
}

TEST_F(LostHeaderTest, WhatLiesFarBehindDamageIsFound) {
  set_segment_bytes(96u << 20);
  begin();
  put(30, 900'000);
  kill();
  // From the second instance on, more than is searched through closely is wiped out.
  const Location second = index_.locations.at("1.7.2");
  auto& segment = bytes(second.segment);
  const std::uint64_t last = index_.instances.at("1.7.30").parts.at(0).location.offset;
  ASSERT_GT(last, second.offset + (17u << 20));
  std::fill(segment.begin() + static_cast<std::ptrdiff_t>(second.offset),
            segment.begin() + static_cast<std::ptrdiff_t>(last), std::byte{0});
  Remembering again;
  const auto replayed = open(again);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed.value().faults.size(), 1u);
  EXPECT_TRUE(again.instances.contains("1.7.1"));
  EXPECT_TRUE(again.instances.contains("1.7.30"));
}

TEST_F(LostHeaderTest, WhatTheIndexKnewIsNotDroppedInSilence) {
  begin();
  put(3, 90'000);
  kill();
  // The last flush is all that says how far the log was durable: nothing in it tells this from a torn write.
  const Part part = index_.instances.at("1.7.3").parts.at(0);
  bytes(part.location.segment)[part.location.offset + 5000] ^= std::byte{1};
  const std::vector<std::byte> kept = bytes(part.location.segment);
  Remembering without, with;
  EXPECT_EQ(open(without).value().dropped_unfinished, 1u);
  memory_.put(path(part.location.segment), kept);
  const auto replayed = open(with, index_.token);
  ASSERT_TRUE(replayed) << to_string(replayed.error());
  EXPECT_EQ(replayed.value().dropped_unfinished, 0u);
  EXPECT_EQ(scrub().size(), 1u) << "it is damage, and named";
}

TEST_F(LostHeaderTest, ADeviceThatFailsEverywhereIsNoDamage) {
  begin();
  put(100, 1000);
  stop();
  for (std::uint64_t block = 0; block < bytes(1).size(); block += io::kBlockBytes) {
    files_.bad_blocks.insert({path(1), block});
  }
  Remembering again;
  EXPECT_EQ(open(again).error(), Errc::io);
  files_.bad_blocks.clear();
  ASSERT_TRUE(open(again));
  expect_whole(again);
}

// Too many open files, say: nothing was written, so the volume comes back by itself.
TEST_F(LostHeaderTest, AVolumeThatGetsNoSegmentTriesAgain) {
  begin();
  put(5, 90'000);
  const std::size_t before = acknowledged_.size();
  files_.refuse_open = [](const std::string& path, io::OpenMode) { return path.find("/v/") != std::string::npos; };
  put(40, 90'000);
  const std::size_t meanwhile = acknowledged_.size();
  EXPECT_LT(meanwhile, before + 40) << "the segment that was open is full";
  EXPECT_TRUE(log_->stats()[0].failed);
  EXPECT_EQ(log_->begin().error(), Errc::io) << "not tried at each store";

  files_.refuse_open = nullptr;
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  put(5, 90'000);
  EXPECT_EQ(acknowledged_.size(), meanwhile + 5);
  EXPECT_FALSE(log_->stats()[0].failed);
  stop();
  Remembering again;
  ASSERT_TRUE(open(again));
  expect_whole(again);
}

}  // namespace
}  // namespace cairn::store
