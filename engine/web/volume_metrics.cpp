#include "engine/web/volume_metrics.h"

#include "engine/volumes/service.h"

namespace cairn::web {

void write_volume_metrics(MetricsWriter& writer, const volumes::Service& service) {
  const volumes::Stats stats = service.stats();
  const auto counter = [&](const char* name, const char* help, std::uint64_t value, const Labels& labels = {}) {
    writer.counter(name, help, static_cast<double>(value), labels);
  };
  const auto gauge = [&](const char* name, const char* help, std::uint64_t value) {
    writer.gauge(name, help, static_cast<double>(value));
  };
  gauge("cairn_volume_cache_volumes", "Volumes in memory", stats.cached_volumes);
  gauge("cairn_volume_cache_bytes", "Voxels in memory", stats.cached_bytes);
  gauge("cairn_volume_cache_building_bytes", "Voxels of volumes being built", stats.building_bytes);
  gauge("cairn_volume_cache_budget_bytes", "Most voxels in memory", stats.budget_bytes);
  const char* lookups = "cairn_volume_lookups_total";
  const char* help = "Requests for a volume, by how it was found";
  counter(lookups, help, stats.hits, {{"result", "hit"}});
  counter(lookups, help, stats.misses, {{"result", "miss"}});
  counter(lookups, help, stats.shared, {{"result", "shared"}});
  counter("cairn_volume_evicted_total", "Volumes given up for others", stats.evicted);
  counter("cairn_volume_build_failures_total", "Volumes that could not be built", stats.build_failures);
  counter("cairn_volume_decoded_frames_total", "Frames decoded for volumes", stats.decoded_frames);
  counter("cairn_pictures_total", "Pictures rendered", stats.pictures);
  writer.histogram("cairn_volume_build_seconds", "Time to build a volume", stats.build_us, 1e-6);
  writer.histogram("cairn_picture_seconds", "Time to sample and encode one picture", stats.render_us, 1e-6);
  writer.gauge("cairn_reconstruction_backend", "1 for the backend in use", 1, {{"backend", stats.backend}});
}

}  // namespace cairn::web
