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
  Sequence highest = 0;  ///< ever given, damaged commits included
};

/// Errors: malformed (the token), mismatch (the token is of a longer log than this), io, and the Applier's own.
Result<ReplayResult> replay_volumes(const std::map<std::uint32_t, Volume*>& volumes, PartReader& parts, bool ring,
                                    std::string_view positions, Applier& applier);

/// The commit records of a segment, from its footer or, where that is damaged, from the records themselves.
struct SegmentCommits {
  std::vector<CommitEntry> entries;
  std::optional<Error> footer_damage;
  std::uint64_t bytes_read = 0;
};
Result<SegmentCommits> segment_commits(io::File& file, const SegmentState& state);

}  // namespace cairn::store
