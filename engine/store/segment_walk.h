// Reading a segment record by record: a window over the file, and the walk from one record header to the next. Used by
// recovery, replay and scrub; each has its own. Nothing that is read is believed before its checksum is.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/core/result.h"
#include "engine/io/file_system.h"
#include "engine/store/format.h"

namespace cairn::store {

/// "seg-00000001.cairn", "cmp-00000001.cairn" (compacted); and back (0 when `name` is no segment's).
std::string segment_name(std::uint32_t segment);
std::uint32_t segment_number(const std::string& name);

/// Blocks of one file that may fail to be read before the file is given up.
inline constexpr std::size_t kMaxUnreadable = 64;

/// A moving window over the first `end` bytes of a file. Neighbouring reads make it long, jumps make it short. A block
/// that the device cannot read shows as zeros and is remembered: whatever lay in it then fails its checksum.
class Window {
 public:
  Window(io::File& file, std::uint64_t end) : file_(file), end_(end) {}

  /// The bytes at [offset, offset + length), fewer where `end` is nearer. Valid until the next call. Errors: io (more
  /// than kMaxUnreadable blocks cannot be read), truncated (the file is shorter than `end`).
  Result<Bytes> at(std::uint64_t offset, std::uint64_t length);
  /// Whether the block at `offset`, a multiple of its size, is zero as far as the window reaches, and can be read.
  /// Leaves the window where it is. Errors: as at().
  Result<bool> zero_block(std::uint64_t offset);
  std::uint64_t end() const noexcept { return end_; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  /// Offsets of the blocks that could not be read so far.
  const std::set<std::uint64_t>& unreadable() const noexcept { return unreadable_; }
  /// Whether one of them touches [from, to).
  bool unreadable_in(std::uint64_t from, std::uint64_t to) const;

 private:
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into);
  io::File& file_;
  std::uint64_t end_;
  io::AlignedBytes buffer_, block_;
  std::uint64_t start_ = 0, filled_ = 0;
  std::uint64_t ahead_ = 2 * io::kBlockBytes;
  std::uint64_t bytes_read_ = 0;
  std::set<std::uint64_t> unreadable_;
};

class RecordWalk {
 public:
  RecordWalk(Window& window, const Identity& identity, std::uint64_t from)
      : window_(window), identity_(identity), position_(from) {}

  /// The next record header, whose whole record lies before the window's end, and steps behind the record; nothing
  /// where none follows directly or behind zeros up to the next block: then position() is where it should have been.
  Result<std::optional<RecordHeader>> next();
  /// The next valid header anywhere at or after `from`; for going on behind damage. Leaves position() at it, or at the
  /// window's end.
  Result<bool> seek_record(std::uint64_t from);
  /// The same, where probably nothing more was written: behind `dense_end` only samples are looked at, as long as they
  /// are zero.
  Result<bool> seek_record_sparsely(std::uint64_t from, std::uint64_t dense_end);
  /// True when everything from position() to `end` (or the window's end) is zero.
  Result<bool> only_zeros_until(std::uint64_t end);

  std::uint64_t position() const noexcept { return position_; }

 private:
  Result<std::optional<RecordHeader>> decode_here();
  Result<bool> seek_until(std::uint64_t from, std::uint64_t end);
  Window& window_;
  Identity identity_;
  std::uint64_t position_;
};

/// CRC32C of a record's payload, read through `window`. Errors: io.
Result<std::uint32_t> payload_crc(Window& window, const RecordHeader& header);

}  // namespace cairn::store
