// Pictures of volumes: `renderedmpr` and `rendered3d` (PS3.18 §10.4.1.1.7 and .8) at study, series and instance level,
// and the report on a series' volumes at /api/v1/studies/{study}/series/{series}/volume.
//
// At study level the series is the one that volumeinputreference names an instance of, else the one with the most
// instances.
#pragma once

#include "engine/archive/archive.h"
#include "engine/volumes/service.h"
#include "engine/web/router.h"

namespace cairn::web {

/// All three outlive the router.
void add_volume_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, volumes::Service& service);

}  // namespace cairn::web
