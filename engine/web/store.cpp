#include "engine/web/store.h"

#include <algorithm>
#include <atomic>

#include "engine/archive/file_feed.h"
#include "engine/dicom/json.h"
#include "engine/web/admin.h"
#include "engine/web/body_parts.h"
#include "engine/web/commits.h"
#include "engine/web/error_response.h"
#include "engine/web/native_model.h"
#include "engine/web/resource.h"
#include "engine/web/store_apart.h"

namespace cairn::web {
namespace {

using Event = MultipartReader::Event;
constexpr int kMaxMetadataRequests = 4;

struct Services {
  archive::Archive* archive;
  io::WorkerPool* pool;
  StoreOptions options;
  std::shared_ptr<std::atomic<int>> metadata_requests;
};

/// Takes in the data of one part up to its end. What is wrong with the instance ends up in `commits`; an error is one
/// of the body.
Task<> store_part(const Services* services, const Request* request, const std::string* study, BodyParts* parts,
                  Commits* commits) {
  archive::Source source;
  source.peer_address = request->peer_address;
  source.via = store::Via::stow;
  source.duplicate_policy = services->options.duplicate_policy;
  std::shared_ptr<KeyedReceiver> receiver;
  std::optional<Error> fault;
  auto opened = services->archive->receive(std::move(source), {});
  if (opened) {
    receiver = std::make_shared<KeyedReceiver>(std::move(opened).value());
  } else {
    fault = opened.error();
  }
  std::optional<archive::FileFeed> feed;
  if (receiver) feed.emplace(*receiver);
  while (true) {
    if (receiver) receiver->relieve();
    auto got = co_await parts->next();
    if (!got) {
      commits->add(failed_outcome(receiver ? receiver->key() : dicom::KeyAttributes{}, failure_reason_of(got.error())));
      co_return got.error();
    }
    const Event& event = got.value();
    if (event.kind == Event::Kind::part_end) break;
    if (fault) continue;
    const auto written = co_await feed->write(event.data);
    if (!written) fault = written.error();
  }
  if (!fault) {
    const auto finished = co_await feed->finish();
    if (!finished) fault = finished.error();
  }
  const dicom::KeyAttributes key = receiver ? receiver->key() : dicom::KeyAttributes{};
  if (!fault && !study->empty() && key.study_instance_uid != *study) {
    fault = fail(Errc::mismatch, "Study Instance UID of the URL");
  }
  if (fault) {
    commits->add(failed_outcome(key, failure_reason_of(*fault)));
  } else {
    co_await commits->add(std::move(receiver));
  }
  co_return outcome::success();
}

/// Passes over a part of a type that is not taken.
Task<> skip_part(BodyParts* parts) {
  while (true) {
    CAIRN_CO_TRY(const auto event, co_await parts->next());
    if (event.kind == Event::Kind::part_end) co_return outcome::success();
  }
}

bool is_dicom_part(const Headers& headers) {
  const std::string_view value = headers.get("Content-Type");
  if (value.empty()) return true;  // the type of the whole says it
  const auto type = parse_media_type(value);
  return type && type->matches("application/dicom");
}

/// All parts of the body; an error is one of the body, after which nothing more can be read.
Task<> store_parts(const Services* services, const Request* request, const std::string* study, BodyParts* parts,
                   Commits* commits) {
  while (true) {
    CAIRN_CO_TRY(auto event, co_await parts->next());
    if (event.kind == Event::Kind::end) co_return outcome::success();
    if (is_dicom_part(event.headers)) {
      CAIRN_CO_TRYV(co_await store_part(services, request, study, parts, commits));
    } else {
      commits->add(failed_outcome({}, failure_reason::kCannotUnderstand));
      CAIRN_CO_TRYV(co_await skip_part(parts));
    }
  }
}

Result<Response> answer_of(const std::vector<StoreOutcome>& outcomes, const Request& request, bool as_xml) {
  std::string text;
  dicom::append_json(text, response_of(outcomes, base_url(request)), {});
  if (as_xml) {
    CAIRN_TRY(text, native_model_of(text));
  }
  Response response = Response::text(status_of(outcomes), as_xml ? kDicomXml : kDicomJson, std::move(text));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

/// Holds one of the places for requests whose metadata is in memory; null when all are taken.
std::shared_ptr<void> turn_of(const Services& services) {
  const auto count = services.metadata_requests;
  if (count->fetch_add(1, std::memory_order_relaxed) >= kMaxMetadataRequests) {
    count->fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  return {count.get(), [count](void*) { count->fetch_sub(1, std::memory_order_relaxed); }};
}

ApartContext context_of(const Services& services, const Request& request, const std::string& study) {
  ApartContext context;
  context.archive = services.archive;
  context.pool = services.pool;
  context.source.peer_address = request.peer_address;
  context.source.via = store::Via::stow;
  context.source.duplicate_policy = services.options.duplicate_policy;
  context.study = study;
  context.spool_directory = services.options.spool_directory;
  return context;
}

Task<Response> store_instances(Services services, Request* request) {
  const bool off_loopback = services.options.off_loopback;
  if (!is_from_this_machine(*request) && !off_loopback) co_return fail(Errc::refused, "caller is not on this machine");
  if (!request->origin_is_allowed) {
    if (const auto refusal = refusal_of(*request, off_loopback)) co_return *refusal;
  }
  CAIRN_CO_TRY(const auto path, resource_of(*request));
  const std::string_view content_type = request->headers.get("Content-Type");
  const auto type = parse_media_type(content_type);
  const std::string_view root = type ? type->parameter("type") : std::string_view();
  const bool apart = root == kDicomJson || root == kDicomXml;  // metadata and bulk data
  if (!type || !type->matches("multipart/related") || !(root.empty() || root == "application/dicom" || apart)) {
    co_return error_response(415, fail(Errc::unsupported, "Content-Type"),
                             "expected: multipart/related; type=\"application/dicom\", \"application/dicom+json\" or "
                             "\"application/dicom+xml\"");
  }
  std::shared_ptr<void> turn;
  if (apart) {
    turn = turn_of(services);
    if (!turn) co_return error_response(503, fail(Errc::out_of_memory, "store requests with metadata under way"));
  }
  const std::string boundary = boundary_of(content_type);
  if (boundary.empty()) co_return error_response(400, fail(Errc::missing, "boundary of Content-Type"));
  const auto form = choose(accepted_by(*request), {kDicomJson, "application/json", kDicomXml});
  if (!form) {
    co_return error_response(406, fail(Errc::unsupported, "Accept"),
                             "on offer: application/dicom+json, application/dicom+xml");
  }
  BodyParts parts(*request->body, boundary, kMaxParts);
  Commits commits(services.options.commits_under_way);
  auto reading = apart ? store_apart(context_of(services, *request, path.study), root == kDicomXml, &parts, &commits)
                       : store_parts(&services, request, &path.study, &parts, &commits);
  const auto read = co_await std::move(reading);
  auto outcomes = co_await commits.finish();
  // A body that breaks off takes nothing back that is stored: the response then says both.
  const bool any_stored = std::any_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.failure == 0; });
  if (!read && !any_stored) co_return error_response(read.error());
  if (outcomes.empty()) co_return error_response(400, fail(Errc::missing, "parts"));
  const bool any_failed = std::any_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.failure != 0; });
  if (!read && !any_failed) outcomes.push_back(failed_outcome({}, failure_reason_of(read.error())));
  auto answer = answer_of(outcomes, *request, *form == 2);
  CAIRN_CO_TRY(auto response, std::move(answer));
  if (!read) response.fault = read.error();
  co_return response;
}

}  // namespace

void add_store_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, StoreOptions options) {
  if (options.spool_directory.empty()) options.spool_directory = std::filesystem::temp_directory_path();
  const Services services{&archive, &pool, options, std::make_shared<std::atomic<int>>(0)};
  RouteLimits limits;
  limits.body_bytes = UINT64_MAX;
  for (const char* path : {"/dicom-web/studies", "/dicom-web/studies/{study}"}) {
    router.add("POST", path, [services](Request& request) { return store_instances(services, &request); }, limits);
  }
}

}  // namespace cairn::web
