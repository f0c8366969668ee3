#include "engine/store/log.h"

#include <gtest/gtest.h>

#include "log_fixture.h"

namespace cairn::store {
namespace {

using namespace testing;

class LogTest : public ::testing::TestWithParam<bool> {
 protected:
  LogOptions options(std::uint64_t segment_bytes = 4u << 20) {
    LogOptions o = options_in(directory_.path(), segment_bytes);
    o.use_ring = GetParam();
    return o;
  }
  std::unique_ptr<Log> open(LogOptions o) {
    auto log = Log::open(std::move(o), io::native_file_system());
    EXPECT_TRUE(log) << to_string(log.error());
    return std::move(log).value();
  }
  TemporaryDirectory directory_;
  io::BufferPool pool_{32u << 20, 1u << 20};
};

INSTANTIATE_TEST_SUITE_P(Backends, LogTest, ::testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Ring" : "Plain"; });

TEST_P(LogTest, WhatIsAcknowledgedComesBackBitForBit) {
  std::vector<Prepared> stored;
  Remembering applier;
  std::string token;
  {
    auto log = open(options());
    ASSERT_TRUE(log->replay("", applier));
    ASSERT_TRUE(log->start(applier));
    for (std::size_t i = 0; i < 60; ++i) {
      const std::size_t sizes[] = {16, 300, 4096, 70'000, 526'000, 2'500'000};
      stored.push_back(prepare("1.2.3.4." + std::to_string(i), sizes[i % 6], i));
      const auto outcome = store_and_wait(*log, pool_, stored.back());
      ASSERT_TRUE(outcome) << to_string(outcome.error());
      EXPECT_EQ(outcome.value(), Outcome::stored);
    }
    for (const Prepared& p : stored) {
      const auto stream = read_stream(*log, applier.instances.at(p.record.sop_instance_uid));
      ASSERT_TRUE(stream) << to_string(stream.error());
      EXPECT_TRUE(stream.value() == p.stream);
    }
    EXPECT_EQ(log->applied(), 60u);
    log->stop();
    const auto stats = log->stats().at(0);
    EXPECT_GT(stats.sealed, 3u);
    EXPECT_EQ(stats.segments, stats.sealed);
  }
  Remembering again;
  auto log = open(options());
  const auto replayed = log->replay("", again);
  ASSERT_TRUE(replayed) << to_string(replayed.error());
  EXPECT_EQ(replayed.value().commits, 60u);
  EXPECT_TRUE(replayed.value().faults.empty());
  EXPECT_EQ(replayed.value().last, 60u);
  EXPECT_EQ(again.headers, applier.headers);
  for (const Prepared& p : stored) {
    const auto& record = again.instances.at(p.record.sop_instance_uid);
    const auto stream = read_stream(*log, record);
    ASSERT_TRUE(stream) << to_string(stream.error());
    EXPECT_TRUE(stream.value() == p.stream);
    EXPECT_EQ(record.digest, p.record.digest);
    const auto commit = log->read_commit(again.locations.at(p.record.sop_instance_uid));
    ASSERT_TRUE(commit);
    EXPECT_EQ(commit.value().encode(), record.encode());
  }
  std::vector<Fault> faults;
  const auto checked = log->scrub([&](const Fault& f) { faults.push_back(f); }, {});
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked.value(), 60u);
  EXPECT_TRUE(faults.empty());
}

TEST_P(LogTest, EventsComeInTheOrderOfCommitsAndComeBack) {
  Remembering applier;
  std::vector<std::string> expected;
  {
    auto log = open(options(1u << 20));
    ASSERT_TRUE(log->replay("", applier));
    ASSERT_TRUE(log->start(applier));
    for (std::size_t i = 0; i < 12; ++i) {
      ASSERT_TRUE(store_and_wait(*log, pool_, prepare("1.2.3.4." + std::to_string(i), 200'000, i)));
      const auto done = append_and_wait(*log, removal("1.2." + std::to_string(i)));
      ASSERT_TRUE(done) << to_string(done.error());
      ASSERT_EQ(applier.events.size(), i + 1);
      EXPECT_EQ(applier.events.back().sequence, 2 * i + 2);
      expected.push_back(applier.events.back().encode());
    }
    EXPECT_EQ(append_and_wait(*log, removal("")).error(), Errc::malformed);
    EXPECT_EQ(append_and_wait(*log, removal(std::string(2000, '1'))).error(), Errc::limit_exceeded);
    EXPECT_EQ(log->applied(), 24u);
    log->stop();
    EXPECT_EQ(append_and_wait(*log, removal("1.2.3")).error(), Errc::closed);
  }
  Remembering again;
  auto log = open(options(1u << 20));
  const auto replayed = log->replay("", again);
  ASSERT_TRUE(replayed) << to_string(replayed.error());
  EXPECT_TRUE(replayed.value().faults.empty());
  std::vector<std::string> found;
  for (const Event& event : again.events) found.push_back(event.encode());
  EXPECT_EQ(found, expected);
  EXPECT_EQ(again.instances.size(), 12u);
  EXPECT_EQ(log->scrub([](const Fault& f) { ADD_FAILURE() << to_string(f.error); }, {}).value(), 12u);
}

TEST_P(LogTest, ReplayGoesOnWhereTheTokenSays) {
  Remembering applier;
  std::string middle;
  {
    auto log = open(options());
    ASSERT_TRUE(log->replay("", applier));
    ASSERT_TRUE(log->start(applier));
    for (std::size_t i = 0; i < 30; ++i) {
      ASSERT_TRUE(store_and_wait(*log, pool_, prepare("1.9." + std::to_string(i), 200'000, i)));
      if (i == 19) middle = applier.token;
    }
  }
  Remembering tail;
  auto log = open(options());
  const auto replayed = log->replay(middle, tail);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed.value().commits, 10u);
  EXPECT_EQ(tail.last, 30u);
  EXPECT_EQ(tail.token, applier.token);
  ASSERT_TRUE(log->start(tail));
  ASSERT_TRUE(store_and_wait(*log, pool_, prepare("1.9.99", 100, 1)));
  EXPECT_EQ(tail.instances.at("1.9.99").sequence, 31u);
}

TEST_P(LogTest, ManyWritersShareFlushes) {
  Remembering applier;
  auto log = open(options(16u << 20));
  ASSERT_TRUE(log->replay("", applier));
  ASSERT_TRUE(log->start(applier));
  std::atomic<int> acknowledged{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 200; ++i) {
        store(*log, pool_, prepare("1." + std::to_string(t) + "." + std::to_string(i), i % 3 == 0 ? 100'000 : 1000, i),
              [&](Result<Outcome> outcome) { ++(outcome ? acknowledged : refused); });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  log->stop();
  EXPECT_EQ(acknowledged, 800);
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(applier.instances.size(), 800u);
  const auto stats = log->stats().at(0);
  EXPECT_EQ(stats.batch_instances.sum, 800u);
  EXPECT_LT(stats.batch_instances.count, 800u);
  EXPECT_EQ(pool_.in_use_bytes(), 0u);
}

TEST_P(LogTest, AfterStopStoresAreClosedAndDoneIsCalledOnce) {
  Remembering applier;
  auto log = open(options());
  ASSERT_TRUE(log->replay("", applier));
  ASSERT_TRUE(log->start(applier));
  auto writer = log->begin();
  ASSERT_TRUE(writer);
  log->stop();
  EXPECT_EQ(log->begin().error(), Errc::closed);
  const Prepared p = prepare("1.2", 10, 1);
  int calls = 0;
  auto buffer = pool_.try_acquire();
  std::memcpy(buffer->data() + kPartHeadRoom, p.stream.data(), p.stream.size());
  writer.value()->commit(std::move(*buffer), p.stream.size(), crc32c(as_bytes(p.stream)), p.record, p.header,
                         [&](Result<Outcome> outcome) {
                           ++calls;
                           EXPECT_EQ(outcome.error(), Errc::closed);
                         });
  EXPECT_EQ(calls, 1);
}

TEST_P(LogTest, AnInstanceWithoutCommitLeavesNothing) {
  Remembering applier;
  auto log = open(options());
  ASSERT_TRUE(log->replay("", applier));
  ASSERT_TRUE(log->start(applier));
  {
    auto writer = log->begin();
    ASSERT_TRUE(writer);
    auto buffer = pool_.try_acquire();
    std::memset(buffer->data(), 7, buffer->size());
    writer.value()->append(std::move(*buffer), 500'000, crc32c(Bytes(buffer->data(), 0)));
  }
  ASSERT_TRUE(store_and_wait(*log, pool_, prepare("1.5", 1000, 5)));
  log.reset();
  Remembering again;
  log = open(options());
  const auto replayed = log->replay("", again);
  ASSERT_TRUE(replayed);
  EXPECT_EQ(again.instances.size(), 1u);
}

TEST_P(LogTest, AVolumeThatIsNotMountedIsNotTakenForANewOne) {
  Remembering applier;
  {
    auto log = open(options());
    ASSERT_TRUE(log->replay("", applier));
    ASSERT_TRUE(log->start(applier));
    ASSERT_TRUE(store_and_wait(*log, pool_, prepare("1.5", 1000, 5)));
  }
  std::filesystem::remove_all(directory_.path() / "volume0");
  auto log = open(options());
  Remembering again;
  EXPECT_EQ(log->replay(applier.token, again).error(), Errc::not_found);
  EXPECT_EQ(log->replay("rubbish", again).error(), Errc::malformed);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "volume0" / "volume.cairn")) << "a mount point stays empty";
}

TEST_P(LogTest, AnApplierErrorAnswersEveryLaterCommit) {
  Remembering applier;
  auto log = open(options());
  ASSERT_TRUE(log->replay("", applier));
  ASSERT_TRUE(log->start(applier));
  applier.failing = true;
  EXPECT_EQ(store_and_wait(*log, pool_, prepare("1.5", 1000, 5)).error(), Errc::io);
  applier.failing = false;
  EXPECT_EQ(store_and_wait(*log, pool_, prepare("1.6", 1000, 5)).error(), Errc::io);
}

TEST_P(LogTest, AVolumeOfAnotherArchiveIsRefused) {
  Remembering nothing;
  {
    ASSERT_TRUE(open(options())->replay("", nothing));
  }
  LogOptions other = options();
  other.volumes = {{1, directory_.path() / "volume1"}};
  {
    ASSERT_TRUE(open(other)->replay("", nothing));
  }
  LogOptions both = options();
  both.volumes = {{0, directory_.path() / "volume0"}, {1, directory_.path() / "volume1"}};
  EXPECT_EQ(Log::open(both, io::native_file_system()).error(), Errc::mismatch);
  LogOptions renamed = options();
  renamed.volumes = {{3, directory_.path() / "volume0"}};
  EXPECT_EQ(Log::open(renamed, io::native_file_system()).error(), Errc::mismatch);
}

TEST_P(LogTest, TwoVolumesKeepOneOrder) {
  LogOptions two = options();
  two.volumes.push_back({7, directory_.path() / "volume7"});
  Remembering applier;
  {
    auto log = open(two);
    ASSERT_TRUE(log->replay("", applier));
    ASSERT_TRUE(log->start(applier));
    std::atomic<int> acknowledged{0};
    for (std::size_t i = 0; i < 300; ++i) {
      store(*log, pool_, prepare("1.8." + std::to_string(i), 20'000, i),
            [&](Result<Outcome> o) { acknowledged += o.has_value(); });
    }
    log->stop();
    EXPECT_EQ(acknowledged, 300);
  }
  Remembering again;  // checks ascending sequences itself
  auto log = open(two);
  ASSERT_TRUE(log->replay("", again));
  EXPECT_EQ(again.instances.size(), 300u);
  EXPECT_EQ(again.headers, applier.headers);
}

}  // namespace
}  // namespace cairn::store
