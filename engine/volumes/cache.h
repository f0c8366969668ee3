// Volumes kept and being built, within one budget of bytes; least recently used ones go first. Requests for one key
// share one build. Thread-safe. Internal to engine/volumes.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/volumes/builder.h"

namespace cairn::volumes {

using VolumePtr = std::shared_ptr<const BuiltVolume>;

class VolumeCache {
 public:
  using Done = std::function<void(Result<VolumePtr>)>;  ///< called once, from the caller's or the builder's thread

  explicit VolumeCache(std::uint64_t budget_bytes) : budget_(budget_bytes) {}

  /// The volume when it is there; marks it used.
  VolumePtr peek(const std::string& key);

  /// Calls `done` with the volume: at once when it is there, when its build ends when one runs. Else `start` is true:
  /// the caller must build it and call finish(key, …), for which `bytes` are now set aside (others were evicted if
  /// needed). Errors (handed to `done`): limit_exceeded (larger than the whole budget), out_of_memory (other builds
  /// hold it).
  bool get(const std::string& key, const std::string& series, std::uint64_t bytes, Done done);
  void finish(const std::string& key, Result<VolumePtr> result);

  /// Forgets finished volumes of a series whose key is not `keep_version`-prefixed: they show instances that changed.
  void forget_older(const std::string& series, const std::string& keep_prefix);

  struct Usage {
    std::uint64_t volumes = 0, cached_bytes = 0, building_bytes = 0, hits = 0, misses = 0, shared = 0, evicted = 0;
  };
  Usage usage() const;
  std::uint64_t budget() const noexcept { return budget_; }

 private:
  struct Entry {
    std::string series;
    std::uint64_t bytes = 0;
    VolumePtr volume;  // null while it is built
    std::vector<Done> waiting;
    std::list<std::string>::iterator use;  // valid when volume is set
  };
  void evict(std::map<std::string, Entry>::iterator at);
  bool make_room(std::uint64_t bytes);

  const std::uint64_t budget_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Entry> entries_;
  std::list<std::string> recent_;  // most recently used first
  Usage usage_;
};

}  // namespace cairn::volumes
