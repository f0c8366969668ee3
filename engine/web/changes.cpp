#include "engine/web/changes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "engine/core/uid.h"
#include "engine/web/error_response.h"
#include "engine/web/timestamp.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using store::Change;
using store::Event;

/// Looked at for one answer: a filter must not make one request read the whole feed.
constexpr std::size_t kMostExamined = 100'000;
constexpr std::chrono::milliseconds kGather{25};

constexpr auto event_kind(Event::Kind kind) {
  return static_cast<Change::Kind>(static_cast<unsigned>(Change::Kind::event) + static_cast<unsigned>(kind));
}

constexpr std::pair<std::string_view, Change::Kind> kKinds[] = {
    {"stored", Change::Kind::stored},
    {"replaced", Change::Kind::replaced},
    {"removed", event_kind(Event::Kind::remove)},
    {"restored", event_kind(Event::Kind::restore)},
    {"corrected", event_kind(Event::Kind{3})},  // as FORMAT.md has it
};

bool is_of_kind(const Change& change, Change::Kind kind) {
  return change.kind == kind || (kind == Change::Kind::replaced && change.kind == Change::Kind::replaced_kept);
}

std::string name_of(const Change& change) {
  for (const auto& [name, kind] : kKinds) {
    if (is_of_kind(change, kind)) return std::string(name);
  }
  return "event-" + std::to_string(change.event_kind());
}

const char* level_name(std::uint8_t level) {
  return level == 1 ? "study" : level == 2 ? "series" : "instance";
}
const char* via_name(std::uint8_t via) {
  return via == 1 ? "dimse" : via == 2 ? "http" : "rule";
}

json::object described(const Change& change) {
  json::object out{{"position", change.sequence},
                   {"time", timestamp(change.time_unix_ms * 1'000'000)},
                   {"kind", name_of(change)},
                   {"study_instance_uid", change.study_instance_uid}};
  if (!change.series_instance_uid.empty()) out["series_instance_uid"] = change.series_instance_uid;
  if (!change.sop_instance_uid.empty()) out["sop_instance_uid"] = change.sop_instance_uid;
  if (change.kind == Change::Kind::replaced) out["older"] = "forgotten";
  if (change.kind == Change::Kind::replaced_kept) out["older"] = "kept";
  if (change.is_event()) {
    out["level"] = level_name(change.level);
    out["via"] = via_name(change.via);
    if (change.subject != 0) out["subject"] = change.subject;
    out["reason"] = change.reason;
  }
  return out;
}

Result<std::uint64_t> number(const std::string& text, const char* name, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value > most) return fail(Errc::malformed, name);
  return value;
}

struct Page {
  json::array changes;
  archive::ChangesRead read;
};

Result<Page> read_page(archive::Following& following, const ChangesQuery& query, store::Sequence since) {
  Page page;
  std::size_t examined = 0;
  CAIRN_TRY(page.read, following.changes(since, [&](const Change& change) {
    const bool wanted = (query.study_uid.empty() || query.study_uid == change.study_instance_uid) &&
                        (!query.kind || is_of_kind(change, *query.kind));
    if (wanted) page.changes.push_back(described(change));
    return page.changes.size() < query.limit && ++examined < kMostExamined;
  }));
  return page;
}

struct Services {
  archive::Following* following;
  io::WorkerPool* pool;
  std::shared_ptr<archive::AppliedSignal> signal;
};

Task<Response> changes(Services services, Request* request) {
  using Clock = std::chrono::steady_clock;
  CAIRN_CO_TRY(const ChangesQuery query, parse_changes_query(*request));
  if (services.following == nullptr) co_return fail(Errc::unsupported, "changes of this archive");
  const auto until = Clock::now() + query.wait;
  store::Sequence since = query.since;
  Page page;
  while (true) {
    auto job = [following = services.following, query, since] { return read_page(*following, query, since); };
    auto found = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
    if (!found && found.error() == Errc::conflict) {
      co_return error_response(409, found.error(),
                               "nothing here reaches it: the position is of another archive, or of this one before it "
                               "was set back; begin again, at 0 or at `last`");
    }
    CAIRN_CO_TRY(page, std::move(found));
    since = page.read.next;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    const bool reached = page.read.next == page.read.applied;
    if (!page.changes.empty() || !reached || left.count() <= 0 || services.signal->is_closed()) break;
    const auto waited = co_await services.signal->wait(since, left);
    if (!waited) co_return error_response(503, waited.error(), "ask again without wait, or later");
    // What comes together is told together: while instances pour in, each of them would wake every follower.
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer gather(executor, kGather);
    auto gathered = co_await gather.async_wait(asio::as_tuple(asio::use_awaitable));
    (void)gathered;
  }
  const json::object body{{"changes", std::move(page.changes)}, {"next", page.read.next}, {"last", page.read.applied}};
  Response response = Response::text(200, "application/json", json::serialize(body) + '\n');
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

}  // namespace

Result<ChangesQuery> parse_changes_query(const Request& request) {
  ChangesQuery out;
  for (const auto& [name, value] : request.parameters) {
    if (name == "since") {
      CAIRN_TRY(out.since, number(value, "since", UINT64_MAX));
    } else if (name == "limit") {
      CAIRN_TRY(const std::uint64_t limit, number(value, "limit", UINT64_MAX));
      out.limit = static_cast<std::size_t>(std::clamp<std::uint64_t>(limit, 1, kMostChanges));
    } else if (name == "wait") {
      CAIRN_TRY(const std::uint64_t wait, number(value, "wait", UINT32_MAX));
      out.wait = std::min(std::chrono::seconds(wait), kLongestWait);
    } else if (name == "study") {
      if (!is_usable_uid(value)) return fail(Errc::malformed, "study");
      out.study_uid = value;
    } else if (name == "kind") {
      const auto known =
          std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.first == value; });
      if (known == std::end(kKinds)) return fail(Errc::malformed, "kind");
      out.kind = known->second;
    } else {
      return fail(Errc::malformed, "unknown parameter");
    }
  }
  return out;
}

void add_changes_routes(Router& router, archive::Following* following, io::WorkerPool& pool,
                        std::shared_ptr<archive::AppliedSignal> signal) {
  const Services services{following, &pool, std::move(signal)};
  router.add("GET", "/api/v1/changes", [services](Request& request) { return changes(services, &request); });
}

}  // namespace cairn::web
