// WADO-URI (PS3.18 §9): one instance or a picture of it, named by query parameters, at /wado.
#pragma once

#include "engine/web/rendered.h"

namespace cairn::web {

/// Archive and pool outlive the router.
void add_wado_uri_routes(Router& router, RenderServices services);

}  // namespace cairn::web
