// The bytes of the log: volume files, segment header, record header, footer. FORMAT.md describes them and has a worked
// example. All integers are little-endian. Pure functions over bytes; no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/io/aligned_bytes.h"

namespace cairn::store {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kSegmentHeaderBytes = io::kBlockBytes;
inline constexpr std::size_t kRecordHeaderBytes = 64;
inline constexpr std::size_t kTrailerBytes = 64;
inline constexpr std::size_t kFooterEntryBytes = 12;
inline constexpr std::size_t kMaxVolumes = 1000;  ///< ids that an archive can ever give
inline constexpr std::size_t kMaxPoisoned = 64;   ///< statements that a segment header has room for
inline constexpr std::size_t kMaxSources = 64;    ///< segments that one compacted segment takes the place of
inline constexpr std::size_t kMaxMoved = 448;     ///< commits of other segments that it holds

/// Segments that compaction made have numbers of their own, above all that were appended.
inline constexpr std::uint32_t kFirstCompacted = 0x8000'0001;
constexpr bool is_compacted(std::uint32_t segment) noexcept {
  return segment >= kFirstCompacted;
}

using Identity = std::array<std::byte, 16>;

/// First block of `volume.cairn`.
struct VolumeFile {
  Identity archive{};
  std::uint32_t volume = 0;
  std::int64_t created_unix_ns = 0;

  io::AlignedBytes encode() const;
  /// Errors: truncated, corrupt, unsupported (a later version).
  static Result<VolumeFile> decode(Bytes block);
};

/// First block of `volumes.cairn`: the ids that volumes of the archive have ever had.
struct KnownVolumes {
  Identity archive{};
  std::set<std::uint32_t> volumes;  ///< at most kMaxVolumes

  io::AlignedBytes encode() const;
  /// Errors: truncated, corrupt, unsupported.
  static Result<KnownVolumes> decode(Bytes block);
};

/// What a segment says of an earlier one whose write or flush failed: replay stops at `good_end` there.
struct Poisoned {
  std::uint32_t segment = 0;
  std::uint64_t good_end = 0;
  bool operator==(const Poisoned&) const noexcept = default;
};

/// First block of a segment.
struct SegmentHeader {
  Identity archive{};
  Identity identity{};  ///< random; seeds every checksum of this segment
  std::uint32_t volume = 0;
  std::uint32_t segment = 0;
  std::uint64_t size = 0;
  std::int64_t created_unix_ns = 0;
  std::vector<Poisoned> poisoned;
  // Of a compacted segment, else nothing:
  std::uint64_t first_sequence = 0;  ///< of its first commit
  std::vector<std::uint32_t>
      sources;                       ///< the segments that it takes the place of: where they are still there, it counts
  std::vector<std::uint64_t> moved;  ///< commits that are in other segments too: here they count, there no more

  io::AlignedBytes encode() const;
  /// Errors: truncated, corrupt, unsupported.
  static Result<SegmentHeader> decode(Bytes block);
};

enum class RecordType : std::uint8_t { part = 1, commit = 2, footer = 3, event = 4 };
/// Commits, and events, which are commits without parts: what footers name and replay hands on.
constexpr bool is_commit(RecordType type) noexcept {
  return type == RecordType::commit || type == RecordType::event;
}

struct RecordHeader {
  RecordType type = RecordType::part;
  std::uint32_t payload_length = 0;
  std::uint32_t payload_crc = 0;
  std::uint32_t part_index = 0;  ///< of a part; number of parts of a commit
  std::uint64_t instance_number = 0;
  std::uint64_t stream_offset = 0;  ///< of a part; stream length of a commit; sequence of an event
  std::uint64_t offset = 0;         ///< of this header in its segment
  std::uint64_t durable_below = 0;  ///< what of this segment was flushed when this was written; 0: see FORMAT.md

  /// Header, payload and the bytes that round both up to 8.
  std::uint64_t record_bytes() const noexcept;

  void encode(std::byte* at, const Identity& identity) const;
  /// The header at `at` (kRecordHeaderBytes), which must say that it stands at `offset`; nothing when it is not one.
  static std::optional<RecordHeader> decode(const std::byte* at, const Identity& identity, std::uint64_t offset);
};

/// True when `at` (8 bytes) begins like a record: a cheap test before decode().
bool looks_like_record(const std::byte* at) noexcept;

constexpr std::uint64_t record_bytes(std::uint64_t payload_length) noexcept {
  return (kRecordHeaderBytes + payload_length + 7) & ~7ull;
}

/// A commit record named by a footer.
struct CommitEntry {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  ///< of the payload
  bool operator==(const CommitEntry&) const noexcept = default;
};

/// Bytes that the footer of `commits` entries takes in the file, trailer included: whole blocks.
constexpr std::uint64_t footer_bytes(std::size_t commits) noexcept {
  return io::block_up(record_bytes(commits * kFooterEntryBytes) + kTrailerBytes);
}

/// The last bytes of a sealed segment's file: where its footer record stands, and the end of what it closes.
struct Trailer {
  std::uint64_t footer_offset = 0;
  std::uint64_t tail = 0;
  std::uint32_t commits = 0;
  std::uint64_t last_sequence = 0;  ///< of the last commit; 0 when there is none

  /// From the last kTrailerBytes of a file of `file_size` bytes; nothing when there is none.
  static std::optional<Trailer> decode(Bytes bytes, const Identity& identity, std::uint64_t file_size);
};

/// The footer record and, in the last bytes of its last block, the trailer.
io::AlignedBytes encode_footer(const std::vector<CommitEntry>& commits, const Identity& identity,
                               const Trailer& trailer);

/// The entries in a footer record's payload, which is already checked against its checksum. Errors: corrupt.
Result<std::vector<CommitEntry>> decode_footer(Bytes payload, std::uint64_t tail);

}  // namespace cairn::store
