#include "engine/io/buffer_pool.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::io {
namespace {

TEST(BufferPool, GivesAlignedBuffersUpToItsBudget) {
  BufferPool pool(3 * 8192, 8192);
  std::vector<Buffer> held;
  while (auto buffer = pool.try_acquire()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % kBlockBytes, 0u);
    EXPECT_EQ(buffer->size(), 8192u);
    EXPECT_EQ(pool.region().data() + buffer->region_offset(), buffer->data());
    held.push_back(std::move(*buffer));
  }
  EXPECT_EQ(held.size(), 3u);
  EXPECT_EQ(pool.in_use_bytes(), pool.budget_bytes());
  held.pop_back();
  EXPECT_TRUE(pool.try_acquire().has_value());
}

TEST(BufferPool, HasAtLeastTwoBuffers) {
  BufferPool pool(1, 4096);
  EXPECT_EQ(pool.budget_bytes(), 8192u);
}

TEST(BufferPool, WaitersAreServedInOrderByWhoGivesBack) {
  BufferPool pool(2 * 4096, 4096);
  auto a = pool.try_acquire(), b = pool.try_acquire();
  std::vector<int> order;
  std::vector<Buffer> got;
  pool.acquire([&](Buffer buffer) { order.push_back(1), got.push_back(std::move(buffer)); });
  pool.acquire([&](Buffer buffer) { order.push_back(2), got.push_back(std::move(buffer)); });
  EXPECT_TRUE(pool.under_pressure());
  a.reset();
  EXPECT_EQ(order, (std::vector{1}));
  b.reset();
  EXPECT_EQ(order, (std::vector{1, 2}));
  EXPECT_FALSE(pool.under_pressure());
}

TEST(BufferPool, ACancelledRequestIsNeverServed) {
  BufferPool pool(2 * 4096, 4096);
  auto a = pool.try_acquire(), b = pool.try_acquire();
  bool served = false;
  const auto ticket = pool.acquire([&](Buffer) { served = true; });
  EXPECT_TRUE(pool.cancel(ticket));
  EXPECT_FALSE(pool.cancel(ticket));
  a.reset();
  EXPECT_FALSE(served);
  EXPECT_EQ(pool.in_use_bytes(), 4096u);
}

TEST(BufferPool, ACallbackThatDropsItsBufferServesTheNext) {
  BufferPool pool(2 * 4096, 4096);
  auto a = pool.try_acquire(), b = pool.try_acquire();
  int served = 0;
  for (int i = 0; i < 100; ++i) pool.acquire([&](Buffer) { ++served; });
  a.reset();
  EXPECT_EQ(served, 100);
}

TEST(BufferPool, ManyThreadsShareItWithoutLosingBuffers) {
  BufferPool pool(4 * 4096, 4096);
  std::atomic<int> served{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) pool.acquire([&](Buffer buffer) { buffer.data()[0] = std::byte{1}, ++served; });
      });
    }
  }
  EXPECT_EQ(served, 8000);
  EXPECT_EQ(pool.in_use_bytes(), 0u);
}

}  // namespace
}  // namespace cairn::io
