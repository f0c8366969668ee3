// The JSON of whole series, written once and kept while nothing about the series changes, with its gzip form. Bounded
// by the bytes that it holds; the least recently used go first. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/web/message.h"

namespace cairn::web {

class MetadataCache {
 public:
  explicit MetadataCache(std::size_t budget_bytes) : budget_bytes_(budget_bytes) {}

  /// Immutable but for `gzip`.
  struct Series {
    std::uint64_t version = 0;  ///< Archive::series_version() before and after it was written
    Chunk json;                 ///< data sets, separated by commas; without the brackets of the array
    std::size_t json_bytes = 0;
    /// The array of this series alone, coded; null as long as nobody has made it.
    std::shared_ptr<const std::string> gzip;  // guarded by MetadataCache::mutex_
  };

  /// The longest series that it takes.
  std::size_t most_bytes() const noexcept { return budget_bytes_ / 2; }

  /// Null when it is not there, or is of another version.
  std::shared_ptr<const Series> find(const std::string& key, std::uint64_t version);
  /// The coded form of a series that find() gave; null when there is none yet.
  std::shared_ptr<const std::string> gzip_of(const std::shared_ptr<const Series>& series);

  void insert(const std::string& key, Series series);
  /// Adds the coded form, when the series is still there.
  void add_gzip(const std::string& key, const std::shared_ptr<const Series>& series, std::string gzip);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<Series> series;
    std::size_t bytes = 0;
  };
  void trim();

  const std::size_t budget_bytes_;
  std::mutex mutex_;          // guards what follows
  std::list<Entry> entries_;  // the latest in front
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace cairn::web
