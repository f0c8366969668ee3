// How far a read may go. With Reach::memory it takes what is in memory and never waits for a disk, so that a reactor may
// make it in place: waking a thread of the pool costs more than most such reads. What is not there is an error that the
// caller answers by asking again, on the pool, with Reach::disk.
#pragma once

#include <cerrno>
#include <cstdint>

#include "engine/core/result.h"

namespace cairn::store {

enum class Reach : std::uint8_t { disk, memory };

inline Error out_of_reach() noexcept {
  return fail_errno(EAGAIN, "not in memory");
}
inline bool is_out_of_reach(const Error& error) noexcept {
  return error.code == std::errc::resource_unavailable_try_again;
}

}  // namespace cairn::store
