// Request targets, their parameters as search and volume queries, and small header fields.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/web/error_response.h"
#include "engine/web/http_fields.h"
#include "engine/web/search_query.h"
#include "engine/web/uri.h"
#include "engine/web/volume_query.h"

using namespace cairn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto range = web::parse_range(text, 1000);
  if (range.kind == web::RangeRequest::Kind::part) {
    if (range.range.length == 0 || range.range.first >= 1000 || range.range.length > 1000 - range.range.first)
      std::abort();
  }
  (void)web::matches_etag(text, "\"x\"");
  (void)web::is_local_or_literal(web::host_name(text));
  std::string quoted;
  web::append_json_string(quoted, text);
  const auto target = web::parse_target(text);
  if (!target) return 0;
  for (const auto& segment : target.value().segments) {
    const auto again = web::percent_decode(web::percent_encode(segment), false);
    if (!again || again.value() != segment) std::abort();
  }
  const auto search = web::parse_search(archive::Level::instance, {"1.2", "1.3", ""}, target.value().parameters);
  if (search) {
    for (const auto& warning : search.value().warnings) {
      if (warning.find_first_of("\"\r\n\\") != std::string::npos) std::abort();
    }
  }
  for (const bool in_3d : {false, true}) {
    const auto volume = web::parse_volume_query({"1.2", "1.3", ""}, in_3d, target.value().parameters);
    if (volume && volume.value().render.viewpoint && volume.value().render.orientation) std::abort();
  }
  return 0;
}
