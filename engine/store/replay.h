// Hands the durable commits after a position to the Applier, in sequence order over all volumes: reads footers, commit
// records and header data sets, not pixels. Runs before the appenders do.
#pragma once

#include <map>
#include <string_view>

#include "engine/core/result.h"
#include "engine/store/apply_queue.h"
#include "engine/store/log.h"
#include "engine/store/part_reader.h"
#include "engine/store/volume.h"

namespace cairn::store {

struct ReplayResult {
  ReplaySummary summary;
  Positions positions;   ///< after the last commit
  Sequence highest = 0;  ///< at or above all that were ever given; those of commits that cannot be read are leapt over
};

struct ReplayInput {
  const std::map<std::uint32_t, Volume*>& volumes;
  PartReader& parts;
  bool ring = false;
  bool volumes_absent = false;  ///< the archive has others, and they may hold any sequence
};

/// Damage, and what cannot be read (up to kMaxUnreadable commits of a volume), is told in the summary. `ahead` is set
/// when `positions` names commits that the log no longer has. Errors: malformed (the token), mismatch (the index must
/// be made anew: it knows more than this log, or was made without one of its volumes), not_found (a volume that the
/// token names is absent), io, and the Applier's own.
Result<ReplayResult> replay_volumes(const ReplayInput& input, const Positions& positions, Applier& applier,
                                    std::optional<Fault>& ahead);

/// The commit records of a segment, from its footer or, where that is damaged, from the records themselves.
struct SegmentCommits {
  std::vector<CommitEntry> entries;
  std::optional<Error> footer_damage;
  std::uint64_t bytes_read = 0;
};
Result<SegmentCommits> segment_commits(io::File& file, const SegmentState& state);

}  // namespace cairn::store
