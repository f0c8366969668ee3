#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <vector>

#include "engine/io/native_file.h"

namespace cairn::io {
namespace {

enum class Kind { ring, plain };

class QueueTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    int error_number = 0;
    queue_ = GetParam() == Kind::ring ? make_ring_queue(8, error_number) : make_plain_queue();
    if (!queue_) GTEST_SKIP() << "io_uring is not allowed here: " << std::strerror(error_number);
  }

  /// Results by token of the next `count` completions.
  std::map<std::uint64_t, std::int64_t> results(std::size_t count) {
    std::map<std::uint64_t, std::int64_t> all;
    std::array<Completion, 8> completions;
    while (all.size() < count) {
      const std::size_t n = queue_->wait(completions, true);
      for (std::size_t i = 0; i < n; ++i) all[completions[i].token] = completions[i].result;
    }
    return all;
  }

  std::unique_ptr<Queue> queue_;
};

TEST_P(QueueTest, AFailedWriteThroughIsToldOnceAndHoldsUpNothing) {
  std::string path = "/tmp/cairn-queue-XXXXXX";
  NativeFile good(mkstemp(path.data()));
  NativeFile full(open("/dev/full", O_WRONLY));
  const std::vector<std::byte> bytes(512, std::byte{7});
  queue_->write_through(good, 0, bytes, 1);
  queue_->write_through(full, 0, bytes, 2);
  queue_->write_through(good, 512, bytes, 3);
  const auto first = results(3);
  EXPECT_EQ(first.at(1), 512);
  EXPECT_EQ(first.at(2), -ENOSPC);
  EXPECT_EQ(first.at(3), 512);
  queue_->write(good, 1024, bytes, 4);
  queue_->flush(good, 5);
  const auto second = results(2);
  EXPECT_EQ(second.at(4), 512);
  EXPECT_EQ(second.at(5), 0);
  unlink(path.c_str());
}

TEST_P(QueueTest, AWriteThroughWhereTheFlagMayMeanNothingIsFlushedApart) {
  NativeFile file(memfd_create("queue", 0));  // not one of the file systems known to honour it
  ASSERT_FALSE(file.honours_dsync());
  const std::vector<std::byte> bytes(512, std::byte{7});
  for (std::uint64_t i = 0; i < 3; ++i) queue_->write_through(file, i * 512, bytes, i);
  for (const auto& [token, result] : results(3)) EXPECT_EQ(result, 512) << token;
  EXPECT_EQ(file.size().value(), 3u * 512);
}

TEST_P(QueueTest, AWakeEndsAWaitWithoutACompletion) {
  queue_->wake();
  std::array<Completion, 8> completions;
  EXPECT_EQ(queue_->wait(completions, true), 0u);
}

INSTANTIATE_TEST_SUITE_P(Io, QueueTest, testing::Values(Kind::ring, Kind::plain),
                         [](const auto& info) { return info.param == Kind::ring ? "ring" : "plain"; });

}  // namespace
}  // namespace cairn::io
