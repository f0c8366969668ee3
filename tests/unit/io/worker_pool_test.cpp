#include "engine/io/worker_pool.h"

#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <string>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace cairn::io {
namespace {

TEST(WorkerPool, InteractiveWorkGoesFirst) {
  WorkerPool pool(1, "test");
  std::promise<void> gate, done;
  std::mutex mutex;
  std::string order;
  pool.submit(WorkClass::interactive, [&] { gate.get_future().wait(); });
  while (pool.running() == 0) std::this_thread::yield();
  const auto note = [&](char c) {
    const std::scoped_lock lock(mutex);
    order += c;
    if (order.size() == 4) done.set_value();
  };
  pool.submit(WorkClass::background, [&] { note('b'); });
  pool.submit(WorkClass::background, [&] { note('b'); });
  pool.submit(WorkClass::interactive, [&] { note('i'); });
  pool.submit(WorkClass::interactive, [&] { note('i'); });
  EXPECT_EQ(pool.queued(WorkClass::background), 2u);
  gate.set_value();
  done.get_future().wait();
  EXPECT_EQ(order, "iibb");
}

TEST(WorkerPool, SettlesWhenTheWorkOfAClassIsDone) {
  WorkerPool pool(2, "test");
  std::promise<void> gate, rest;
  std::shared_future<void> opened = gate.get_future().share(), over = rest.get_future().share();
  std::atomic<int> done{0};
  pool.submit(WorkClass::background, [over] { over.wait(); });
  for (int i = 0; i < 3; ++i) {
    pool.submit(WorkClass::interactive, [&, opened] {
      opened.wait();
      ++done;
    });
  }
  EXPECT_FALSE(pool.settle(WorkClass::interactive, std::chrono::milliseconds(20)));
  gate.set_value();
  EXPECT_TRUE(pool.settle(WorkClass::interactive, std::chrono::seconds(20)));
  EXPECT_EQ(done, 3);
  EXPECT_FALSE(pool.settle(WorkClass::background, std::chrono::milliseconds(20)));
  rest.set_value();
  EXPECT_TRUE(pool.settle(WorkClass::background, std::chrono::seconds(20)));
}

TEST(WorkerPool, BackgroundWorkNeverTakesTheLastThread) {
  WorkerPool pool(2, "test");
  std::promise<void> gate, interactive_ran;
  auto opened = gate.get_future().share();
  std::atomic<int> finished{0};
  for (int i = 0; i < 4; ++i) pool.submit(WorkClass::background, [&, opened] { opened.wait(), ++finished; });
  pool.submit(WorkClass::interactive, [&] { interactive_ran.set_value(); });
  EXPECT_EQ(interactive_ran.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  gate.set_value();
  while (finished < 4) std::this_thread::yield();
}

TEST(WorkerPool, DestructionFinishesWhatRunsAndDropsWhatWaits) {
  std::promise<void> gate;
  std::atomic<int> ran{0};
  std::thread opener;
  {
    WorkerPool pool(1, "test");
    pool.submit(WorkClass::interactive, [&] { gate.get_future().wait(), ++ran; });
    while (pool.running() == 0) std::this_thread::yield();
    pool.submit(WorkClass::interactive, [&] { ran += 10; });
    opener = std::thread([&] {
      while (pool.queued(WorkClass::interactive) > 0) std::this_thread::yield();  // dropped by the destructor
      gate.set_value();
    });
  }
  opener.join();
  EXPECT_EQ(ran, 1);
}

TEST(WorkerPool, RunResumesTheCallerOnItsOwnExecutorWithTheValue) {
  WorkerPool pool(2, "test");
  asio::io_context context;
  std::thread::id worker, resumed;
  int value = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        value = co_await pool.run(WorkClass::interactive, [&worker] {
          worker = std::this_thread::get_id();
          return 42;
        });
        resumed = std::this_thread::get_id();
      },
      [](std::exception_ptr error) { EXPECT_FALSE(error); });
  context.run();
  EXPECT_EQ(value, 42);
  EXPECT_EQ(resumed, std::this_thread::get_id());
  EXPECT_NE(worker, resumed);
}

}  // namespace
}  // namespace cairn::io
