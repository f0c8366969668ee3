// Checks every byte of every segment below its durable watermark, and that every commit's parts are there. For
// `cairn verify`. Works beside stores.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "engine/core/result.h"
#include "engine/store/log.h"
#include "engine/store/volume.h"

namespace cairn::store {

/// As Log::scrub(). Errors: io.
Result<std::uint64_t> scrub_volumes(const std::map<std::uint32_t, Volume*>& volumes,
                                    const std::function<void(const Fault&)>& fault,
                                    const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace cairn::store
