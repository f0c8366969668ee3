#include "engine/web/operating.h"

#include <algorithm>

#include "engine/web/error_response.h"

namespace cairn::web {
namespace {

struct Services {
  Site* site;
  archive::Archive* archive;
  io::WorkerPool* pool;
  std::shared_ptr<const OperatingOptions> options;
};

Task<Response> health(Services services) {
  auto job = [services] {
    auto faults = faults_of(services.archive->stats(), services.options->index_lag_limit);
    for (const auto& source : services.options->health) {
      std::string fault = source();
      if (!fault.empty()) faults.push_back(std::move(fault));
    }
    return faults;
  };
  auto faults = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  if (services.site->draining.load(std::memory_order_relaxed)) faults.emplace_back("draining");
  std::string body = faults.empty() ? R"({"status":"ok","faults":[)" : R"({"status":"failing","faults":[)";
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (i > 0) body += ',';
    append_json_string(body, faults[i]);
  }
  body += "]}\n";
  Response response = Response::text(faults.empty() ? 200 : 503, "application/json", std::move(body));
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

Task<Response> metrics(Services services) {
  auto job = [services] {
    MetricsWriter writer;
    write_archive_metrics(writer, services.archive->stats());
    write_pool_metrics(writer, *services.pool);
    write_http_metrics(writer, services.site->stats.snapshot());
    for (const auto& source : services.options->metrics) source(writer);
    return writer.text();
  };
  auto text = co_await services.pool->run(io::WorkClass::interactive, std::move(job));
  Response response = Response::text(200, "text/plain; version=0.0.4; charset=utf-8", std::move(text));
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

Task<Response> conformance(Services services) {
  co_return Response::text(200, "text/markdown; charset=utf-8",
                           services.options->conformance(services.site->router.routes()));
}

}  // namespace

std::vector<std::string> faults_of(const archive::Stats& stats, std::uint64_t index_lag_limit) {
  std::vector<std::string> faults;
  for (const auto& volume : stats.volumes) {
    if (volume.failed) faults.push_back("storage volume " + std::to_string(volume.id) + " has failed");
  }
  const auto refuses = [](const auto& volume) { return volume.full || volume.failed; };
  if (!stats.volumes.empty() && std::all_of(stats.volumes.begin(), stats.volumes.end(), refuses)) {
    faults.emplace_back("stores are refused: no storage volume has space left");
  }
  if (stats.committed > stats.applied && stats.committed - stats.applied > index_lag_limit) {
    faults.push_back("the index lags by " + std::to_string(stats.committed - stats.applied) + " commits");
  }
  return faults;
}

void add_operating_routes(Site& site, archive::Archive& archive, io::WorkerPool& pool, OperatingOptions options) {
  const Services services{&site, &archive, &pool, std::make_shared<const OperatingOptions>(std::move(options))};
  const RouteLimits light{0, true};
  site.router.add("GET", "/healthz", [services](Request&) { return health(services); }, light);
  if (services.options->conformance) {
    site.router.add("GET", "/api/v1/conformance", [services](Request&) { return conformance(services); }, light);
  }
  site.router.add("GET", "/metrics", [services](Request&) { return metrics(services); }, light);
}

}  // namespace cairn::web
