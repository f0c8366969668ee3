#include "engine/io/buffer_pool.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "engine/core/check.h"

namespace cairn::io {

struct BufferPool::State {
  struct Waiter {
    std::uint64_t ticket;
    std::function<void(Buffer)> ready;
  };

  std::byte* region = nullptr;
  std::size_t buffer_bytes = 0;
  std::size_t count = 0;

  std::mutex mutex;  // guards free, waiters, next_ticket
  // A stack, so that the buffer used last, whose memory is in the caches, is used next, and memory that the load never
  // needed is never touched.
  std::vector<std::byte*> free;
  std::deque<Waiter> waiters;  // not empty only while free is empty
  std::uint64_t next_ticket = 1;

  std::atomic<std::size_t> in_use{0};   // relaxed: a gauge
  std::atomic<std::size_t> waiting{0};  // relaxed: a hint
};

BufferPool::BufferPool(std::size_t budget_bytes, std::size_t buffer_bytes) : state_(std::make_unique<State>()) {
  CAIRN_CHECK(buffer_bytes > 0 && buffer_bytes <= (std::size_t{1} << 40));
  buffer_bytes = (buffer_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  const std::size_t count = std::max<std::size_t>(2, budget_bytes / buffer_bytes);
  void* region =
      ::mmap(nullptr, count * buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) throw std::bad_alloc();
  // Direct I/O pins the pages of each write: with 2 MiB pages that is one page, not hundreds. Only a wish.
  ::madvise(region, count * buffer_bytes, MADV_HUGEPAGE);
  state_->region = static_cast<std::byte*>(region);
  state_->buffer_bytes = buffer_bytes;
  state_->count = count;
  state_->free.reserve(count);
  for (std::size_t i = count; i > 0; --i) state_->free.push_back(state_->region + (i - 1) * buffer_bytes);
}

BufferPool::~BufferPool() {
  CAIRN_CHECK(state_->in_use.load(std::memory_order_relaxed) == 0);
  ::munmap(state_->region, state_->count * state_->buffer_bytes);
}

std::optional<Buffer> BufferPool::try_acquire() {
  const std::scoped_lock lock(state_->mutex);
  if (state_->free.empty()) return std::nullopt;
  std::byte* data = state_->free.back();
  state_->free.pop_back();
  state_->in_use.fetch_add(1, std::memory_order_relaxed);
  return Buffer(this, data, state_->buffer_bytes);
}

std::uint64_t BufferPool::acquire(std::function<void(Buffer)> ready) {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t ticket = state_->next_ticket++;
  if (state_->free.empty()) {
    state_->waiters.push_back({ticket, std::move(ready)});
    state_->waiting.fetch_add(1, std::memory_order_relaxed);
    return ticket;
  }
  std::byte* data = state_->free.back();
  state_->free.pop_back();
  state_->in_use.fetch_add(1, std::memory_order_relaxed);
  lock.unlock();
  ready(Buffer(this, data, state_->buffer_bytes));
  return ticket;
}

bool BufferPool::cancel(std::uint64_t ticket) {
  std::function<void(Buffer)> forgotten;  // destroyed after the lock is gone: it may own buffers
  const std::scoped_lock lock(state_->mutex);
  auto& waiters = state_->waiters;
  const auto it = std::find_if(waiters.begin(), waiters.end(), [&](const auto& w) { return w.ticket == ticket; });
  if (it == waiters.end()) return false;
  forgotten = std::move(it->ready);
  waiters.erase(it);
  state_->waiting.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void BufferPool::give_back(std::byte* data) noexcept {
  std::unique_lock lock(state_->mutex);
  if (state_->waiters.empty()) {
    state_->free.push_back(data);
    state_->in_use.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  auto ready = std::move(state_->waiters.front().ready);
  state_->waiters.pop_front();
  state_->waiting.fetch_sub(1, std::memory_order_relaxed);
  lock.unlock();
  ready(Buffer(this, data, state_->buffer_bytes));
}

bool BufferPool::under_pressure() const noexcept {
  return state_->waiting.load(std::memory_order_relaxed) > 0;
}
std::size_t BufferPool::buffer_bytes() const noexcept {
  return state_->buffer_bytes;
}
std::size_t BufferPool::budget_bytes() const noexcept {
  return state_->count * state_->buffer_bytes;
}
std::size_t BufferPool::in_use_bytes() const noexcept {
  return state_->in_use.load(std::memory_order_relaxed) * state_->buffer_bytes;
}
MutableBytes BufferPool::region() const noexcept {
  return {state_->region, state_->count * state_->buffer_bytes};
}

Buffer::Buffer(Buffer&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  Buffer old(std::move(*this));  // given back last: that may run somebody's callback
  pool_ = std::exchange(other.pool_, nullptr);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) pool_->give_back(data_);
}

std::size_t Buffer::region_offset() const noexcept {
  return static_cast<std::size_t>(data_ - pool_->region().data());
}

}  // namespace cairn::io
