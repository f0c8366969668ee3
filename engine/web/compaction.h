// Compaction over HTTP:
//   POST /api/v1/compaction[?survey=true]   begins one in the background (202), or counts only what one would find
//   GET  /api/v1/compaction                 how the one under way is doing, and what the last one did
//
// Who may: as for removals, which it makes final.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "engine/archive/archive.h"
#include "engine/web/removal.h"
#include "engine/web/router.h"

namespace cairn::web {

boost::json::object described(const archive::Compaction& compaction);
std::string compaction_json(const archive::Compaction& compaction);

/// `archive` outlives the router.
void add_compaction_routes(Router& router, archive::Archive& archive, RemovalOptions options);

}  // namespace cairn::web
