#include "engine/web/search.h"

#include <chrono>

#include "engine/dicom/json.h"
#include "engine/dicom/tags.h"
#include "engine/web/error_response.h"
#include "engine/web/search_query.h"
#include "engine/web/uri.h"

namespace cairn::web {
namespace {

using archive::Level;
namespace tags = dicom::tags;

struct Found {
  std::string json = "[";
  std::size_t matches = 0;
  bool more = false;
  bool late = false;  ///< ended by kPatience
  std::string place;  ///< of the last match
};

void append_match(Found& found, archive::Match&& match, Level level, const std::string& base) {
  Resource resource{match.text(tags::StudyInstanceUID), {}, {}};
  if (level != Level::study) resource.series = match.text(tags::SeriesInstanceUID);
  if (level == Level::instance) resource.instance = match.text(tags::SOPInstanceUID);
  match.set_text(tags::RetrieveURL, dicom::VR::UR, base + resource.path());
  if (!match.contains(tags::InstanceAvailability)) match.set_text(tags::InstanceAvailability, dicom::VR::CS, "ONLINE");
  if (found.matches++ > 0) found.json += ",\n";
  dicom::append_json(found.json, match, {});
}

// Longer searches give what they have found, and where to go on.
constexpr std::chrono::seconds kPatience{10};

Result<Found> find_all(archive::Archive& archive, const Search& search, const std::string& base, archive::Reach reach) {
  Found found;
  if (!search.none) {
    archive::Query query = search.query;
    std::string place;
    query.place = &place;
    query.reach = reach;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    query.keep_going = [&] { return !(found.late = std::chrono::steady_clock::now() >= deadline); };
    CAIRN_TRYV(archive.find(query, [&](archive::Match&& match) {
      if (found.matches == search.limit) {
        found.more = true;
        return false;
      }
      found.place = place;
      append_match(found, std::move(match), search.query.level, base);
      return true;
    }));
    if (found.late) found.place = place;
  }
  found.json += "]\n";
  return found;
}

// The same search, going on behind `place`.
std::string next_link(const Request& request, const std::string& place) {
  std::string link = "<?";
  for (const auto& [name, value] : request.parameters) {
    if (name == "cursor" || name == "offset") continue;
    link += percent_encode(name) + '=' + percent_encode(value) + '&';
  }
  return link + "cursor=" + cursor_text(place) + ">; rel=\"next\"";
}

Task<Response> search(archive::Archive* archive, io::WorkerPool* pool, Level level, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  if (!choose(accepted_by(*request), {kDicomJson, "application/json"})) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"), "on offer: application/dicom+json");
  }
  CAIRN_CO_TRY(auto parsed, parse_search(level, path, request->parameters));
  const std::string base = base_url(*request);
  auto result = find_all(*archive, parsed, base, archive::Reach::memory);
  if (!result && store::is_out_of_reach(result.error())) {
    auto job = [archive, parsed, base] { return find_all(*archive, parsed, base, archive::Reach::disk); };
    result = co_await pool->run(io::WorkClass::interactive, std::move(job));
  }
  CAIRN_CO_TRY(auto found, std::move(result));
  Response response = Response::text(200, kDicomJson, std::move(found.json));
  response.headers.add("Cache-Control", "no-store");
  if (found.more && parsed.limit_is_ours) {
    parsed.warnings.emplace_back("There are additional results that can be requested");
  }
  if (found.late) parsed.warnings.emplace_back("The search was ended after its time: there may be additional results");
  if ((found.more || found.late) && !found.place.empty()) {
    response.headers.add("Link", next_link(*request, found.place));
  }
  for (const std::string& warning : parsed.warnings) {
    response.headers.add("Warning", "299 cairn \"" + warning + '"');
  }
  co_return response;
}

}  // namespace

void add_search_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool) {
  const auto add = [&](const char* path, Level level) {
    router.add("GET", path, [archive = &archive, pool = &pool, level](Request& request) {
      return search(archive, pool, level, &request);
    });
  };
  add("/dicom-web/studies", Level::study);
  add("/dicom-web/series", Level::series);
  add("/dicom-web/instances", Level::instance);
  add("/dicom-web/studies/{study}/series", Level::series);
  add("/dicom-web/studies/{study}/instances", Level::instance);
  add("/dicom-web/studies/{study}/series/{series}/instances", Level::instance);
}

}  // namespace cairn::web
