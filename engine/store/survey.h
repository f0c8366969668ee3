// What of a storage volume's segments is still asked for: the first half of a compaction (FORMAT.md, "Compaction").
// Reads every commit record and no pixels.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/store/appender.h"
#include "engine/store/compaction.h"
#include "engine/store/event.h"
#include "engine/store/part_reader.h"
#include "engine/store/volume.h"

namespace cairn::store {

/// A commit record or an event, as it stands in a segment.
struct CommitAt {
  Location location;
  RecordHeader header;
  std::optional<InstanceRecord> record;  ///< one of these two
  std::optional<Event> event;
  std::string event_payload = {};  ///< as it was, whatever a later release adds to it
  Sequence sequence() const { return record ? record->sequence : event->sequence; }
};
/// Errors: io, corrupt.
Result<CommitAt> read_commit_at(PartReader& reader, const Location& location, std::uint32_t length);

/// An instance with parts in a segment that does not hold its commit.
struct Visitor {
  Sequence sequence = 0;
  std::uint64_t instance_number = 0;
  Location commit;
  std::uint32_t length = 0;      ///< of the commit record
  bool counts = true;            ///< false: a compacted segment holds it
  std::uint64_t copy_bytes = 0;  ///< what a copy takes, wherever its parts are
};

struct SegmentUse {
  std::uint64_t file_bytes = 0;
  std::uint64_t kept_bytes = 0;      ///< what a compacted segment would have of it, roughly
  bool may_go = false;               ///< nothing but damage could keep it
  std::vector<CommitEntry> commits;  ///< of those that may go
  std::vector<Visitor> visitors;
};

struct SurveyInput {
  Volume& volume;
  PartReader& reader;
  const UnderWay& under_way;
  const Catalogue& catalogue;
  Positions persisted;  ///< the index has all this on disk
  const CompactionOptions& options;
};

class Survey {
 public:
  explicit Survey(const SurveyInput& input) : in_(input) {}

  /// False when it was stopped. Errors: io.
  Result<bool> run();
  const std::map<std::uint32_t, SegmentUse>& segments() const noexcept { return segments_; }
  /// Reads the record headers of a segment that may go: whether all between them is accounted for. What is not is told
  /// to the options' `fault`, or belongs to an instance on its way in. Errors: io, cancelled.
  Result<bool> accounted_for(std::uint32_t segment) const;

 private:
  bool may_go(std::uint32_t segment, const SegmentState& state) const;
  Result<bool> segment(std::uint32_t number, const SegmentState& state, Fates& fates);
  void report(const Location& location, const Error& error) const;

  const SurveyInput& in_;
  std::map<std::uint32_t, SegmentUse> segments_;
  std::map<std::uint32_t, SegmentState> sealed_;
  std::set<std::uint32_t> there_;
  std::uint32_t first_unsealed_ = 0;
  std::set<std::uint64_t> under_way_;
  bool commits_lost_ = false;  ///< somewhere in the volume: parts without a commit may be theirs
};

}  // namespace cairn::store
