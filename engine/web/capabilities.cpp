#include "engine/web/capabilities.h"

#include <map>

#include "engine/web/error_response.h"
#include "engine/web/resource.h"

namespace cairn::web {
namespace {

constexpr std::string_view kBase = "/dicom-web";
constexpr std::string_view kWadl = "application/vnd.sun.wadl+xml";

std::map<std::string, std::vector<std::string>> methods_by_path(const Router& router) {
  std::map<std::string, std::vector<std::string>> out;
  for (const Route& route : router.routes()) {
    if (route.path.starts_with(kBase) && route.path.size() > kBase.size()) {
      out[route.path.substr(kBase.size() + 1)].push_back(route.method);
    }
  }
  return out;
}

std::string wadl(const Router& router, const std::string& base) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<application xmlns=\"http://wadl.dev.java.net/2009/02\">\n"
      "<resources base=\"" +
      base + std::string(kBase) + "\">\n";
  for (const auto& [path, methods] : methods_by_path(router)) {
    out += "<resource path=\"" + path + "\">";
    for (const auto& method : methods) out += "<method name=\"" + method + "\"/>";
    out += "</resource>\n";
  }
  return out + "</resources>\n</application>\n";
}

std::string as_json(const Router& router, const std::string& base) {
  std::string out = "{\"base\":";
  append_json_string(out, base + std::string(kBase));
  out += ",\"resources\":[";
  for (bool first = true; const auto& [path, methods] : methods_by_path(router)) {
    out += first ? "\n{\"path\":" : ",\n{\"path\":";
    first = false;
    append_json_string(out, path);
    out += ",\"methods\":[";
    for (std::size_t i = 0; i < methods.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, methods[i]);
    }
    out += "]}";
  }
  return out + "]}\n";
}

Task<Response> capabilities(Site* site, Request* request) {
  const auto form = choose(accepted_by(*request), {kWadl, "application/json", "application/xml"});
  if (!form) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"),
                             "on offer: application/vnd.sun.wadl+xml, application/json");
  }
  const std::string base = base_url(*request);
  co_return *form == 1 ? Response::text(200, "application/json", as_json(site->router, base))
                       : Response::text(200, kWadl, wadl(site->router, base));
}

}  // namespace

void add_capabilities_routes(Site& site) {
  for (const char* method : {"GET", "OPTIONS"}) {
    site.router.add(method, std::string(kBase),
                    [site = &site](Request& request) { return capabilities(site, &request); }, {0, true});
  }
}

}  // namespace cairn::web
