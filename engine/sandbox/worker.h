// A decoder process: reads requests from its socket, coded bytes from its memory, puts samples there, answers. After
// the first lines it can reach nothing else. Private to sandbox.
#pragma once

#include "engine/sandbox/protocol.h"
#include "engine/sandbox/zygote.h"

namespace cairn::sandbox {

/// Until the other end of `channel` closes. `how`: the request that it was spawned by.
[[noreturn]] void run_worker(int channel, MutableBytes memory, const ZygoteRequest& how, DecodeFunction decode);

}  // namespace cairn::sandbox
