// RocksDB behind the index: its column families, settings and errors, and how much of what was written is on disk.
// Internal to engine/store/index; the only header here that includes RocksDB's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "engine/core/result.h"
#include "engine/store/reach.h"

namespace cairn::store {

enum class Family : std::uint8_t { meta, instance, header, series, study, list, history, removed, changes };
inline constexpr std::size_t kFamilies = 9;
const char* name_of(Family family) noexcept;

inline rocksdb::Slice slice(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline std::string_view text_of(const rocksdb::Slice& s) noexcept {
  return {s.data(), s.size()};
}

/// Notes which writes have reached the disk.
class PersistenceListener;

class Database {
 public:
  struct Settings {
    std::filesystem::path directory;
    std::size_t cache_bytes = 0;
  };
  /// Opens or creates. Errors: io, corrupt.
  static Result<std::unique_ptr<Database>> open(const Settings& settings);
  ~Database();

  rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return handles_[static_cast<std::size_t>(family)];
  }
  rocksdb::DB& rocks() const noexcept { return *db_; }

  /// False when there is no such key. `snapshot` may be null.
  Result<bool> get(Family family, std::string_view key, rocksdb::PinnableSlice& value,
                   const rocksdb::Snapshot* snapshot, Reach reach = Reach::disk) const;
  /// One atomic step without RocksDB's write-ahead log. `mark` is reported by persisted() once it is on disk; it grows.
  Result<> write(rocksdb::WriteBatch& batch, std::uint64_t mark);
  /// Blocking: what was written before the call is on disk after it. Writes may go on beside it.
  Result<> flush();

  /// Highest mark that survives a crash.
  std::uint64_t persisted() const noexcept;
  /// What was read at opening is on disk.
  void set_persisted(std::uint64_t mark) noexcept;

  /// Reads every block of every file. Errors: corrupt, io.
  Result<> verify() const;
  std::uint64_t file_bytes() const;

 private:
  Database() = default;
  std::shared_ptr<PersistenceListener> listener_;
  rocksdb::DB* db_ = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
};

/// For reads that go so far.
rocksdb::ReadOptions read_options(const rocksdb::Snapshot* snapshot, Reach reach);

/// `where` is a literal naming the step.
Error translate(const rocksdb::Status& status, const char* where) noexcept;

}  // namespace cairn::store
