#include "engine/web/study_state.h"

#include <algorithm>

#include <boost/json.hpp>

#include "engine/web/error_response.h"
#include "engine/web/resource.h"
#include "engine/web/timestamp.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using std::chrono::nanoseconds;

json::object reason_of(nanoseconds quiet, std::chrono::seconds complete_after) {
  const auto whole = [](nanoseconds time) {
    return std::to_string(std::chrono::floor<std::chrono::seconds>(time).count());
  };
  const std::string after = std::to_string(complete_after.count());
  if (quiet < nanoseconds::zero()) {
    return {{"reason", "clock"},
            {"detail", "the last instance is dated " + whole(-quiet) + " s ahead of this machine's clock"}};
  }
  if (quiet < complete_after) {
    return {{"reason", "recent"}, {"detail", "an instance came " + whole(quiet) + " s ago, less than " + after + " s"}};
  }
  return {{"reason", "quiet"}, {"detail", "no instance came for " + whole(quiet) + " s, at least " + after + " s"}};
}

std::int64_t now_unix_ns() {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Task<Response> study_state(archive::Archive* archive, io::WorkerPool* pool, std::chrono::seconds complete_after,
                           Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  auto job = [archive, study = path.study]() -> Result<StudyState> {
    CAIRN_TRY(const auto instances, archive->instances(study, {}));
    return state_of(instances);
  };
  auto computed = co_await pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(const auto state, std::move(computed));
  Response response =
      Response::text(200, "application/json", study_state_json(path.study, state, now_unix_ns(), complete_after));
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

}  // namespace

StudyState state_of(const std::vector<archive::Instance>& instances) {
  StudyState out;
  out.first_received_ns = out.last_received_ns = instances.front().received_unix_ns;
  const std::string* series = nullptr;
  for (const archive::Instance& instance : instances) {
    if (series == nullptr || *series != instance.series_instance_uid) ++out.series;
    series = &instance.series_instance_uid;
    ++out.instances;
    out.bytes += instance.stream_length;
    out.first_received_ns = std::min(out.first_received_ns, instance.received_unix_ns);
    out.last_received_ns = std::max(out.last_received_ns, instance.received_unix_ns);
  }
  return out;
}

std::string study_state_json(std::string_view study_uid, const StudyState& state, std::int64_t now_ns,
                             std::chrono::seconds complete_after) {
  const nanoseconds quiet = state.quiet(now_ns);
  const json::object out{
      {"study_instance_uid", study_uid},
      {"state", quiet >= complete_after ? "complete" : "receiving"},
      {"reasons", json::array{reason_of(quiet, complete_after)}},
      {"series", state.series},
      {"instances", state.instances},
      {"bytes", state.bytes},
      {"first_received", timestamp(state.first_received_ns)},
      {"last_received", timestamp(state.last_received_ns)},
      {"complete_after_s", complete_after.count()},
      {"complete_at", timestamp(state.last_received_ns + nanoseconds(complete_after).count())},
  };
  return json::serialize(out) + '\n';
}

void add_study_state_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                            std::chrono::seconds complete_after) {
  router.add("GET", "/api/v1/studies/{study}/state",
             [archive = &archive, pool = &pool, complete_after](Request& request) {
               return study_state(archive, pool, complete_after, &request);
             });
}

}  // namespace cairn::web
