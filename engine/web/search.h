// QIDO-RS: search for studies, series and instances (PS3.18 §10.6).
//
// Answers 200 with a JSON array, an empty one when nothing matches: PS3.18 allows 204 too, but viewers parse every
// answer.
#pragma once

#include "engine/archive/archive.h"
#include "engine/web/router.h"

namespace cairn::web {

/// `archive` and `pool` outlive the router.
void add_search_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool);

}  // namespace cairn::web
