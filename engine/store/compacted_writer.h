// Writes one compacted segment: records one behind the other, the footer, and at last the header. The file has a
// temporary name until all of it is flushed and was read back. One thread. FORMAT.md, "Compaction".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/volume.h"

namespace cairn::store {

class CompactedWriter {
 public:
  /// `volume` outlives it.
  explicit CompactedWriter(Volume& volume);
  /// Removes what did not become a segment.
  ~CompactedWriter();

  Result<> open();
  std::uint32_t volume() const noexcept { return volume_.id(); }
  std::uint32_t number() const noexcept { return header_.segment; }
  /// Bytes that the segment would have if it ended now.
  std::uint64_t size() const noexcept;
  /// Adds a record; `header` has all but length, CRC and offset of the record. Returns its offset. Commits and events
  /// ascend in `sequence`, which is 0 for parts. Errors: io, out_of_space.
  Result<std::uint64_t> append(RecordHeader header, Bytes payload, Sequence sequence);
  /// Ends the segment, makes all durable, reads it back (asking `spend` for each piece; false: cancelled), and gives it
  /// its name. Errors: io, out_of_space, corrupt (what was read is not what was written), cancelled.
  Result<> finish(std::vector<std::uint32_t> sources, std::vector<Sequence> moved,
                  const std::function<bool(std::uint64_t)>& spend);

 private:
  Result<> put(Bytes bytes);
  Result<> write_staged();
  Result<> read_back(const std::function<bool(std::uint64_t)>& spend);

  Volume& volume_;
  SegmentHeader header_;
  std::string name_;  ///< of the file as long as it is ours
  std::shared_ptr<io::File> file_;
  io::AlignedBytes staging_;
  std::size_t staged_ = 0;
  std::uint64_t written_ = kSegmentHeaderBytes;  ///< below it, the file has what was staged
  std::uint64_t tail_ = kSegmentHeaderBytes;
  std::uint64_t records_ = 0;
  std::vector<CommitEntry> commits_;
  Sequence last_ = 0;
};

}  // namespace cairn::store
