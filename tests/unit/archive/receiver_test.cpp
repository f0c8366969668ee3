// The memory budget and what becomes of those who wait, leave, or are slow.
#include <thread>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "engine/archive/buffer_wait.h"
#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

TEST_F(ArchiveTest, ManySendersShareASmallBudgetAndAllSucceed) {
  options_.in_flight_bytes = 2 * options_.part_bytes;  // two buffers for eight senders of three parts each
  open();
  asio::io_context context;
  std::array<std::optional<Result<Receiver::Stored>>, 8> stored;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    Sample s;
    s.sop = "1.2.3." + std::to_string(i);
    s.pixels = std::string(700'000, static_cast<char>('a' + static_cast<int>(i)));
    spawn(context, receive(archive(), s.stream(), {}, {}, 100'000), stored[i]);
  }
  context.run();
  for (const auto& result : stored) {
    ASSERT_TRUE(result);
    EXPECT_TRUE(*result) << to_string(result->error());
  }
  EXPECT_EQ(archive().stats().counts.instances, 8u);
  EXPECT_EQ(archive().stats().in_flight_bytes, 0u);
}

TEST_F(ArchiveTest, ASlowSenderHandsOnWhatItHoldsWhenOthersWait) {
  options_.in_flight_bytes = 2 * options_.part_bytes;
  open();
  Sample slow, fast;
  slow.pixels = std::string(1000, 's');
  fast.sop = "1.2.3.9";
  const std::string slow_stream = slow.stream();
  asio::io_context context;
  const auto first = archive().receive({}, {}).value(), second = archive().receive({}, {}).value();
  const auto sender = [&]() -> Task<> {
    CAIRN_CO_TRYV(co_await first->write(as_bytes(slow_stream).first(500)));
    CAIRN_CO_TRYV(co_await second->room());  // holds the other buffer, empty
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int i = 0; i < 40; ++i) {
      timer.expires_after(std::chrono::milliseconds(50));
      co_await timer.async_wait(asio::use_awaitable);
      first->relieve();
      second->relieve();
    }
    CAIRN_CO_TRYV(co_await first->write(as_bytes(slow_stream).subspan(500)));
    const auto stored = co_await first->commit();
    co_return stored ? Result<>(outcome::success()) : Result<>(stored.error());
  };
  const auto began = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration waited{};
  const auto other = [&]() -> Task<> {
    const auto stored = co_await receive(archive(), fast.stream());
    waited = std::chrono::steady_clock::now() - began;
    co_return stored ? Result<>(outcome::success()) : Result<>(stored.error());
  };
  std::optional<Result<>> slow_result, fast_result;
  spawn(context, sender(), slow_result);
  asio::post(context, [&] { spawn(context, other(), fast_result); });
  context.run();
  ASSERT_TRUE(slow_result && fast_result);
  EXPECT_TRUE(*slow_result) << to_string(slow_result->error());
  EXPECT_TRUE(*fast_result) << to_string(fast_result->error());
  EXPECT_GE(waited, std::chrono::milliseconds(900));   // the budget was used up
  EXPECT_LE(waited, std::chrono::milliseconds(1900));  // and did not stay so until the slow one was done
  EXPECT_EQ(stored_stream(archive(), slow.sop), slow_stream);
  EXPECT_EQ(archive().instance(slow.sop).value().parts.size(), 2u);
}

TEST(AcquireBuffer, ACancelledWaitGivesUpItsPlace) {
  io::BufferPool pool(2 * 4096, 4096);
  auto one = pool.try_acquire(), two = pool.try_acquire();
  asio::io_context context;
  asio::cancellation_signal leave;
  std::optional<Result<io::Buffer>> leaver, stayer;
  spawn(context, acquire_buffer(pool), leaver, leave.slot());
  spawn(context, acquire_buffer(pool), stayer);
  context.poll();
  EXPECT_TRUE(pool.under_pressure());
  leave.emit(asio::cancellation_type::terminal);
  context.poll();
  ASSERT_TRUE(leaver);
  EXPECT_TRUE(leaver->error() == Errc::cancelled);
  EXPECT_FALSE(stayer);
  std::thread([&] { one.reset(); }).join();  // given back from another thread
  context.run();
  ASSERT_TRUE(stayer);
  EXPECT_TRUE(*stayer);
  stayer.reset();
  two.reset();
  EXPECT_EQ(pool.in_use_bytes(), 0u);
}

TEST_F(ArchiveTest, ACallerThatLeavesDuringCommitDoesNotTearIt) {
  const Sample s;
  asio::io_context context;
  asio::cancellation_signal leave;
  std::optional<Result<Receiver::Stored>> result;
  spawn(context, receive(archive(), s.stream()), result, leave.slot());
  context.poll();  // as far as the wait for the log
  leave.emit(asio::cancellation_type::terminal);
  context.run();
  EXPECT_EQ(stored_stream(archive(), s.sop), s.stream());
}

}  // namespace
}  // namespace cairn::archive::test
