#include "engine/web/retention.h"

#include <charconv>

#include <boost/json.hpp>

#include "engine/web/error_response.h"
#include "engine/web/timestamp.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using archive::RetentionRule;

constexpr std::size_t kListed = 100, kMostListed = 10'000;

json::object described(const archive::Expired& expired) {
  json::object out{{"study_instance_uid", expired.study_uid}};
  if (!expired.series_uid.empty()) out["series_instance_uid"] = expired.series_uid;
  if (!expired.study_date.empty()) out["study_date"] = expired.study_date;
  out["last_change"] = timestamp(expired.changed_unix_ms * 1'000'000);
  out["instances"] = expired.instances;
  out["bytes"] = expired.bytes;
  return out;
}

json::object described(const archive::Retention::RulePlan& plan) {
  const RetentionRule& rule = plan.rule;
  json::array expired, modalities(rule.modalities.begin(), rule.modalities.end());
  for (const archive::Expired& one : plan.found.expired) expired.push_back(described(one));
  json::object out{{"rule", rule.name},
                   {"level", rule.level == RetentionRule::Level::study ? "study" : "series"},
                   {"age_of", rule.age_of == RetentionRule::AgeOf::change ? "change" : "study_date"},
                   {"age_days", rule.age.count()},
                   {"modalities", std::move(modalities)},
                   {"removes_the_only_copy", rule.removes_the_only_copy}};
  if (rule.below_free_bytes != 0) {
    out["below_free_bytes"] = rule.below_free_bytes;
    out["until_free_bytes"] = rule.until_free_bytes;
  }
  if (!plan.waits_for.empty()) out["waits_for"] = plan.waits_for;
  out["expired"] = std::move(expired);
  out["more"] = plan.found.more;
  return out;
}

Task<Response> show(archive::Retention* retention, io::WorkerPool* pool, Request* request) {
  std::size_t limit = kListed;
  for (const auto& [name, value] : request->parameters) {
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), limit);
    if (name != "limit") co_return fail(Errc::malformed, "unknown parameter");
    if (ec != std::errc() || end != value.data() + value.size() || limit == 0) co_return fail(Errc::malformed, "limit");
  }
  json::object body{{"held", nullptr}, {"rules", json::array()}};
  if (retention != nullptr) {
    auto job = [retention, limit] { return retention->plan(std::min(limit, kMostListed)); };
    auto planned = co_await pool->run(io::WorkClass::background, std::move(job));
    CAIRN_CO_TRY(const auto plan, std::move(planned));
    json::array rules;
    for (const auto& rule : plan.rules) rules.push_back(described(rule));
    if (!plan.held.empty()) body["held"] = plan.held;
    body["rules"] = std::move(rules);
    body["per_hour"] = plan.per_hour;
    body["left_this_hour"] = plan.left_this_hour;
    body["free_bytes"] = plan.free_bytes;
    body["removed_bytes"] = plan.removed_bytes;
  }
  Response response = Response::text(200, "application/json", json::serialize(body) + '\n');
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

}  // namespace

void add_retention_routes(Router& router, archive::Retention* retention, io::WorkerPool& pool, RemovalOptions options) {
  router.add("GET", "/api/v1/retention",
             guarded_removal(std::move(options),
                             [retention, pool = &pool](Request& request) { return show(retention, pool, &request); }));
}

void write_retention_metrics(MetricsWriter& writer, const archive::Retention& retention) {
  for (const auto& [rule, counters] : retention.counters()) {
    const Labels labels{{"rule", rule}};
    const auto count = [&](const char* name, const char* help, std::uint64_t value) {
      writer.counter(name, help, static_cast<double>(value), labels);
    };
    count("cairn_retention_removals_total", "Studies or series that retention rules removed", counters.removed);
    count("cairn_retention_removed_instances_total", "Instances in them", counters.instances);
    count("cairn_retention_removed_bytes_total", "Bytes of them", counters.bytes);
    count("cairn_retention_kept_total", "Removals that a retention rule could not do", counters.refused);
  }
  writer.gauge("cairn_retention_held", "1 while no rule removes anything because the clock is doubtful",
               retention.is_held() ? 1 : 0);
}

}  // namespace cairn::web
