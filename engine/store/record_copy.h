// Copies commits with their parts into a compacted segment, proving every byte on the way. One thread.
#pragma once

#include <functional>

#include "engine/store/compacted_writer.h"
#include "engine/store/survey.h"

namespace cairn::store {

class RecordCopy {
 public:
  RecordCopy(PartReader& reader, CompactedWriter& writer, const std::function<bool(std::uint64_t)>& spend)
      : reader_(reader), writer_(writer), spend_(spend) {}

  /// An instance as it is, or an event. Errors: io, corrupt (the source, whose offset is told), out_of_space,
  /// cancelled.
  Result<> whole(const CommitAt& commit);
  /// An instance with no more than its header data set; `until` as of InstanceRecord. Errors: as whole().
  Result<> header_only(const CommitAt& commit, Sequence until);
  /// Whether that would save anything, and replay could read it.
  static bool worth_cutting(const InstanceRecord& record);
  /// Whether what failed last was reading, and whose bytes that were.
  bool source_failed() const noexcept { return source_failed_; }
  const std::string& sop_instance_uid() const noexcept { return sop_instance_uid_; }

 private:
  Result<Bytes> read(const Part& part);
  Result<> add_part(InstanceRecord& record, Bytes payload, std::uint64_t stream_offset);
  static void add_gone(InstanceRecord& record, std::uint64_t length);
  Result<> add_commit(const InstanceRecord& record);

  PartReader& reader_;
  CompactedWriter& writer_;
  const std::function<bool(std::uint64_t)>& spend_;
  io::AlignedBytes memory_;
  bool source_failed_ = false;
  std::string sop_instance_uid_;
};

}  // namespace cairn::store
