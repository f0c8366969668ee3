// A histogram with power-of-two buckets for metrics: lock-free, relaxed (a reader may see a count before its sum).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace cairn {

class Histogram {
 public:
  static constexpr std::size_t kBuckets = 40;  ///< bucket b counts values v with bit_width(v) == b, the last the rest

  struct Snapshot {
    std::array<std::uint64_t, kBuckets> counts{};
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
  };

  void record(std::uint64_t value) noexcept {
    const auto bucket = std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(value)), kBuckets - 1);
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  Snapshot snapshot() const noexcept {
    Snapshot s;
    for (std::size_t i = 0; i < kBuckets; ++i) s.count += s.counts[i] = counts_[i].load(std::memory_order_relaxed);
    s.sum = sum_.load(std::memory_order_relaxed);
    return s;
  }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> sum_{0};
};

}  // namespace cairn
