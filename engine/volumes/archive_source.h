// Reads a series out of the archive: its headers into a SeriesPlan, its stored bytes for decoding. Blocking: worker
// pool only. Internal to engine/volumes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/volumes/builder.h"

namespace cairn::volumes {

/// A plan and the instances of the archive that it was made from, at one version of the series.
struct ArchivedSeries {
  std::uint64_t version = 0;
  SeriesPlan plan;
  std::vector<archive::Instance> instances;  ///< same order as plan.instances
};

/// `instance_uid` empty: the whole series. Errors: not_found; those of the archive; limit_exceeded.
Result<std::shared_ptr<const ArchivedSeries>> read_series(archive::Archive& archive, const std::string& study_uid,
                                                          const std::string& series_uid,
                                                          const std::string& instance_uid);

/// Opens the instances of a series; a deflated one is inflated as a whole.
class ArchiveOpener final : public InstanceOpener {
 public:
  ArchiveOpener(archive::Archive& archive, std::shared_ptr<const ArchivedSeries> series)
      : archive_(archive), series_(std::move(series)) {}

  Result<std::unique_ptr<codec::ByteSource>> open(std::size_t instance) const override;

 private:
  archive::Archive& archive_;
  std::shared_ptr<const ArchivedSeries> series_;
};

}  // namespace cairn::volumes
