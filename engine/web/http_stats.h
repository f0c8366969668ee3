// Counts of requests, for metrics. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "engine/core/histogram.h"

namespace cairn::web {

class HttpStats {
 public:
  /// `route` is the template (or the name of what kept a request from having one), never what the peer wrote.
  void answered(const std::string& route, unsigned status, std::uint64_t microseconds, std::uint64_t body_bytes);
  void cut() noexcept { cut_.fetch_add(1, std::memory_order_relaxed); }  ///< a response that ended too early

  struct Snapshot {
    std::map<std::pair<std::string, unsigned>, std::uint64_t> requests;  ///< by route and status
    Histogram::Snapshot microseconds;
    std::uint64_t sent_body_bytes = 0;
    std::uint64_t cut = 0;
  };
  Snapshot snapshot() const;

 private:
  mutable std::mutex mutex_;  // guards requests_
  std::map<std::pair<std::string, unsigned>, std::uint64_t> requests_;
  Histogram microseconds_;
  std::atomic<std::uint64_t> sent_body_bytes_{0};
  std::atomic<std::uint64_t> cut_{0};
};

}  // namespace cairn::web
