#include "engine/app/open.h"

#include <stdexcept>

namespace cairn::app {
namespace {

std::runtime_error cannot_open(const archive::Options& options, const Error& error) {
  return std::runtime_error(options.directory.string() + ": " + to_string(error));
}

}  // namespace

archive::Options archive_options(const Config& config) {
  archive::Options options;
  options.directory = config.archive.data;
  for (const VolumeConfig& volume : config.store.volumes) options.log.volumes.push_back({volume.id, volume.directory});
  options.restore_days = config.archive.restore_days;
  options.compaction_bytes_per_s = config.archive.compaction_mib_per_s << 20;
  options.log.segment_bytes = config.store.segment_mib << 20;
  options.log.reserve_bytes = config.store.reserve_mib << 20;
  options.log.prewritten_bytes = config.store.prewritten_mib << 20;
  options.log.prewrite_bytes_per_s = config.store.prewrite_mib_per_s << 20;
  options.log.use_ring = config.store.ring;
  options.log.read_cache_bytes = config.store.read_cache_mib << 20;
  options.in_flight_bytes = config.store.in_flight_mib << 20;
  options.unpersisted_records = config.index.unpersisted_records;
  options.unpersisted_bytes = config.index.unpersisted_mib << 20;
  options.index_cache_bytes = config.index.cache_mib << 20;
  return options;
}

Opened open_archive_or_server(const Config& config, io::WorkerPool& pool) {
  const archive::Options options = archive_options(config);
  auto archive = archive::Archive::open(options, pool);
  if (archive) return {std::move(archive).value(), std::nullopt};
  if (!(archive.error() == Errc::conflict)) throw cannot_open(options, archive.error());
  auto server = Endpoint::read(config.archive.data);
  if (!server) {
    throw std::runtime_error(options.directory.string() + " is held by another process that does not serve (yet)");
  }
  return {nullptr, std::move(server)};
}

std::unique_ptr<archive::Archive> open_archive_alone(const archive::Options& options, io::WorkerPool& pool) {
  auto archive = archive::Archive::open(options, pool);
  if (archive) return std::move(archive).value();
  if (archive.error() == Errc::conflict) {
    throw std::runtime_error(options.directory.string() + " is held by a running server: stop it first");
  }
  throw cannot_open(options, archive.error());
}

}  // namespace cairn::app
