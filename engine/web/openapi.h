// The OpenAPI 3 description of /api/v1, served at /api/v1/openapi.json. A test holds it against the router.
#pragma once

#include <string_view>

namespace cairn::web {
extern const std::string_view kOpenApi;
}  // namespace cairn::web
