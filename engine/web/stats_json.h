// The archive's numbers as JSON: the body of GET /api/v1/stats and of `cairn stats --json`.
#pragma once

#include <string>

#include "engine/archive/archive.h"

namespace cairn::web {

std::string stats_json(const archive::Stats& stats);

}  // namespace cairn::web
