// What all connections of a server share: routes, limits, counts. Outlives them (held by shared_ptr).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "engine/io/worker_pool.h"
#include "engine/web/cross_origin.h"
#include "engine/web/http_stats.h"
#include "engine/web/router.h"

namespace cairn::web {

/// Against peers that are slow, silent or greedy. A body in either direction must move within `stall` each time and
/// keep up `least_bytes_per_s` on the whole, once `grace` is used up.
struct HttpLimits {
  std::uint32_t header_bytes = 32u << 10;
  std::chrono::milliseconds header_timeout{10'000};  ///< from the first byte of a request to the end of its header
  std::chrono::milliseconds idle_timeout{75'000};    ///< between two requests
  std::chrono::milliseconds stall_timeout{30'000};
  std::chrono::milliseconds grace{30'000};
  std::uint64_t least_bytes_per_s = 8u << 10;
  std::size_t connections = 1000;  ///< of all listeners
  std::uint32_t streams = 256;                 ///< requests at once on an HTTP/2 connection
  std::size_t streams_at_work = 32;            ///< of them, those that are being answered; the rest wait
  std::size_t stream_header_bytes = 1u << 20;  ///< of the headers of all of them
  std::size_t stream_held_bytes = 8u << 20;    ///< of answers, waiting for the peer; beyond it no more is fetched
  std::size_t queued_work = 4096;              ///< interactive work that may wait before new work is answered 503
};

struct Site {
  Router router;
  HttpLimits limits;
  HttpStats stats;
  CrossOriginOptions cross_origin;
  io::WorkerPool* pool = nullptr;
  /// Of all HTTP/2 connections. When stats.http2_held_bytes or the windows granted have reached these, each connection
  /// gets by with one chunk at a time, or with the smallest window.
  static constexpr std::int64_t kMostHeldBytes = 64 << 20;
  static constexpr std::size_t kMostWidenedBytes = 64u << 20;
  std::atomic<std::size_t> widened_window_bytes{0};  ///< relaxed: a measure, no ordering
  std::atomic<bool> draining{false};                 ///< relaxed: a flag that only ever rises
};

}  // namespace cairn::web
