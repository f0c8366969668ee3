#include "engine/store/recovery.h"

#include <algorithm>

#include "engine/core/checksum.h"
#include "engine/store/event.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

// Behind the last record, zeros for this long are believed to go on to the segment's end, but for samples: more than
// all that could have been under way, and than any damage that a device does in one place.
constexpr std::uint64_t kSearched = 16u << 20;

/// The sequence of the commit or event at `header`, and its parts, when its payload is whole.
struct Whole {
  Sequence sequence = 0;
  std::vector<Part> parts;
};
Result<std::optional<Whole>> whole_commit(Window& window, const RecordHeader& header) {
  CAIRN_TRY(const Bytes payload, window.at(header.offset + kRecordHeaderBytes, header.payload_length));
  std::optional<Whole> whole;
  if (payload.size() != header.payload_length || crc32c(payload) != header.payload_crc) return whole;
  if (header.type == RecordType::event) {
    if (const auto event = Event::decode(payload)) whole = Whole{event.value().sequence, {}};
  } else if (auto record = InstanceRecord::decode(payload)) {
    whole = Whole{record.value().sequence, std::move(record.value().parts)};
  }
  return whole;
}

/// True when every part of a commit in `segment` is there: the ones in this segment stand before the commit and have
/// been checked, the ones in others must lie below those segments' ends.
bool parts_exist(const Whole& record, const SegmentHeader& header, std::uint64_t commit_offset,
                 const std::map<std::uint32_t, std::uint64_t>& tails) {
  return std::all_of(record.parts.begin(), record.parts.end(), [&](const Part& part) {
    if (part.location.volume != header.volume) return false;
    std::uint64_t tail = commit_offset;
    if (part.location.segment != header.segment) {
      const auto it = tails.find(part.location.segment);
      if (it == tails.end()) return false;
      tail = it->second;
    }
    return part.location.offset <= tail && record_bytes(part.length) <= tail - part.location.offset;
  });
}

}  // namespace

Result<SegmentScan> scan_segment(io::File& file, const SegmentHeader& header, std::uint64_t limit,
                                 std::uint64_t written) {
  SegmentScan scan;
  scan.end = kSegmentHeaderBytes;
  Window window(file, limit);
  RecordWalk walk(window, header.identity, kSegmentHeaderBytes);
  for (;;) {
    CAIRN_TRY(const auto record, walk.next());
    if (record) {
      scan.watermark = std::max(scan.watermark, record->durable_below);
      if (record->type == RecordType::footer) {
        // A seal that was not finished. All below had been flushed before it was written.
        CAIRN_TRY(const auto crc, payload_crc(window, *record));
        if (crc == record->payload_crc) {
          scan.footer = *record;
          break;
        }
        scan.gaps.push_back({record->offset, limit, window.unreadable_in(record->offset, limit)});
        break;
      }
      scan.records.push_back(*record);
      scan.end = io::block_up(walk.position());
      continue;
    }
    const std::uint64_t gap = walk.position();
    if (gap >= limit) break;
    CAIRN_TRY(const bool found, walk.seek_record_sparsely(gap + 8, std::max(gap + kSearched, written)));
    scan.gaps.push_back({gap, walk.position(), window.unreadable_in(gap, walk.position())});
    if (!found) break;
  }
  scan.bytes_read = window.bytes_read();
  return scan;
}

Result<SegmentEnd> find_end(io::File& file, const SegmentHeader& header, const SegmentScan& scan, std::uint64_t limit,
                            Proof proof, const std::map<std::uint32_t, std::uint64_t>& tails) {
  SegmentEnd end;
  Window window(file, limit);
  if (scan.footer) {
    CAIRN_TRY(const Bytes payload, window.at(scan.footer->offset + kRecordHeaderBytes, scan.footer->payload_length));
    auto commits = decode_footer(payload, scan.footer->durable_below);
    if (commits && scan.footer->durable_below <= scan.footer->offset) {
      end.commits = std::move(commits).value();
      end.tail = scan.footer->durable_below;
      for (const auto& gap : scan.gaps) {
        if (gap.offset < end.tail) end.damage.push_back(gap);
      }
      end.unproven_from = end.tail;
      end.bytes_read = window.bytes_read();
      return end;
    }
  }

  // Below `stated` everything was there; below `watermark` nothing need be checked in full.
  const std::uint64_t stated = proof == Proof::statement ? limit : std::min(scan.watermark, limit);
  const std::uint64_t watermark = proof == Proof::records ? stated : limit;
  std::uint64_t tail = proof == Proof::statement ? limit : std::max(scan.end, io::block_up(stated));
  for (const auto& gap : scan.gaps) {
    const bool behind_all = gap.end >= limit && gap.offset >= stated;
    // A write that was torn can be read: where the device fails, what was acknowledged may lie there and behind.
    if (gap.unreadable || !(gap.offset >= watermark || behind_all)) end.damage.push_back(gap);
    if (behind_all || (gap.offset >= watermark && !gap.unreadable)) {
      tail = gap.offset;
      break;
    }
  }

  std::uint64_t dropped_from = tail;
  for (const RecordHeader& record : scan.records) {
    if (record.offset >= dropped_from) break;
    bool whole = true;
    if (record.offset >= watermark) {
      CAIRN_TRY(const auto crc, payload_crc(window, record));
      whole = crc == record.payload_crc;
      if (whole && is_commit(record.type)) {
        CAIRN_TRY(const auto commit, whole_commit(window, record));
        whole = commit && parts_exist(*commit, header, record.offset, tails);
      }
      const std::uint64_t behind = record.offset + record.record_bytes();
      if (!whole && window.unreadable_in(record.offset, behind)) {
        end.damage.push_back({record.offset, behind, true});
        whole = true;
      }
    }
    if (!whole) {
      dropped_from = record.offset;
      break;
    }
    if (is_commit(record.type)) end.commits.push_back({record.offset, record.payload_length});
  }
  for (const RecordHeader& record : scan.records) {
    if (record.offset >= dropped_from && is_commit(record.type)) ++end.dropped_commits;
  }
  // A record that is dropped may share its first block with records that stay: the block stays as it is, and the walk
  // over a sealed segment ends with its last commit.
  end.tail = dropped_from;
  end.unproven_from = std::min(watermark, end.tail);
  end.bytes_read = window.bytes_read();
  return end;
}

Result<> write_again(io::File& file, std::uint64_t from, std::uint64_t to) {
  from = std::max(io::block_down(from), kSegmentHeaderBytes);
  to = io::block_up(to);
  io::AlignedBytes chunk(1u << 20);
  std::size_t chunk_bytes = chunk.size();
  std::size_t unreadable = 0;
  while (from < to) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes, to - from));
    const auto got = file.read(from, chunk.first(length));
    if (got && got.value() == length) {
      CAIRN_TRYV(file.write(from, chunk.first(length)));
      from += length;
    } else if (got || got.error() != Errc::io) {
      return got ? fail(Errc::io, "segment read", from + got.value()) : std::move(got).error();
    } else if (length > io::kBlockBytes) {
      chunk_bytes = io::kBlockBytes;
    } else {
      from += length;
      if (++unreadable > kMaxUnreadable) return std::move(got).error();
    }
  }
  return outcome::success();
}

Result<Trailer> seal_segment(io::File& file, const SegmentHeader& header, std::uint64_t tail,
                             const std::vector<CommitEntry>& commits) {
  Trailer trailer{io::block_up(tail), tail, static_cast<std::uint32_t>(commits.size()), 0};
  for (auto entry = commits.rbegin(); entry != commits.rend() && trailer.last_sequence == 0; ++entry) {
    Window window(file, tail);
    RecordWalk walk(window, header.identity, entry->offset);
    CAIRN_TRY(const auto record, walk.next());
    if (!record) continue;
    CAIRN_TRY(const auto commit, whole_commit(window, *record));
    if (commit) trailer.last_sequence = commit->sequence;
  }
  const auto footer = encode_footer(commits, header.identity, trailer);
  CAIRN_TRYV(file.flush());  // what is kept is durable before the footer says so
  CAIRN_TRYV(file.write(trailer.footer_offset, footer.bytes()));
  CAIRN_TRYV(file.flush());
  CAIRN_TRYV(file.truncate(trailer.footer_offset + footer.size()));
  CAIRN_TRYV(file.flush());
  return trailer;
}

}  // namespace cairn::store
