#include "engine/web/admin.h"

#include <boost/json.hpp>

#include "engine/archive/file_feed.h"
#include "engine/web/error_response.h"
#include "engine/web/http_fields.h"
#include "engine/web/media_type.h"
#include "engine/web/openapi.h"
#include "engine/web/stats_json.h"
#include "engine/web/verify.h"

namespace cairn::web {
namespace {

namespace json = boost::json;

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  AdminOptions options;
};

const char* name_of(store::Outcome outcome) {
  switch (outcome) {
    case store::Outcome::stored:
      return "stored";
    case store::Outcome::identical:
      return "identical";
    case store::Outcome::replaced:
      return "replaced";
    case store::Outcome::refused:
      return "refused";
  }
  return "unknown";
}

Response no_store(Response response) {
  response.headers.set("Cache-Control", "no-store");
  return response;
}

/// Bytes of the body into the receiver, a buffer at a time, so that the memory budget holds.
Task<archive::Receiver::Stored> receive(archive::Receiver* receiver, BodyStream* body) {
  archive::FileFeed feed(*receiver);
  std::vector<std::byte> buffer(256u << 10);
  while (true) {
    receiver->relieve();
    CAIRN_CO_TRY(const std::size_t length, co_await body->read(buffer));
    if (length == 0) break;
    CAIRN_CO_TRYV(co_await feed.write(Bytes(buffer).first(length)));
  }
  CAIRN_CO_TRYV(co_await feed.finish());
  co_return co_await receiver->commit();
}

Task<Response> store_instance(Services services, Request* request) {
  const auto type = parse_media_type(request->headers.get("Content-Type"));
  if (!type || !(type->matches("application/dicom") || type->matches("application/octet-stream"))) {
    co_return error_response(415, fail(Errc::unsupported, "Content-Type"), "expected: application/dicom");
  }
  archive::Source source;
  source.peer_address = request->peer_address;
  source.via = store::Via::import;
  source.duplicate_policy = services.options.duplicate_policy;
  CAIRN_CO_TRY(auto receiver, services.archive->receive(std::move(source), {}));
  auto received = co_await receive(receiver.get(), request->body);
  if (!received && archive::FileFeed::is_not_an_instance(received.error())) {
    co_return error_response(415, received.error());
  }
  CAIRN_CO_TRY(const auto stored, std::move(received));
  const unsigned status = stored.outcome == store::Outcome::refused ? 409 : 200;
  const json::object answer{{"outcome", name_of(stored.outcome)},
                            {"sop_class_uid", stored.sop_class_uid},
                            {"sop_instance_uid", stored.sop_instance_uid},
                            {"study_instance_uid", stored.study_instance_uid},
                            {"series_instance_uid", stored.series_instance_uid},
                            {"bytes", stored.bytes}};
  co_return no_store(Response::text(status, "application/json", json::serialize(answer) + '\n'));
}

Task<Response> stats(Services services) {
  auto job = [archive = services.archive] { return stats_json(archive->stats()); };
  auto text = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  co_return no_store(Response::text(200, "application/json", std::move(text)));
}

Task<Response> openapi() {
  co_return Response::text(200, "application/json", std::string(kOpenApi));
}

/// The handler behind the check of who asks.
Handler guarded(const Services& services, std::function<Task<Response>(Request&)> handler) {
  return [off_loopback = services.options.off_loopback, handler = std::move(handler)](Request& request) {
    const auto refusal = refusal_of(request, off_loopback);
    if (!refusal) return handler(request);
    const auto refuse = [](Error error) -> Task<Response> { co_return error_response(error); };
    return refuse(*refusal);
  };
}

bool is_simple_content_type(std::string_view value) {
  const auto type = parse_media_type(value);
  return type && (type->matches("application/x-www-form-urlencoded") || type->matches("multipart/form-data") ||
                  type->matches("text/plain"));
}

}  // namespace

bool is_from_this_machine(const Request& request) noexcept {
  return request.peer_is_loopback && !request.headers.contains("Forwarded") &&
         !request.headers.contains("X-Forwarded-For");
}

std::optional<Error> refusal_of(const Request& request, bool off_loopback) {
  if (!is_from_this_machine(request) && !off_loopback) return fail(Errc::refused, "caller is not on this machine");
  return page_refusal_of(request, off_loopback);
}

std::optional<Error> page_refusal_of(const Request& request, bool any_host) {
  const std::string_view host = request.headers.get("Host");
  const std::string_view site = request.headers.get("Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none") return fail(Errc::refused, "cross-site request");
  if (request.headers.contains("Origin")) {
    // A foreign name that was made to point here would be its own origin.
    const bool rebound = !any_host && !is_local_or_literal(host_name(host));
    if (rebound || !is_same_origin(request.headers.get("Origin"), host))
      return fail(Errc::refused, "cross-site request");
  }
  if (request.method == "POST" && is_simple_content_type(request.headers.get("Content-Type"))) {
    return fail(Errc::refused, "Content-Type that a form of another site could send");
  }
  return std::nullopt;
}

void add_admin_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, AdminOptions options) {
  const Services services{&archive, &pool, options};
  RouteLimits instance_limits;
  instance_limits.body_bytes = options.longest_instance_bytes;
  router.add("POST", "/api/v1/instances",
             guarded(services, [services](Request& request) { return store_instance(services, &request); }),
             instance_limits);
  auto verification = std::make_shared<Verification>(archive, pool);
  router.add("POST", "/api/v1/verify",
             guarded(services, [verification](Request&) { return verification->start(verification); }));
  router.add("GET", "/api/v1/stats", guarded(services, [services](Request&) { return stats(services); }), {0, true});
  router.add("GET", "/api/v1/openapi.json", [](Request&) { return openapi(); }, {0, true});
}

}  // namespace cairn::web
