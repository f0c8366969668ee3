// Routes: which function answers which method and path. Templates are paths whose parts in braces capture a segment,
// "/studies/{study}", or, as the last part with dots, all that follow: "/bulkdata/{path...}" (joined by "/").
//
// Filled before the server starts, then only read, from every reactor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/web/message.h"

namespace cairn::web {

/// Answers one request, which outlives the call. An error becomes error_response().
using Handler = std::function<Task<Response>(Request&)>;

struct RouteLimits {
  std::uint64_t body_bytes = 0;  ///< longest body taken; 0: the route takes none
  bool light = false;            ///< answered even when the worker pool's queue is full
};

struct Route {
  std::string method;
  std::string path;  ///< the template; also the route's name in metrics and logs
  Handler handler;
  RouteLimits limits;
  std::vector<std::string> parts;
};

class Router {
 public:
  /// Precondition: no route with that method and path is there yet.
  void add(std::string method, std::string path, Handler handler, RouteLimits limits = {});

  struct Found {
    const Route* route = nullptr;           ///< null: no route, see `allowed`
    std::vector<std::string_view> allowed;  ///< methods of the path, when the path is known; empty: unknown path
    std::vector<std::pair<std::string_view, std::string>> captures;  ///< names live in the router
  };
  /// HEAD finds the GET route. Fixed parts win over captures, whatever the order of adding.
  Found find(std::string_view method, const std::vector<std::string>& segments) const;

  const std::vector<Route>& routes() const noexcept { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace cairn::web
