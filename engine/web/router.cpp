#include "engine/web/router.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "engine/core/check.h"

namespace cairn::web {
namespace {

bool is_capture(std::string_view part) noexcept {
  return part.size() > 2 && part.front() == '{';
}
bool is_rest(std::string_view part) noexcept {
  return part.size() > 5 && part.substr(part.size() - 4) == "...}";
}

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  CAIRN_CHECK(!path.empty() && path.front() == '/');
  path.remove_prefix(1);
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return parts;
}

bool fits(const std::vector<std::string>& parts, const std::vector<std::string>& segments) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i >= segments.size()) return false;
    if (is_rest(parts[i])) return true;
    if (is_capture(parts[i]) ? segments[i].empty() : parts[i] != segments[i]) return false;
  }
  return parts.size() == segments.size();
}

/// Fixed parts first, then captures, then the rest: compared from the left.
std::vector<int> rank(const std::vector<std::string>& parts) {
  std::vector<int> out;
  for (const std::string& part : parts) out.push_back(is_rest(part) ? 2 : is_capture(part) ? 1 : 0);
  return out;
}

}  // namespace

void Router::add(std::string method, std::string path, Handler handler, RouteLimits limits) {
  for (const Route& route : routes_) CAIRN_CHECK(route.method != method || route.path != path);
  auto parts = parts_of(path);
  routes_.push_back({std::move(method), std::move(path), std::move(handler), limits, std::move(parts)});
  std::sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) {
    return std::make_tuple(rank(a.parts), std::cref(a.path), std::cref(a.method)) <
           std::make_tuple(rank(b.parts), std::cref(b.path), std::cref(b.method));
  });
}

Router::Found Router::find(std::string_view method, const std::vector<std::string>& segments) const {
  Found found;
  const std::string_view wanted = method == "HEAD" ? std::string_view("GET") : method;
  for (const Route& route : routes_) {
    if (!fits(route.parts, segments)) continue;
    found.allowed.push_back(route.method);
    if (route.method == "GET") found.allowed.push_back("HEAD");
    if (route.method != wanted || found.route != nullptr) continue;
    found.route = &route;
    for (std::size_t i = 0; i < route.parts.size(); ++i) {
      const std::string_view part = route.parts[i];
      if (is_rest(part)) {
        std::string rest = segments[i];
        for (std::size_t j = i + 1; j < segments.size(); ++j) rest += '/' + segments[j];
        found.captures.emplace_back(part.substr(1, part.size() - 5), std::move(rest));
      } else if (is_capture(part)) {
        found.captures.emplace_back(part.substr(1, part.size() - 2), segments[i]);
      }
    }
  }
  return found;
}

}  // namespace cairn::web
