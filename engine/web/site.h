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
  std::size_t connections = 1000;
  std::size_t queued_work = 4096;  ///< interactive work that may wait before new work is answered 503
};

struct Site {
  Router router;
  HttpLimits limits;
  HttpStats stats;
  CrossOriginOptions cross_origin;
  io::WorkerPool* pool = nullptr;
  std::atomic<bool> draining{false};  ///< relaxed: a flag that only ever rises
};

}  // namespace cairn::web
