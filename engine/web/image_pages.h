// A page for every series, instance and frame, at the addresses of page_path(): links that a person can send to
// another. Opened from a DICOMweb address in a browser one is led here.
#pragma once

#include "engine/archive/archive.h"
#include "engine/web/router.h"

namespace cairn::web {

/// `archive` and `pool` outlive the router.
void add_image_page_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool);

}  // namespace cairn::web
