// For those who run the server: /healthz and /metrics. Open to every client; both hold numbers and states only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/web/metrics.h"
#include "engine/web/site.h"

namespace cairn::web {

/// What keeps the server from being well, in a few words; empty when nothing does. Called on a worker thread.
using HealthSource = std::function<std::string()>;

struct OperatingOptions {
  std::uint64_t index_lag_limit = 100'000;  ///< durable commits not applied, past which the server is not well
  std::vector<MetricsSource> metrics;
  std::vector<HealthSource> health;
  /// The conformance statement as Markdown, told of all routes; null: none is served.
  std::function<std::string(const std::vector<Route>&)> conformance;
};

/// Why the archive is not well. Pure.
std::vector<std::string> faults_of(const archive::Stats& stats, std::uint64_t index_lag_limit);

/// `site` is what the routes are added to; it outlives the handlers, as do `archive` and `pool`.
void add_operating_routes(Site& site, archive::Archive& archive, io::WorkerPool& pool, OperatingOptions options);

}  // namespace cairn::web
