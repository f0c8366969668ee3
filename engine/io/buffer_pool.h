// Pooled buffers for data in flight: the memory budget of ingest.
//
// A buffer is block-aligned, so it can be written with O_DIRECT as it is. The pool's budget bounds all bytes between the
// sockets and the log; when it is used up, receivers wait (and stop reading their sockets) until a buffer comes back.
// Thread-safe. The pool outlives its buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "engine/core/bytes.h"

namespace cairn::io {

/// Direct I/O alignment of addresses, file offsets and lengths.
inline constexpr std::size_t kBlockBytes = 4096;

class BufferPool;

/// Owns one buffer of the pool; gives it back when destroyed.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  explicit operator bool() const noexcept { return data_ != nullptr; }
  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }  ///< a multiple of kBlockBytes
  MutableBytes bytes() const noexcept { return {data_, size_}; }
  /// Position of this buffer in the pool's one memory region, for rings that registered it.
  std::size_t region_offset() const noexcept;

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, std::byte* data, std::size_t size) noexcept : pool_(pool), data_(data), size_(size) {}
  BufferPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

class BufferPool {
 public:
  /// `budget_bytes` is rounded down to whole buffers, at least two; memory is touched only when first used.
  BufferPool(std::size_t budget_bytes, std::size_t buffer_bytes);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  std::optional<Buffer> try_acquire();
  /// Calls `ready` with a buffer: at once, or later from the thread that gives one back, in the order of asking.
  /// Returns a ticket for cancel().
  std::uint64_t acquire(std::function<void(Buffer)> ready);
  /// Forgets a waiting request; false when it has been, or is being, served.
  bool cancel(std::uint64_t ticket);

  /// True while somebody waits: holders of partly filled buffers should hand them on.
  bool under_pressure() const noexcept;
  std::size_t buffer_bytes() const noexcept;
  std::size_t budget_bytes() const noexcept;
  std::size_t in_use_bytes() const noexcept;
  MutableBytes region() const noexcept;  ///< all buffers, contiguous

 private:
  friend class Buffer;
  void give_back(std::byte* data) noexcept;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::io
