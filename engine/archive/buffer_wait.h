// Waiting for a buffer of the memory budget in a coroutine. Internal to engine/archive.
#pragma once

#include "engine/core/task.h"
#include "engine/io/buffer_pool.h"

namespace cairn::archive {

/// A buffer, at once when there is one. Else waits in turn, and resumes on the caller's executor; cancelling the wait
/// (any type) gives up the place in the queue. `pool` outlives the wait. Errors: cancelled.
/// Precondition: the executor runs one handler at a time.
Task<io::Buffer> acquire_buffer(io::BufferPool& pool);

}  // namespace cairn::archive
