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
  return is_plain_host(host) ? "http://" + std::string(host) : std::string();
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
