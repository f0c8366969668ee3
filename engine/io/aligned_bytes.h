// Owned memory aligned for direct I/O, outside the pools: staging, headers, reads. Zeroed when made.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "engine/core/bytes.h"
#include "engine/io/buffer_pool.h"

namespace cairn::io {

/// `value` rounded up to whole blocks.
constexpr std::uint64_t block_up(std::uint64_t value) noexcept {
  return (value + kBlockBytes - 1) & ~(kBlockBytes - 1ull);
}
constexpr std::uint64_t block_down(std::uint64_t value) noexcept {
  return value & ~(kBlockBytes - 1ull);
}

class AlignedBytes {
 public:
  AlignedBytes() = default;
  /// `size` is rounded up to whole blocks.
  explicit AlignedBytes(std::size_t size) : size_(block_up(size)) {
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, size_));
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, size_);
    data_.reset(memory);
  }
  std::byte* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  MutableBytes bytes() const noexcept { return {data_.get(), size_}; }
  MutableBytes first(std::size_t count) const noexcept { return bytes().first(count); }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace cairn::io
