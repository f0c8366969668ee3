#include "engine/web/compaction.h"

#include <boost/json.hpp>

#include "engine/web/error_response.h"

namespace cairn::web {
namespace {

namespace json = boost::json;

struct Services {
  archive::Archive* archive;
  RemovalOptions options;
};

Response answer(unsigned status, const archive::Compaction& compaction) {
  Response response = Response::text(status, "application/json", compaction_json(compaction));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

Task<Response> start(Services services, Request* request) {
  bool survey_only = false;
  for (const auto& [name, value] : request->parameters) {
    if (name != "survey" || (value != "true" && value != "false")) co_return fail(Errc::malformed, "parameter");
    survey_only = value == "true";
  }
  CAIRN_CO_TRYV(services.archive->begin_compaction(survey_only));
  co_return answer(202, services.archive->stats().compaction);
}

Task<Response> state(Services services) {
  co_return answer(200, services.archive->stats().compaction);
}

Task<Response> refuse(Error error) {
  co_return error_response(403, error, "for this machine and the peers that http.manage_from names");
}

}  // namespace

json::object described(const archive::Compaction& compaction) {
  const store::CompactionReport& last = compaction.last;
  return {{"running", compaction.running},
          {"runs", compaction.runs},
          {"segments", compaction.segments},
          {"reclaimed_bytes", compaction.reclaimed_bytes},
          {"bytes_moved", compaction.bytes_moved},
          {"faults", compaction.faults},
          {"error", compaction.error},
          {"last", json::object{{"finished", last.finished},
                                {"segments", last.segments},
                                {"bytes", last.bytes},
                                {"garbage_bytes", last.garbage_bytes},
                                {"compacted", last.compacted},
                                {"written", last.written},
                                {"reclaimed_bytes", last.reclaimed_bytes},
                                {"left_for_damage", last.left_for_damage},
                                {"left_for_space", last.left_for_space},
                                {"let_go", last.let_go}}}};
}

std::string compaction_json(const archive::Compaction& compaction) {
  return json::serialize(described(compaction)) + '\n';
}

void add_compaction_routes(Router& router, archive::Archive& archive, RemovalOptions options) {
  const Services services{&archive, std::move(options)};
  router.add("POST", "/api/v1/compaction", [services](Request& request) {
    const auto refusal = removal_refusal_of(request, services.options);
    return refusal ? refuse(*refusal) : start(services, &request);
  });
  router.add("GET", "/api/v1/compaction", [services](Request& request) {
    const auto refusal = removal_refusal_of(request, services.options);
    return refusal ? refuse(*refusal) : state(services);
  });
}

}  // namespace cairn::web
