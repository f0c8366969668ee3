#include "engine/store/volume_recovery.h"

#include <algorithm>

#include "engine/core/log.h"
#include "engine/store/lost_header.h"
#include "engine/store/replay.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

constexpr const char* kFillingPrefix = "filling-";
constexpr const char* kSparePrefix = "spare-";

}  // namespace

struct VolumeRecovery::Found {
  std::shared_ptr<io::File> file;  ///< open while it is worked on: there may be more segments than files can be open
  std::uint64_t size = 0;
  bool header_damaged = false;
  bool readable = true;  ///< false: nothing says what its records' checksums start from
  std::optional<Trailer> trailer;
  std::optional<SegmentScan> scan;
  Proof proof = Proof::records;
  std::uint64_t limit = 0;
};

VolumeRecovery::VolumeRecovery(io::FileSystem& files, std::filesystem::path directory, std::uint32_t volume,
                               const Identity& archive, std::uint64_t segment_bytes)
    : files_(files),
      directory_(std::move(directory)),
      volume_(volume),
      archive_(archive),
      segment_bytes_(segment_bytes) {}

VolumeRecovery::~VolumeRecovery() = default;

void VolumeRecovery::report(std::uint32_t segment, std::uint64_t offset, Error error) {
  faults.push_back({{volume_, segment, offset}, "", std::move(error)});
}

Result<> VolumeRecovery::look() {
  CAIRN_TRY(const auto names, files_.list(directory_));
  for (const std::string& name : names) {
    if (name.starts_with(kFillingPrefix)) {
      CAIRN_TRYV(files_.remove(path(name)));
    } else if (name.starts_with(kSparePrefix)) {
      CAIRN_TRY(const auto file, files_.open(path(name), io::OpenMode::read));
      CAIRN_TRY(const auto size, file->size());
      if (size == segment_bytes_) {
        spares.push_back(name);
      } else {
        CAIRN_TRYV(files_.remove(path(name)));
      }
    } else if (const std::uint32_t number = segment_number(name)) {
      CAIRN_TRYV(look_at(number));
    }
  }
  return outcome::success();
}

Result<> VolumeRecovery::open(Found& found, std::uint32_t number) {
  if (found.file) return outcome::success();
  CAIRN_TRY(found.file, files_.open(path(segment_name(number)), io::OpenMode::read_write));
  return outcome::success();
}

Result<> VolumeRecovery::look_at(std::uint32_t number) {
  Found& found = found_[number];
  CAIRN_TRYV(open(found, number));
  CAIRN_TRY(found.size, found.file->size());
  (is_compacted(number) ? next_compacted : next_segment) = number + 1;
  io::AlignedBytes block(io::kBlockBytes);
  SegmentState& state = segments[number];
  auto header = [&]() -> Result<SegmentHeader> {
    CAIRN_TRY(const std::size_t got, found.file->read(0, block.bytes()));
    bytes_read += got;
    return SegmentHeader::decode(block.first(got));
  }();
  if (header) {
    if (header.value().archive != archive_) return fail(Errc::mismatch, "segment of another archive");
    if (header.value().volume != volume_ || header.value().segment != number) {
      return fail(Errc::mismatch, "segment number");
    }
    state.header = std::move(header).value();
    for (const Poisoned& p : state.header.poisoned) {
      const auto [it, is_new] = stated_.try_emplace(p.segment, p.good_end);
      if (!is_new) it->second = std::min(it->second, p.good_end);
    }
  } else if (header.error() == Errc::unsupported) {
    return std::move(header).error();
  } else {
    CAIRN_TRYV(replace_header(found, number, header.error()));
  }
  if (found.readable && found.size % io::kBlockBytes == 0 && found.size >= 2 * io::kBlockBytes) {
    // One that cannot be read is looked for among the records.
    if (const auto got = found.file->read(found.size - io::kBlockBytes, block.bytes())) {
      bytes_read += got.value();
      if (got.value() == io::kBlockBytes) {
        found.trailer = Trailer::decode(Bytes(block.bytes()).last(kTrailerBytes), state.header.identity, found.size);
      }
    }
  }
  state.trailer = found.trailer;
  state.tail = found.trailer ? found.trailer->tail : found.size;
  if (is_compacted(number)) return end_of_compacted(found, number);
  found.file.reset();  // decide() may know better
  return outcome::success();
}

// A compacted segment got its name when all of it was flushed: nothing is to be decided, it proves nothing and needs no
// proof. Where its trailer is lost, its records say what it holds.
Result<> VolumeRecovery::end_of_compacted(Found& found, std::uint32_t number) {
  SegmentState& state = segments[number];
  if (!state.trailer && found.readable) {
    CAIRN_TRY(const SegmentScan scan, scan_segment(*found.file, state.header, found.size, found.size));
    bytes_read += scan.bytes_read;
    state.tail = scan.end;
    for (const RecordHeader& record : scan.records) {
      if (is_commit(record.type)) state.commits.push_back({record.offset, record.payload_length});
    }
    report(number, scan.end, fail(Errc::corrupt, "segment footer", scan.end));
    commits_lost = commits_lost || !scan.gaps.empty();
  }
  found_.erase(number);
  return outcome::success();
}

// The volume, the number and the archive are where they were; what the header stated of poisoned segments is lost.
Result<> VolumeRecovery::replace_header(Found& found, std::uint32_t number, const Error& damage) {
  SegmentHeader& header = segments[number].header;
  header.archive = archive_;
  header.volume = volume_;
  header.segment = number;
  header.size = found.size;
  found.header_damaged = true;
  CAIRN_TRY(const auto identity, identity_from_records(*found.file, found.size));
  found.readable = identity.has_value();
  commits_lost = commits_lost || !found.readable;
  if (identity) header.identity = *identity;
  report(number, damage.offset,
         fail(damage == Errc::io ? Errc::io : Errc::corrupt,
              identity ? "segment header" : "segment header, with no record to replace it", damage.offset));
  return outcome::success();
}

// A trailer and its footer are one write, which may have been torn: unless something later was flushed.
Result<bool> VolumeRecovery::is_sealed(Found& found, const SegmentState& state, bool later_flush) {
  if (!found.trailer) return false;
  const bool stated = found.proof == Proof::statement;
  if (stated && found.trailer->tail > found.limit) return false;
  if (later_flush && !stated) return true;
  CAIRN_TRYV(open(found, state.header.segment));
  const SegmentState as_sealed{state.header, found.trailer->tail, found.trailer, {}, false};
  CAIRN_TRY(const SegmentCommits commits, segment_commits(*found.file, as_sealed));
  bytes_read += commits.bytes_read;
  if (commits.footer_damage) return false;
  // Nor does its being readable now mean that it is on the disk.
  CAIRN_TRYV(write_again(*found.file, found.trailer->footer_offset, found.size));
  CAIRN_TRYV(found.file->flush());
  return true;
}

Result<> VolumeRecovery::decide(const ProvenPlace& proven) {
  // Sealed or not, from the last to the first: what was flushed later proves what was written earlier.
  bool later_flush = false;
  bool statements_lost = false;
  for (auto it = found_.rbegin(); it != found_.rend(); ++it) {
    const std::uint32_t number = it->first;
    Found& found = it->second;
    SegmentState& state = segments[number];
    const auto statement = stated_.find(number);
    found.limit = found.size;
    if (number < proven.segment) later_flush = true;
    if (statement != stated_.end()) {
      found.limit = std::min(found.size, std::max(statement->second, kSegmentHeaderBytes));
      found.proof = Proof::statement;
    } else if (later_flush && !statements_lost) {
      found.proof = Proof::later_flush;
    }
    if (!found.readable) {
      statements_lost = true;
      continue;
    }
    CAIRN_TRY(const bool sealed, is_sealed(found, state, later_flush));
    statements_lost = statements_lost || found.header_damaged;
    if (sealed) {
      found.file.reset();
      later_flush = true;
      continue;
    }
    state.trailer.reset();
    CAIRN_TRYV(open(found, number));
    const bool here = number == proven.segment;
    const std::uint64_t written = found.proof != Proof::records ? found.limit
                                  : here                        ? std::min(proven.offset, found.limit)
                                                                : 0;
    CAIRN_TRY(found.scan, scan_segment(*found.file, state.header, found.limit, written));
    if (here) found.scan->watermark = std::max(found.scan->watermark, proven.offset);
    found.file.reset();
    bytes_read += found.scan->bytes_read;
    if (found.scan->watermark >= kSegmentHeaderBytes) later_flush = true;
  }

  std::map<std::uint32_t, std::uint64_t> tails;
  for (auto& [number, found] : found_) {
    if (found.scan) {
      CAIRN_TRYV(open(found, number));
      CAIRN_TRYV(settle(found, number, tails));
      found.file.reset();
    }
    const auto state = segments.find(number);
    if (state != segments.end()) tails[number] = state->second.tail;
  }
  found_.clear();
  if (directory_changed_) return files_.sync_directory(directory_);
  return outcome::success();
}

// Whatever was flushed later began when the seal was on the disk, or says that there was none. Only the cut behind it
// may have been lost.
bool VolumeRecovery::seal_was_there(const Found& found) {
  if (found.proof != Proof::later_flush || found.scan->records.empty()) return false;
  const auto& footer = found.scan->footer;
  return !footer || footer->offset + footer_bytes(footer->part_index) == found.size;
}

Result<> VolumeRecovery::settle(Found& found, std::uint32_t number,
                                const std::map<std::uint32_t, std::uint64_t>& tails) {
  SegmentState& state = segments[number];
  CAIRN_TRY(SegmentEnd end, find_end(*found.file, state.header, *found.scan, found.limit, found.proof, tails));
  bytes_read += end.bytes_read;
  dropped_unfinished += end.dropped_commits;
  for (const auto& damage : end.damage) {
    report(number, damage.offset,
           damage.unreadable ? fail(Errc::io, "segment cannot be read", damage.offset)
                             : fail(Errc::corrupt, "segment records", damage.offset));
  }
  commits_lost = commits_lost || !end.damage.empty();
  if (seal_was_there(found)) report(number, end.tail, fail(Errc::corrupt, "segment footer", end.tail));
  state.tail = end.tail;
  const bool empty = end.tail == kSegmentHeaderBytes && end.commits.empty() && end.damage.empty();
  if (empty && state.header.poisoned.empty() && found.proof == Proof::records && !found.header_damaged) {
    CAIRN_TRYV(files_.remove(path(segment_name(number))));
    directory_changed_ = true;
    segments.erase(number);
    return outcome::success();
  }
  CAIRN_TRYV(write_again(*found.file, end.unproven_from, end.tail));
  CAIRN_TRYV(found.file->flush());  // what is about to be shown may have been in the page cache only
  if (may_seal_) {
    const auto trailer = seal_segment(*found.file, state.header, end.tail, end.commits);
    if (trailer) {
      state.trailer = trailer.value();
    } else {
      // It stays as it is, found again the same way next time. Later ones must not prove what was not in it.
      may_seal_ = false;
      log::warning("a segment could not be sealed",
                   {{"volume", volume_}, {"segment", number}, {"cause", trailer.error()}});
    }
  }
  if (!state.trailer) {
    state.commits = std::move(end.commits);
    unsealed.push_back({number, end.tail});
    if (unsealed.size() > kMaxPoisoned) return fail(Errc::io, "segments that cannot be sealed");
  }
  state.poisoned = found.proof == Proof::statement && !state.trailer;
  return outcome::success();
}

}  // namespace cairn::store
