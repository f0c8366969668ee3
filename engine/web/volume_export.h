// Volumes as files: /api/v1/studies/{study}/series/{series}/volume.nrrd, .nii and .nii.gz (engine/volumes/volume_file.h
// says what is in them), written while they are sent.
#pragma once

#include "engine/volumes/service.h"
#include "engine/web/router.h"

namespace cairn::web {

/// Both outlive the router.
void add_volume_export_routes(Router& router, io::WorkerPool& pool, volumes::Service& service);

}  // namespace cairn::web
