// What the sources of the index share. Internal to engine/store/index.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/store/index/changes.h"
#include "engine/store/index/database.h"
#include "engine/store/index/flusher.h"
#include "engine/store/index/gather.h"
#include "engine/store/index/index.h"
#include "engine/store/index/name_dictionary.h"
#include "engine/store/index/row_cache.h"

namespace cairn::store {

// Rows of each kind that the applier keeps at hand: more than what is being received, few enough to stay in a core's
// cache.
inline constexpr std::size_t kCachedRows = 1024;

inline constexpr std::string_view kSchemaKey = "schema";
inline constexpr std::string_view kStateKey = "state";
inline constexpr std::string_view kPositionsKey = "positions";
inline constexpr std::string_view kCompactedKey = "compacted";

struct Index::State {
  explicit State(IndexOptions o)
      : options(std::move(o)), series(kCachedRows), studies(kCachedRows), patients(kCachedRows) {}

  IndexOptions options;
  std::unique_ptr<Database> database;
  std::unique_ptr<Flusher> flusher;  ///< goes before the database
  std::string rebuilt_because;

  std::mutex applying;  ///< held while rows change: by the applier, and by compaction between batches

  // The applier's alone.
  IndexState totals;
  RowCache<SeriesRow> series;
  RowCache<StudyRow> studies;
  RowCache<PatientRow> patients;
  ChangeRow changes;  ///< since the last write
  Gather gather;
  rocksdb::WriteBatch batch;
  NameDictionary names;  ///< its reading of the database ends before the database goes
  std::optional<Error> failed;
  std::atomic<bool> tombstones{false};  ///< there may be some: set before the first is written, so that readers look
  mutable std::mutex mutex;             // guards published, positions
  IndexState published;
  std::string positions;

  void publish(std::string_view new_positions) {
    const std::lock_guard lock(mutex);
    published = totals;
    positions.assign(new_positions);
  }
  /// Leaves word for the next open() that the index is not to be trusted.
  void note_damage(const Error& error) const;
};

/// Opens the directory and reads `meta`. Errors: corrupt with the reason in Error::where.
Result<> open_database(Index::State& state);
/// Empties the directory and begins anew.
Result<> create_database(Index::State& state, const char* reason);

}  // namespace cairn::store
