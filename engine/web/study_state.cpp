#include "engine/web/study_state.h"

#include <algorithm>
#include <unordered_set>

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

json::object reason_of(const Announced& one) {
  json::object out{{"requester_ae", one.requester_ae}, {"transaction_uid", one.transaction_uid}, {"here", one.here}};
  const std::string named = "storage commitment was asked for " + std::to_string(one.here + one.missing.size());
  if (one.missing.empty()) {
    out["reason"] = "committed";
    out["detail"] = named + " instances: all are here";
    return out;
  }
  out["reason"] = "awaited";
  out["detail"] = named + " instances: " + std::to_string(one.missing.size()) + " are not here";
  const std::size_t listed = std::min(one.missing.size(), kMostMissingListed);
  out["missing"] = json::array(one.missing.begin(), one.missing.begin() + static_cast<std::ptrdiff_t>(listed));
  out["missing_instances"] = one.missing.size();
  return out;
}

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::chrono::seconds complete_after;
  AnnouncementSource announcements;
};

/// What is named beside instances of the study and is in no other is missing: nothing else says where it belongs.
Result<std::vector<Announced>> announced_for(const std::vector<archive::Instance>& instances,
                                             const Services& services) {
  std::vector<Announced> out;
  if (!services.announcements) return out;
  std::unordered_set<std::string_view> here;
  for (const archive::Instance& instance : instances) here.insert(instance.sop_instance_uid);
  const auto all = services.announcements([&](std::string_view uid) { return here.contains(uid); });
  for (const Announcement& announcement : all) {
    Announced one{announcement.requester_ae, announcement.transaction_uid, 0, {}};
    for (const std::string& uid : announcement.sop_instance_uids) {
      if (here.contains(uid)) {
        ++one.here;
        continue;
      }
      const auto elsewhere = services.archive->instance(uid);
      if (elsewhere) continue;
      if (!(elsewhere.error() == Errc::not_found)) return elsewhere.error();
      one.missing.push_back(uid);
    }
    out.push_back(std::move(one));
  }
  return out;
}

Task<Response> study_state(Services services, Request* request) {
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  auto job = [services, study = path.study]() -> Result<std::string> {
    CAIRN_TRY(const auto instances, services.archive->instances(study, {}));
    CAIRN_TRY(const auto announced, announced_for(instances, services));
    return study_state_json(study, state_of(instances), now_unix_ns(), services.complete_after, announced);
  };
  auto computed = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(auto body, std::move(computed));
  Response response = Response::text(200, "application/json", std::move(body));
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
                             std::chrono::seconds complete_after, const std::vector<Announced>& announced) {
  const nanoseconds quiet = state.quiet(now_ns);
  json::array reasons{reason_of(quiet, complete_after)};
  bool all_here = true;
  for (const Announced& one : announced) {
    reasons.push_back(reason_of(one));
    all_here = all_here && one.missing.empty();
  }
  const char* const name = quiet < complete_after ? "receiving" : all_here ? "complete" : "incomplete";
  const json::object out{
      {"study_instance_uid", study_uid},
      {"state", name},
      {"reasons", std::move(reasons)},
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
                            std::chrono::seconds complete_after, AnnouncementSource announcements) {
  const Services services{&archive, &pool, complete_after, std::move(announcements)};
  router.add("GET", "/api/v1/studies/{study}/state",
             [services](Request& request) { return study_state(services, &request); });
}

}  // namespace cairn::web
