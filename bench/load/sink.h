// A null storage SCP: accepts every association, reads and discards, answers success. It shows what the generator can
// do when nothing is stored; no server can be faster than this in a comparison.
#pragma once

#include <cstdint>

#include "engine/core/result.h"

namespace cairn::load {

/// Serves 127.0.0.1:`port` until the process ends; a thread per association. Prints "ready" once it listens.
Result<> run_sink(std::uint16_t port, std::uint32_t max_pdu_bytes);

}  // namespace cairn::load
