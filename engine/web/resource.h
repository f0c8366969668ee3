// The resources of the Studies service (PS3.18 §10.1): which study, series or instance a path names, and their URLs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.h"
#include "engine/web/media_type.h"
#include "engine/web/message.h"

namespace cairn::web {

inline constexpr std::string_view kDicomJson = "application/dicom+json";

/// Empty members are not in the path.
struct Resource {
  std::string study, series, instance;

  /// "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4"
  std::string path() const;
};

/// From the captures "study", "series" and "instance". Errors: malformed, naming the UID that cannot be one.
Result<Resource> resource_of(const Request& request);

/// "/studies/1.2/series/1.2.3/instances/1.2.3.4": the page of the same thing, for people.
std::string page_path(const Resource& resource);

/// The way to that page when a browser asks, one that likes text/html best; nullopt otherwise.
std::optional<Response> page_instead(const Request& request, const std::string& page);

/// Acceptable media types: the parameter "accept" when there is one, else the Accept field (PS3.18 §8.3.3.1, §8.7.5).
std::vector<MediaRange> accepted_by(const Request& request);

/// "http://host:port" of the server as the client addressed it, for URLs in results; empty (URLs are then relative)
/// when Host is no plain host.
std::string base_url(const Request& request);

/// A response that is not modified when the request knows `etag` already; nullopt otherwise.
std::optional<Response> not_modified(const Request& request, std::string_view etag);
Response unmodified(std::string_view etag);  ///< that response

}  // namespace cairn::web
