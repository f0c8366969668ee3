// Retrieve Capabilities (PS3.18 §8.9): what is served under /dicom-web, made from the routes themselves, as WADL or
// JSON.
#pragma once

#include "engine/web/site.h"

namespace cairn::web {

/// Add it last. `site` owns the router and outlives it.
void add_capabilities_routes(Site& site);

}  // namespace cairn::web
