#include "engine/web/resource.h"

#include "engine/core/uid.h"
#include "engine/web/http_fields.h"

namespace cairn::web {

std::string Resource::path() const {
  std::string out = "/dicom-web/studies/" + study;
  if (!series.empty()) out += "/series/" + series;
  if (!instance.empty()) out += "/instances/" + instance;
  return out;
}

std::string page_path(const Resource& resource) {
  return resource.path().substr(std::string_view("/dicom-web").size());
}

std::optional<Response> page_instead(const Request& request, const std::string& page) {
  if (request.parameter("accept") != nullptr) return std::nullopt;
  const auto ranges = parse_accept(request.headers.joined("Accept"));
  if (ranges.empty() || ranges[0].type != "text" || ranges[0].subtype != "html") return std::nullopt;
  Response response;
  response.status = 303;
  response.headers.add("Location", page);
  response.headers.add("Vary", "Accept");
  response.headers.add("Cache-Control", "private, no-cache");
  return response;
}

Result<Resource> resource_of(const Request& request) {
  Resource out{request.captured("study"), request.captured("series"), request.captured("instance")};
  if (!out.study.empty() && !is_usable_uid(out.study)) return fail(Errc::malformed, "StudyInstanceUID");
  if (!out.series.empty() && !is_usable_uid(out.series)) return fail(Errc::malformed, "SeriesInstanceUID");
  if (!out.instance.empty() && !is_usable_uid(out.instance)) return fail(Errc::malformed, "SOPInstanceUID");
  return out;
}

std::vector<MediaRange> accepted_by(const Request& request) {
  const std::string* parameter = request.parameter("accept");
  return parse_accept(parameter != nullptr ? *parameter : request.headers.joined("Accept"));
}

std::string base_url(const Request& request) {
  const std::string_view host = request.headers.get("Host");
  // A proxy on this machine says how it was asked; a client elsewhere could say anything.
  const bool behind_tls =
      request.is_secure || (request.peer_is_loopback && request.headers.get("X-Forwarded-Proto") == "https");
  return is_plain_host(host) ? (behind_tls ? "https://" : "http://") + std::string(host) : std::string();
}

std::optional<Response> not_modified(const Request& request, std::string_view etag) {
  if (!request.headers.contains("If-None-Match")) return std::nullopt;
  if (!matches_etag(request.headers.joined("If-None-Match"), etag)) return std::nullopt;
  return unmodified(etag);
}

Response unmodified(std::string_view etag) {
  Response response;
  response.status = 304;
  response.headers.add("ETag", etag);
  response.headers.add("Cache-Control", "private, no-cache");
  return response;
}

}  // namespace cairn::web
