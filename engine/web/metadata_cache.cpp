#include "engine/web/metadata_cache.h"

namespace cairn::web {

std::shared_ptr<const MetadataCache::Series> MetadataCache::find(const std::string& key, std::uint64_t version) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->series->version != version) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->series;
}

std::shared_ptr<const std::string> MetadataCache::gzip_of(const std::shared_ptr<const Series>& series) {
  const std::scoped_lock lock(mutex_);
  return series->gzip;
}

void MetadataCache::insert(const std::string& key, Series series) {
  if (series.json_bytes > most_bytes()) return;
  Entry entry{key, std::make_shared<Series>(std::move(series)), 0};
  entry.bytes = entry.series->json_bytes;
  const std::scoped_lock lock(mutex_);
  if (const auto old = by_key_.find(key); old != by_key_.end()) {
    bytes_ -= old->second->bytes;
    entries_.erase(old->second);
    by_key_.erase(old);
  }
  bytes_ += entry.bytes;
  entries_.push_front(std::move(entry));
  by_key_[key] = entries_.begin();
  trim();
}

void MetadataCache::add_gzip(const std::string& key, const std::shared_ptr<const Series>& series, std::string gzip) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->series != series || series->gzip) return;
  bytes_ += gzip.size();
  found->second->bytes += gzip.size();
  found->second->series->gzip = std::make_shared<const std::string>(std::move(gzip));
  trim();
}

void MetadataCache::trim() {
  while (bytes_ > budget_bytes_ && !entries_.empty()) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace cairn::web
