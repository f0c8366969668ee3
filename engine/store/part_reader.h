// Reads parts and commit records back, proves them, and keeps what it proved in a cache bounded by bytes. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>

#include "engine/core/result.h"
#include "engine/store/log.h"
#include "engine/store/volume.h"

namespace cairn::store {

class PartReader {
 public:
  /// `volumes` outlive the reader.
  PartReader(std::map<std::uint32_t, Volume*> volumes, std::uint64_t cache_bytes);

  /// As Log.
  Result<PartBytes> read(const Part& part);
  PartBytes cached(const Part& part);
  Result<InstanceRecord> read_commit(const Location& location);

  /// Segments that are gone are no longer kept open.
  void forget(std::uint32_t volume, const std::set<std::uint32_t>& segments);

  /// The record at `location` and its payload, without the cache. Errors: io, corrupt, not_found.
  Result<RecordHeader> read_record(const Location& location, std::uint32_t expected_length, io::AlignedBytes& memory,
                                   Bytes& payload);

 private:
  struct Key {
    std::uint64_t volume_segment;
    std::uint64_t offset;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return (key.volume_segment * 0x9e3779b97f4a7c15ull) ^ (key.offset * 0xc2b2ae3d27d4eb4full >> 7);
    }
  };
  struct Cached {
    PartBytes bytes;
    std::uint32_t crc;
    std::list<Key>::iterator use;
  };
  struct OpenFile {
    std::shared_ptr<io::File> file;
    Identity identity;
  };
  Result<OpenFile> file_of(const Location& location);

  const std::map<std::uint32_t, Volume*> volumes_;
  const std::uint64_t cache_bytes_;
  std::mutex mutex_;  // guards what follows
  std::unordered_map<Key, Cached, KeyHash> cache_;
  std::list<Key> uses_;  ///< latest first
  std::uint64_t cached_bytes_ = 0;
  std::mutex files_mutex_;                              // guards what follows
  std::list<std::pair<std::uint64_t, OpenFile>> open_;  ///< latest first
};

}  // namespace cairn::store
