// Counts of requests, for metrics. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "engine/core/histogram.h"

namespace cairn::web {

enum class HttpVersion { one, two };                       ///< HTTP/1.1 and 1.0; HTTP/2
std::string_view to_string(HttpVersion version) noexcept;  ///< "HTTP/1.1", "HTTP/2"

class HttpStats {
 public:
  /// `route` is the template (or the name of what kept a request from having one), never what the peer wrote.
  void answered(HttpVersion version, const std::string& route, unsigned status, std::uint64_t microseconds,
                std::uint64_t body_bytes);
  void cut() noexcept { cut_.fetch_add(1, std::memory_order_relaxed); }  ///< a response that ended too early
  /// An HTTP/2 connection that was ended, "reason" (static text) why.
  void ended_for_cause(const char* reason);

  /// How many there are now; relaxed.
  std::atomic<std::int64_t> connections{0}, http2_connections{0}, http2_streams{0}, http2_held_bytes{0};

  struct Snapshot {
    std::map<std::tuple<HttpVersion, std::string, unsigned>, std::uint64_t> requests;  ///< by route and status
    std::map<std::string, std::uint64_t> ended;                                        ///< by reason
    std::int64_t connections = 0, http2_connections = 0, http2_streams = 0, http2_held_bytes = 0;
    Histogram::Snapshot microseconds;
    std::uint64_t sent_body_bytes = 0;
    std::uint64_t cut = 0;
  };
  Snapshot snapshot() const;

 private:
  mutable std::mutex mutex_;  // guards requests_, ended_
  std::map<std::tuple<HttpVersion, std::string, unsigned>, std::uint64_t> requests_;
  std::map<std::string, std::uint64_t> ended_;
  Histogram microseconds_;
  std::atomic<std::uint64_t> sent_body_bytes_{0};
  std::atomic<std::uint64_t> cut_{0};
};

}  // namespace cairn::web
