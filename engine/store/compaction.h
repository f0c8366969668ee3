// Compaction: gives back the space of what nothing can ask for any more. It copies the rest of a few segments into a
// new one, tells the index where everything is now, and removes them (FORMAT.md, "Compaction"). This is what the log
// and the index say to each other about it; Log::compact() does it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/store/format.h"
#include "engine/store/record.h"

namespace cairn::store {

struct Fault;

/// What became of a commit. It is kept unless the index shows that nothing can ask for it again.
struct Fate {
  bool kept = true;
  Sequence until = 0;  ///< when it is not: InstanceRecord::until for the record without its parts
};

/// One consistent picture of the index, which outlives it. One thread at a time.
class Fates {
 public:
  virtual ~Fates() = default;
  /// Above this nothing is known.
  virtual Sequence applied() const = 0;
  /// Of an instance's commit that is not above applied(). One that never was in the index is not kept when its bytes,
  /// which are read and compared, are those of one that is, or where it is certain that it was refused or would be
  /// gone. Errors: io, corrupt.
  virtual Result<Fate> of(const InstanceRecord& record) = 0;
};

/// Where a commit is now, and its parts.
struct Relocation {
  std::string sop_instance_uid;
  Sequence sequence = 0;
  Location commit;
  std::vector<Part> parts;
  Sequence until = 0;
};

/// The index, as compaction sees it. Stores go on beside it.
class Catalogue {
 public:
  virtual ~Catalogue() = default;
  virtual std::unique_ptr<Fates> fates() const = 0;
  /// Changes the places in the rows of these commits, where there are any, between two batches of the applier; survives
  /// a crash after persist(). The same ones again change nothing. Errors: io, corrupt.
  virtual Result<> relocate(std::span<const Relocation> relocations) = 0;
  /// The compacted segments whose commits were relocated, or replayed from there.
  virtual Result<std::set<Identity>> known_compacted() const = 0;
  virtual Result<> set_compacted(const std::set<Identity>& segments) = 0;
  /// As of Log::replay().
  virtual std::string positions() const = 0;
  /// Blocking: everything told so far survives a crash afterwards. Errors: io.
  virtual Result<> persist() = 0;
};

struct CompactionOptions {
  /// Segments with a smaller share of garbage than this, in percent, stay as they are.
  unsigned least_garbage_percent = 20;
  /// Asked before more is read or written, with the bytes of that; may sleep, to keep a rate. False: stop here.
  std::function<bool(std::uint64_t bytes)> spend;
  /// Told of damage: what it is in stays where it is.
  std::function<void(const Fault&)> fault;
  /// Nothing is changed, only counted.
  bool survey_only = false;
};

struct CompactionReport {
  bool finished = false;              ///< false: stopped on request
  std::uint64_t segments = 0;         ///< sealed ones looked at
  std::uint64_t bytes = 0;            ///< in them
  std::uint64_t garbage_bytes = 0;    ///< of these, before
  std::uint64_t compacted = 0;        ///< segments removed
  std::uint64_t written = 0;          ///< segments that took their place
  std::int64_t reclaimed_bytes = 0;   ///< of the file system
  std::uint64_t left_for_damage = 0;  ///< segments with garbage that stay because something in them is damaged
  std::uint64_t left_for_space = 0;   ///< segments with garbage that stay for want of room for the copy
  std::uint64_t let_go = 0;           ///< instances whose bytes went, their headers excepted
};

}  // namespace cairn::store
