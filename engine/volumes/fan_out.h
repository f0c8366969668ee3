// Spreads independent items over the worker pool from a job that itself runs on the pool: the caller works too, so it
// never waits for a thread that may not come, and helpers that start late find nothing to do.
#pragma once

#include <cstddef>
#include <functional>

namespace cairn::io {
class WorkerPool;
}

namespace cairn::volumes {

/// Calls `work(i)` once for each i below `count`, in any order and on several threads; returns when all have returned.
/// `work` must not throw. `pool` may be null: then the calling thread does all.
void fan_out(io::WorkerPool* pool, std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace cairn::volumes
