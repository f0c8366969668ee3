// Compaction of the log's volumes, the part that writes (compaction.h, survey.h). Blocking, beside stores; one at a
// time.
#pragma once

#include <map>

#include "engine/store/compaction.h"
#include "engine/store/part_reader.h"
#include "engine/store/survey.h"
#include "engine/store/volume.h"

namespace cairn::store {

class Compactor {
 public:
  /// Everything outlives it.
  Compactor(const std::map<std::uint32_t, Volume*>& volumes, PartReader& reader, Catalogue& catalogue)
      : volumes_(volumes), reader_(reader), catalogue_(catalogue) {}

  /// Tells the index of the compacted segments that it does not know: what a crash kept from being told. Before a
  /// replay of the tail. Errors: io, corrupt.
  Result<> take_in();
  /// The index has replayed everything, so it knows them all.
  Result<> all_replayed();
  /// Makes what the index was told durable, then removes the segments that compacted ones took the place of.
  Result<> retire();

  Result<CompactionReport> run(const UnderWay& under_way, const CompactionOptions& options);

 private:
  struct Group;
  std::set<Identity> all() const;
  Result<bool> relocate(Volume& volume, std::uint32_t segment, const SegmentState& state);
  Result<> volume(Volume& volume, const UnderWay& under_way, const CompactionOptions& options,
                  CompactionReport& report);
  Result<> compact(Volume& volume, const Survey& survey, const Group& group, const CompactionOptions& options,
                   CompactionReport& report);

  const std::map<std::uint32_t, Volume*>& volumes_;
  PartReader& reader_;
  Catalogue& catalogue_;
};

}  // namespace cairn::store
