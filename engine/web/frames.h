// WADO-RS frames (PS3.18 §10.4.1.1.6): as stored, straight from the verified parts of the log, or decoded and
// perhaps coded anew one by one.
#pragma once

#include <memory>

#include "engine/archive/archive.h"
#include "engine/web/router.h"
#include "engine/web/stored_pixels.h"
#include "engine/web/stored_stream.h"

namespace cairn::web {

inline constexpr std::size_t kMaxFramesOfARequest = 100'000;

/// `archive` and `pool` outlive the router.
void add_frame_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                      std::shared_ptr<StreamBudget> budget, std::shared_ptr<PixelsCache> pixels);

/// "1,3,7": frame numbers from 1, in the order asked for, each once. Errors: malformed, limit_exceeded.
Result<std::vector<std::uint64_t>> parse_frame_list(std::string_view text);

}  // namespace cairn::web
