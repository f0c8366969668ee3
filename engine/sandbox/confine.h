// What a worker gives up before it sees a stream. For good: nothing here can be undone by the process. Private to
// sandbox; called by a process of one thread.
#pragma once

#include <cstdint>

#include "engine/core/result.h"

namespace cairn::sandbox {

/// Own namespaces of users, network, IPC and host names, for the zygote and all it forks: no network, no capability.
/// False where the system does not let it.
bool leave_namespaces() noexcept;

/// Limits that hold whatever the process does: private memory (0: none), no core file, no file written, no descriptor
/// and no process made (under a sanitizer descriptors can be made). Nothing but the socket and the shared memory that
/// is mapped already can be reached after it.
Result<> set_limits(std::uint64_t memory_bytes) noexcept;

/// A filter that lets through what memory, one socket and the end of the process need; everything else kills the
/// process (SIGSYS). False where the system does not let it.
bool filter_system_calls() noexcept;

}  // namespace cairn::sandbox
