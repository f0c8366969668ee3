// Finding the end of the segments that a crash left open (FORMAT.md, "Recovery").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/core/result.h"
#include "engine/io/file_system.h"
#include "engine/store/format.h"

namespace cairn::store {

/// What one pass over an unsealed segment finds.
struct SegmentScan {
  struct Damage {
    std::uint64_t offset = 0;
    std::uint64_t end = 0;
    bool unreadable = false;  ///< the device fails to read some of it, so nobody knows what stands there
  };
  std::vector<RecordHeader> records;   ///< parts and commits whose headers are valid, ascending
  std::vector<Damage> gaps;            ///< between records where something else stands; the last may reach the end
  std::uint64_t watermark = 0;         ///< highest durable_below that a record states
  std::uint64_t end = 0;               ///< behind the last record, in whole blocks
  std::optional<RecordHeader> footer;  ///< of a seal that was begun: all below it had been flushed
  std::uint64_t bytes_read = 0;
};

/// Below it everything in the volume was flushed once: where the index was told of a commit.
struct ProvenPlace {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
};

/// Reads the headers of all records below `limit`, behind damage too. Nothing need have been written at or behind
/// `written`: there, behind the last record, the search for more ends when it meets many zeros. Errors: io.
Result<SegmentScan> scan_segment(io::File& file, const SegmentHeader& header, std::uint64_t limit,
                                 std::uint64_t written);

/// The end of an unsealed segment, decided.
struct SegmentEnd {
  std::uint64_t tail = kSegmentHeaderBytes;  ///< all below is whole or named in `damage`
  std::vector<CommitEntry> commits;          ///< below `tail`
  std::vector<SegmentScan::Damage> damage;   ///< of what had been flushed
  std::uint64_t unproven_from = 0;           ///< from here to `tail` nothing says that it was flushed
  std::uint64_t dropped_commits = 0;         ///< behind `tail`: never acknowledged
  std::uint64_t bytes_read = 0;
};

enum class Proof {
  records,      ///< flushed is what the records state
  later_flush,  ///< a later segment was flushed, so all that was ever written here was
  statement,    ///< all below `limit` was flushed, says a later segment's header
};

/// `tails` are the ends of the volume's other segments: parts of a commit that was not flushed must lie below them.
/// Errors: io.
Result<SegmentEnd> find_end(io::File& file, const SegmentHeader& header, const SegmentScan& scan, std::uint64_t limit,
                            Proof proof, const std::map<std::uint32_t, std::uint64_t>& tails);

/// Writes [from, to) again with what it holds: a flush that failed in an earlier life may have left the system
/// believing that it is on the disk. What cannot be read stays as it is. Not flushed yet. Errors: io.
Result<> write_again(io::File& file, std::uint64_t from, std::uint64_t to);

/// Writes the footer at `tail`, cuts the file behind it, and makes all durable. Returns the trailer.
Result<Trailer> seal_segment(io::File& file, const SegmentHeader& header, std::uint64_t tail,
                             const std::vector<CommitEntry>& commits);

}  // namespace cairn::store
