// Cross-origin requests of browsers (Fetch Standard §3.2, "CORS"): which pages of other sites may read answers. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/web/message.h"

namespace cairn::web {

struct CrossOriginOptions {
  std::vector<std::string> origins;  ///< "https://viewer.example"; "*": any. Empty: none
};

bool allows_origin(const CrossOriginOptions& options, std::string_view origin) noexcept;

/// Adds what a browser needs to hand the answer to a page of an allowed origin; with `methods` ("GET, HEAD") also the
/// answer to a preflight.
void add_cross_origin(const CrossOriginOptions& options, const Request& request, Response& response,
                      std::string_view methods = {});

}  // namespace cairn::web
