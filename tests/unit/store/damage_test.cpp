// Damage to sealed segments is found, named and never served; replay reads headers, not pixels; a full disk refuses.
#include <gtest/gtest.h>

#include "engine/io/testing/manual_file_system.h"
#include "engine/store/log_impl.h"
#include "log_fixture.h"

namespace cairn::store {
namespace {

using namespace testing;
using io::testing::ManualFileSystem;

class DamageTest : public ::testing::Test {
 protected:
  static LogOptions options() {
    LogOptions o;
    o.volumes = {{0, "/v"}};
    o.segment_bytes = 4u << 20;
    o.reserve_bytes = 0;
    o.prewritten_bytes = 0;
    o.read_cache_bytes = 0;
    return o;
  }
  void settle() {
    while (log_->step() || files_.complete_one()) {
    }
  }
  void open(LogOptions o = options()) {
    log_.reset();
    auto opened = LogImpl::open(std::move(o), files_, Threads::caller);
    ASSERT_TRUE(opened) << to_string(opened.error());
    log_ = std::move(opened).value();
  }
  /// Stores `count` instances of `pixel_bytes` and stops.
  void fill(std::size_t count, std::size_t pixel_bytes) {
    open();
    ASSERT_TRUE(log_->replay("", index_));
    ASSERT_TRUE(log_->start(index_));
    for (std::size_t i = 0; i < count; ++i) {
      store(*log_, pool_, prepare("1.7." + std::to_string(i), pixel_bytes, i), [](auto o) { ASSERT_TRUE(o); });
      settle();
    }
    log_->stop();
    settle();
    ASSERT_TRUE(log_->finished());
  }
  void flip(const Location& location, std::uint64_t offset_in_record) {
    auto* bytes = files_.contents("/v/seg-0000000" + std::to_string(location.segment) + ".cairn");
    ASSERT_NE(bytes, nullptr);
    (*bytes)[location.offset + offset_in_record] ^= std::byte{0x20};
  }
  std::vector<Fault> scrub() {
    std::vector<Fault> faults;
    EXPECT_TRUE(log_->scrub([&](const Fault& f) { faults.push_back(f); }, {}));
    return faults;
  }

  ManualFileSystem files_{1};
  io::BufferPool pool_{8u << 20, 1u << 20};
  Remembering index_;
  std::unique_ptr<LogImpl> log_;
};

TEST_F(DamageTest, AFlippedBitInPixelsIsNamedAndNotServed) {
  fill(10, 526'000);
  const Part part = index_.instances.at("1.7.4").parts.at(0);
  flip(part.location, 300'000);
  open();
  Remembering again;
  const auto replayed = log_->replay("", again);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(again.instances.size(), 10u);  // replay does not look at pixels
  EXPECT_EQ(log_->read(part).error(), Errc::corrupt);
  EXPECT_TRUE(log_->read(again.instances.at("1.7.5").parts.at(0)));
  const auto faults = scrub();
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].sop_instance_uid, "1.7.4");
  EXPECT_EQ(faults[0].location, part.location);
}

TEST_F(DamageTest, AFlippedBitInAHeaderIsNoticedByReplay) {
  fill(10, 526'000);
  flip(index_.instances.at("1.7.4").parts.at(0).location, 64 + 300);
  open();
  Remembering again;
  const auto replayed = log_->replay("", again);
  ASSERT_TRUE(replayed);
  ASSERT_EQ(replayed.value().faults.size(), 1u);
  EXPECT_EQ(replayed.value().faults[0].sop_instance_uid, "1.7.4");
  EXPECT_EQ(again.instances.size(), 9u);
  EXPECT_FALSE(again.instances.contains("1.7.4"));
}

TEST_F(DamageTest, AFlippedBitAnywhereIsFoundByScrub) {
  fill(3, 3000);
  const std::string name = "/v/seg-00000001.cairn";
  const std::size_t size = files_.contents(name)->size();
  open();
  ASSERT_TRUE(scrub().empty());
  std::mt19937_64 random(7);
  for (int i = 0; i < 1500; ++i) {
    const std::size_t at = random() % size;
    const auto bit = static_cast<std::byte>(1u << random() % 8);
    (*files_.contents(name))[at] ^= bit;
    EXPECT_FALSE(scrub().empty()) << "offset " << at;
    (*files_.contents(name))[at] ^= bit;
  }
}

TEST_F(DamageTest, ReplayReadsAtMostAFewPercentOfTheLog) {
  fill(40, 526'000);
  open();
  Remembering again;
  const auto replayed = log_->replay("", again);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed.value().commits, 40u);
  EXPECT_LT(replayed.value().bytes_read, 40u * 526'000u / 20);
}

TEST_F(DamageTest, AFullDiskRefusesAndGoesOnWhenThereIsSpace) {
  LogOptions o = options();
  o.reserve_bytes = 2u << 20;
  files_.set_capacity(7u << 20);
  open(o);
  ASSERT_TRUE(log_->replay("", index_));
  ASSERT_TRUE(log_->start(index_));
  int stored = 0, full = 0;
  const auto put = [&](int i) {
    store(*log_, pool_, prepare("1.9." + std::to_string(i), 400'000, 1), [&](Result<Outcome> outcome) {
      if (outcome) {
        ++stored;
      } else {
        EXPECT_EQ(outcome.error(), Errc::out_of_space);
        ++full;
      }
    });
    settle();
  };
  for (int i = 0; i < 20; ++i) put(i);
  EXPECT_GT(stored, 5);
  EXPECT_EQ(stored + full, 20);
  const auto free_space_grows_old = [&] {  // it is asked for every 50 ms
    for (int i = 0; i < 100; ++i) files_.now_unix_ns();
  };
  free_space_grows_old();
  const auto refused = log_->begin();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::out_of_space);
  EXPECT_TRUE(log_->read(index_.instances.at("1.9.0").parts.at(0)));
  const int before = stored;
  files_.set_capacity(64u << 20);
  free_space_grows_old();
  put(100);
  EXPECT_EQ(stored, before + 1);
}

}  // namespace
}  // namespace cairn::store
