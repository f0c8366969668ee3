#include "engine/web/removal.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <boost/json.hpp>

#include "engine/core/uid.h"
#include "engine/web/admin.h"
#include "engine/web/error_response.h"
#include "engine/web/resource.h"
#include "engine/web/timestamp.h"

namespace cairn::web {
namespace {

namespace json = boost::json;

constexpr std::size_t kListed = 100, kMostListed = 1000;

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  RemovalOptions options;
};

json::object described(const archive::Removed& removed) {
  json::object out{{"removal", removed.sequence},
                   {"removed_at", timestamp(removed.time_unix_ns)},
                   {"study_instance_uid", removed.target.study_uid}};
  if (!removed.target.series_uid.empty()) out["series_instance_uid"] = removed.target.series_uid;
  if (!removed.target.sop_instance_uid.empty()) out["sop_instance_uid"] = removed.target.sop_instance_uid;
  out["instances"] = removed.instances;
  out["bytes"] = removed.bytes;
  out["peer_address"] = removed.asked.peer_address;
  out["reason"] = removed.asked.reason;
  out["restorable"] = removed.restorable;
  return out;
}

Response answer(const json::value& body) {
  Response response = Response::text(200, "application/json", json::serialize(body) + '\n');
  response.headers.add("Cache-Control", "no-store");
  return response;
}

Result<std::uint64_t> number(std::string_view text, const char* name) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return fail(Errc::malformed, name);
  return value;
}

archive::Asked asked(const Request& request) {
  archive::Asked out;
  out.peer_address = request.peer_address;
  if (const std::string* reason = request.parameter("reason")) out.reason = *reason;
  return out;
}

/// What asks to change the archive must be understood whole: a misspelt parameter is no parameter left out.
Result<> check_parameters(const Request& request, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : request.parameters) {
    if (std::find(known.begin(), known.end(), name) == known.end()) return fail(Errc::malformed, "unknown parameter");
  }
  return outcome::success();
}

Task<Response> remove(Services services, Request* request) {
  CAIRN_CO_TRYV(check_parameters(*request, {"only-copy", "reason"}));
  CAIRN_CO_TRY(auto path, resource_of(*request));
  bool only_copy_too = false;
  if (const std::string* value = request->parameter("only-copy")) {
    if (*value != "true" && *value != "false") co_return fail(Errc::malformed, "only-copy");
    only_copy_too = *value == "true";
  }
  archive::Target target{std::move(path.study), std::move(path.series), std::move(path.instance)};
  auto removed = co_await services.archive->remove(std::move(target), asked(*request), only_copy_too);
  if (!removed && removed.error() == Errc::conflict && !only_copy_too) {
    co_return error_response(409, removed.error(), "no other copy is known: only-copy=true removes it nevertheless");
  }
  CAIRN_CO_TRY(const auto done, std::move(removed));
  json::object body = described(done);
  body["restore"] = "/api/v1/removed/" + std::to_string(done.sequence) + "/restore";
  co_return answer(body);
}

Task<Response> restore(Services services, Request* request) {
  CAIRN_CO_TRYV(check_parameters(*request, {"reason"}));
  CAIRN_CO_TRY(const std::uint64_t removal, number(request->captured("removal"), "removal"));
  CAIRN_CO_TRY(const auto done, co_await services.archive->restore(removal, asked(*request)));
  co_return answer(described(done));
}

Task<Response> list(Services services, Request* request) {
  CAIRN_CO_TRYV(check_parameters(*request, {"study", "limit", "before"}));
  std::uint64_t limit = kListed, before = std::numeric_limits<std::uint64_t>::max();
  if (const std::string* value = request->parameter("limit")) {
    CAIRN_CO_TRY(limit, number(*value, "limit"));
  }
  if (const std::string* value = request->parameter("before")) {
    CAIRN_CO_TRY(before, number(*value, "before"));
  }
  limit = std::clamp<std::uint64_t>(limit, 1, kMostListed);
  archive::Target within;
  if (const std::string* study = request->parameter("study")) {
    if (!is_usable_uid(*study)) co_return fail(Errc::malformed, "study");
    within.study_uid = *study;
  }
  struct Page {
    json::array removed;
    std::uint64_t last = 0;
    bool more = false;
  };
  auto job = [archive = services.archive, within, limit, before]() -> Result<Page> {
    Page page;
    CAIRN_TRYV(archive->removed(within, [&](archive::Removed&& one) {
      if (one.sequence >= before) return true;
      if (page.removed.size() == limit) {
        page.more = true;
        return false;
      }
      page.last = one.sequence;
      page.removed.push_back(described(one));
      return true;
    }));
    return page;
  };
  auto found = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  CAIRN_CO_TRY(auto page, std::move(found));
  Response response = answer(page.removed);
  if (page.more) {
    const std::string study = within.study_uid.empty() ? "" : "study=" + within.study_uid + '&';
    response.headers.add("Link", "<?" + study + "limit=" + std::to_string(limit) +
                                     "&before=" + std::to_string(page.last) + ">; rel=\"next\"");
  }
  co_return response;
}

Handler guarded(const Services& services, Task<Response> (*handler)(Services, Request*)) {
  return guarded_removal(services.options,
                         [services, handler](Request& request) { return handler(services, &request); });
}

}  // namespace

std::optional<Error> removal_refusal_of(const Request& request, const RemovalOptions& options) {
  if (!is_from_this_machine(request)) {
    const auto peer = Network::parse(request.peer_address);
    const bool named = peer && std::any_of(options.from.begin(), options.from.end(),
                                           [&](const Network& network) { return network.contains(peer.value()); });
    if (!named) return fail(Errc::refused, "caller may not change what is stored");
  }
  return page_refusal_of(request, false);
}

Handler guarded_removal(RemovalOptions options, Handler handler) {
  return [options = std::move(options), handler = std::move(handler)](Request& request) -> Task<Response> {
    const auto refusal = removal_refusal_of(request, options);
    if (!refusal) return handler(request);
    const auto refuse = [](Error error) -> Task<Response> {
      co_return error_response(403, error,
                               "for this machine and the peers that http.manage_from names, not for pages "
                               "of other sites");
    };
    return refuse(*refusal);
  };
}

void add_removal_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, RemovalOptions options) {
  const Services services{&archive, &pool, std::move(options)};
  for (const char* path : {"/dicom-web/studies/{study}", "/dicom-web/studies/{study}/series/{series}",
                           "/dicom-web/studies/{study}/series/{series}/instances/{instance}"}) {
    router.add("DELETE", path, guarded(services, remove));
  }
  router.add("GET", "/api/v1/removed", guarded(services, list));
  router.add("POST", "/api/v1/removed/{removal}/restore", guarded(services, restore));
}

}  // namespace cairn::web
