// A decoder that does what a stream tells it: what a hostile stream could make of a real one.
#pragma once

#include <string_view>

#include "codec/foreign.h"

namespace cairn::sandbox::test {

/// Coded bytes that begin with this are followed by the name of a deed; others go to the real decoder.
inline constexpr std::string_view kDo = "do:";

/// In a worker. A deed that the system refuses ends with Errc::refused.
Result<codec::StreamTraits> misbehave(const codec::ForeignJob& job, codec::SampleRoom& room);

}  // namespace cairn::sandbox::test
