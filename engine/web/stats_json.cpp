#include "engine/web/stats_json.h"

#include <boost/json.hpp>

#include "engine/web/compaction.h"

namespace cairn::web {
namespace {

namespace json = boost::json;

json::object describe(const Histogram::Snapshot& histogram) {
  return {{"count", histogram.count}, {"sum", histogram.sum}};
}

}  // namespace

std::string stats_json(const archive::Stats& stats) {
  json::array volumes;
  for (const auto& volume : stats.volumes) {
    volumes.push_back(json::object{{"id", volume.id},
                                   {"failed", volume.failed},
                                   {"full", volume.full},
                                   {"appended_bytes", volume.appended_bytes},
                                   {"durable_bytes", volume.durable_bytes},
                                   {"device_bytes", volume.device_bytes},
                                   {"segments", volume.segments},
                                   {"sealed", volume.sealed},
                                   {"poisoned", volume.poisoned},
                                   {"prewritten", volume.prewritten},
                                   {"free_bytes", volume.free_bytes},
                                   {"queue_depth", volume.queue_depth},
                                   {"batch_instances", describe(volume.batch_instances)},
                                   {"flush_us", describe(volume.flush_us)}});
  }
  const auto& counts = stats.counts;
  const json::object all{
      {"counts", json::object{{"patients", counts.patients},
                              {"studies", counts.studies},
                              {"series", counts.series},
                              {"instances", counts.instances},
                              {"history", counts.history},
                              {"bytes", counts.bytes}}},
      {"watermarks",
       json::object{{"committed", stats.committed}, {"applied", stats.applied}, {"persisted", stats.persisted}}},
      {"received", json::object{{"instances", stats.received_instances},
                                {"bytes", stats.received_bytes},
                                {"identical", stats.identical},
                                {"replaced", stats.replaced},
                                {"refused", stats.refused},
                                {"failed", stats.failed}}},
      {"in_flight", json::object{{"bytes", stats.in_flight_bytes}, {"budget_bytes", stats.in_flight_budget_bytes}}},
      {"compaction", described(stats.compaction)},
      {"volumes", std::move(volumes)}};
  return json::serialize(all) + '\n';
}

}  // namespace cairn::web
