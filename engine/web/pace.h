// How long a peer may take for the next step of a body, in either direction. Only time spent waiting for the peer
// counts, so that our own back-pressure is never held against it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/web/site.h"

namespace cairn::web {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  /// `limits` outlives the pace.
  explicit Pace(const HttpLimits& limits) : limits_(limits) {}

  std::chrono::milliseconds next() const {
    return std::clamp(left(), std::chrono::milliseconds(1), limits_.stall_timeout);
  }
  bool is_exhausted() const { return left() <= std::chrono::milliseconds(0); }
  void step(Clock::time_point began, std::size_t bytes) {
    spent_ += Clock::now() - began;
    moved_ += bytes;
  }

 private:
  std::chrono::milliseconds left() const {
    const auto earned =
        std::chrono::milliseconds(moved_ / std::max<std::uint64_t>(1, limits_.least_bytes_per_s / 1000));
    return limits_.grace + earned - std::chrono::duration_cast<std::chrono::milliseconds>(spent_);
  }

  const HttpLimits& limits_;
  Clock::duration spent_{};
  std::uint64_t moved_ = 0;
};

}  // namespace cairn::web
