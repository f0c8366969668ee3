// A wait ends when something is applied, not before, and is never missed.
#include "engine/archive/applied_signal.h"

#include <thread>

#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST(AppliedSignalTest, WaitsForWhatIsBeyondAPosition) {
  AppliedSignal signal(4);
  signal.applied(5);
  const auto begun = Clock::now();
  EXPECT_TRUE(run(signal.wait(4, milliseconds(10'000))));
  EXPECT_LT(Clock::now() - begun, milliseconds(5'000));
  EXPECT_TRUE(run(signal.wait(5, milliseconds(30))));
  EXPECT_GE(Clock::now() - begun, milliseconds(30));
  EXPECT_EQ(signal.waiting(), 0u);
}

TEST(AppliedSignalTest, NoWakeIsLost) {
  AppliedSignal signal(4);
  constexpr store::Sequence kLast = 20'000;
  std::thread applier([&] {
    for (store::Sequence s = 1; s <= kLast; ++s) {
      signal.applied(s);
      if (s % 64 == 0) std::this_thread::yield();
    }
  });
  const auto begun = Clock::now();
  for (store::Sequence position = 0; position < kLast; position += 1 + position / 50) {
    EXPECT_TRUE(run(signal.wait(std::min(position, kLast - 1), milliseconds(60'000))));
  }
  applier.join();
  EXPECT_LT(Clock::now() - begun, milliseconds(50'000));
}

TEST(AppliedSignalTest, NoMoreThanAllowedAndNoneOnceClosed) {
  AppliedSignal signal(2);
  asio::io_context context;
  std::optional<Result<>> first, second, third;
  spawn(context, signal.wait(0, milliseconds(60'000)), first);
  spawn(context, signal.wait(0, milliseconds(60'000)), second);
  spawn(context, signal.wait(0, milliseconds(60'000)), third);
  context.poll();
  EXPECT_EQ(signal.waiting(), 2u);
  ASSERT_TRUE(third);
  EXPECT_TRUE(third->error() == Errc::limit_exceeded);
  EXPECT_FALSE(first || second);
  signal.close();
  context.run();
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(*first);
  EXPECT_TRUE(signal.is_closed());
  EXPECT_TRUE(run(signal.wait(0, milliseconds(60'000))));
}

}  // namespace
}  // namespace cairn::archive::test
