#include "engine/volumes/cache.h"

#include "engine/core/check.h"

namespace cairn::volumes {

VolumePtr VolumeCache::peek(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key);
  if (at == entries_.end() || !at->second.volume) return nullptr;
  recent_.splice(recent_.begin(), recent_, at->second.use);
  ++usage_.hits;
  return at->second.volume;
}

bool VolumeCache::get(const std::string& key, const std::string& series, std::uint64_t bytes, Done done) {
  std::unique_lock lock(mutex_);
  const auto at = entries_.find(key);
  if (at != entries_.end() && at->second.volume) {
    recent_.splice(recent_.begin(), recent_, at->second.use);
    ++usage_.hits;
    VolumePtr volume = at->second.volume;
    lock.unlock();
    done(std::move(volume));
    return false;
  }
  if (at != entries_.end()) {
    ++usage_.shared;
    at->second.waiting.push_back(std::move(done));
    return false;
  }
  if (bytes > budget_ || !make_room(bytes)) {
    const Error e = bytes > budget_ ? fail(Errc::limit_exceeded, "volume is larger than the volume cache")
                                    : fail(Errc::out_of_memory, "volume cache is taken by volumes being built");
    lock.unlock();
    done(e);
    return false;
  }
  ++usage_.misses;
  usage_.building_bytes += bytes;
  Entry& entry = entries_[key];
  entry.series = series;
  entry.bytes = bytes;
  entry.waiting.push_back(std::move(done));
  return true;
}

void VolumeCache::finish(const std::string& key, Result<VolumePtr> result) {
  std::vector<Done> waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(key);
    CAIRN_CHECK(at != entries_.end() && !at->second.volume);
    waiting = std::move(at->second.waiting);
    usage_.building_bytes -= at->second.bytes;
    if (result) {
      at->second.volume = result.value();
      at->second.waiting.clear();
      recent_.push_front(key);
      at->second.use = recent_.begin();
      ++usage_.volumes;
      usage_.cached_bytes += at->second.bytes;
    } else {
      entries_.erase(at);
    }
  }
  for (const Done& done : waiting) done(result);
}

void VolumeCache::forget_older(const std::string& series, const std::string& keep_prefix) {
  const std::lock_guard lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    if (here->second.volume && here->second.series == series && !here->first.starts_with(keep_prefix)) evict(here);
  }
}

VolumeCache::Usage VolumeCache::usage() const {
  const std::lock_guard lock(mutex_);
  return usage_;
}

void VolumeCache::evict(std::map<std::string, Entry>::iterator at) {
  recent_.erase(at->second.use);
  usage_.cached_bytes -= at->second.bytes;
  --usage_.volumes;
  ++usage_.evicted;
  entries_.erase(at);
}

bool VolumeCache::make_room(std::uint64_t bytes) {
  if (usage_.building_bytes > budget_ - bytes) return false;
  while (usage_.cached_bytes + usage_.building_bytes > budget_ - bytes) evict(entries_.find(recent_.back()));
  return true;
}

}  // namespace cairn::volumes
