// The index: what the log says, arranged for reading. A pure function of the log: losing it costs a replay, never data.
// keys.h lists its column families. RocksDB is an implementation detail behind this header.
//
// Written by one thread, the log's applier (apply); its own write-ahead log is off, all families are flushed together
// and the applied sequence is in each batch, so what survives a crash is the state after some batch, and replay does
// the rest. Everything but apply(), persist() and close() may be called from any thread at any time; reads block.
//
// Duplicates are decided here, in sequence order, and so the same way in each replay:
//   same transfer syntax, same bytes of the data set: identical, nothing changes
//   other content, policy keep:     the newer is current, the older goes to `history`
//   other content, policy replace:  the newer is current, the older is forgotten
//   other content, policy refuse:   the older stays; but one that can no longer be read gives way
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/compaction.h"
#include "engine/store/index/rows.h"
#include "engine/store/index/view.h"
#include "engine/store/log.h"

namespace cairn::store {

enum class Comparison : std::uint8_t { same, different, stored_unreadable, newer_unreadable };
/// Compares two data sets of equal length, from their data_set_offset on, byte by byte. Called by the applier thread.
using CompareContent = std::function<Comparison(const InstanceRow& stored, const InstanceRecord& newer)>;

struct IndexOptions {
  std::filesystem::path directory;
  std::uint32_t unpersisted_records = 30'000;   ///< longest tail that a crash may leave to replay
  std::uint64_t unpersisted_bytes = 64u << 20;  ///< the same in bytes of rows
  std::size_t cache_bytes = 256u << 20;         ///< of blocks read
  CompareContent compare;                       ///< required
  std::function<void(Sequence)> applied = {};  ///< after each step, once it can be read; the applier's thread: be quick
};

class Index final : public Applier, public Catalogue {
 public:
  /// Opens what is there. What is missing, damaged or of another schema version is dropped and begins empty: then
  /// positions() is empty, rebuilt_because() says why, and replaying the log fills it. Errors: io, internal.
  static Result<std::unique_ptr<Index>> open(IndexOptions options);
  ~Index() override;

  Result<> apply(std::span<Committed> batch, std::string_view positions) override;

  /// Blocking: everything applied survives a crash afterwards. Errors: io.
  Result<> persist() override;
  /// Persists and closes; no other call may run or follow, no view may be alive.
  Result<> close();
  /// Drops everything and begins empty. Not while views are alive. Errors: io.
  Result<> reset(const char* reason);
  /// While a long replay runs: persists in larger steps.
  void set_bulk(bool bulk) noexcept;

  /// The token for Log::replay(); empty for an empty index.
  std::string positions() const override;
  Sequence applied() const noexcept;
  Sequence persisted() const noexcept;
  IndexState state() const;
  /// Empty unless the index was dropped at open() or reset().
  const std::string& rebuilt_because() const noexcept;

  /// A consistent picture of the index at one sequence.
  IndexView view(Reach reach = Reach::disk) const;
  /// SeriesRow::version, 0 when there is no such series. No snapshot: a few microseconds.
  Sequence series_version(std::string_view study_uid, std::string_view series_uid) const;

  // Catalogue (fate.cpp).
  std::unique_ptr<Fates> fates() const override;
  Result<> relocate(std::span<const Relocation> relocations) override;
  Result<std::set<Identity>> known_compacted() const override;
  Result<> set_compacted(const std::set<Identity>& segments) override;

  /// Where the parts of a commit are now, current or not. Errors: not_found, io, corrupt.
  Result<std::vector<Part>> parts_of(std::string_view sop_uid, Sequence sequence) const;

  /// One line per key: family, key and value in hexadecimal; of `changes`, one per change. Left out are the log's
  /// positions and what known_compacted() answers, which say how the log was read and not what it says. Errors: io,
  /// corrupt.
  Result<> dump(const std::function<void(std::string_view line)>& each) const;

  struct State;

 private:
  Index();
  std::unique_ptr<State> state_;
};

}  // namespace cairn::store
