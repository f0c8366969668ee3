// Points in time as our own API writes them.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::web {

/// Of nanoseconds since 1970, UTC (RFC 3339), in milliseconds: "2026-11-25T12:00:00.250Z".
std::string timestamp(std::int64_t unix_ns);

}  // namespace cairn::web
