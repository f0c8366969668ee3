#include "engine/web/cross_origin.h"

#include <algorithm>

namespace cairn::web {

bool allows_origin(const CrossOriginOptions& options, std::string_view origin) noexcept {
  return !origin.empty() &&
         std::any_of(options.origins.begin(), options.origins.end(), [&](const std::string& allowed) {
           return allowed == "*" || equal_ignoring_case(allowed, origin);
         });
}

void add_cross_origin(const CrossOriginOptions& options, const Request& request, Response& response,
                      std::string_view methods) {
  if (options.origins.empty()) return;
  response.headers.add("Vary", "Origin");
  const std::string_view origin = request.headers.get("Origin");
  if (!allows_origin(options, origin)) return;
  response.headers.add("Access-Control-Allow-Origin", origin);
  response.headers.add("Access-Control-Expose-Headers",
                       "ETag, Content-Range, Content-Location, Link, Server-Timing, Warning, X-Total-Count");
  if (methods.empty() || !request.headers.contains("Access-Control-Request-Method")) return;
  response.headers.add("Access-Control-Allow-Methods", methods);
  response.headers.add("Access-Control-Allow-Headers",
                       "Accept, Content-Type, If-None-Match, If-Range, Range, Authorization");
  response.headers.add("Access-Control-Max-Age", "600");
}

}  // namespace cairn::web
