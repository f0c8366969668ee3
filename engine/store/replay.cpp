#include "engine/store/replay.h"

#include <algorithm>
#include <deque>

#include "engine/core/checksum.h"
#include "engine/core/log.h"
#include "engine/store/batch_reader.h"
#include "engine/store/recovery.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

constexpr std::size_t kChunkCommits = 512;
constexpr std::uint64_t kChunkHeaderBytes = 32u << 20;
constexpr std::size_t kApplyCommits = 1024;
constexpr std::size_t kApplyBytes = 16u << 20;
// A header data set from here on (a deflated instance's is all of it) is scanned part by part, not read at once.
constexpr std::uint64_t kStreamedHeaderBytes = 4u << 20;
// Over the sequences that commits may have which cannot be read, or lie on absent volumes: more than are given in
// years.
constexpr Sequence kSequenceLeap = 1ull << 32;

std::uint64_t header_length(const InstanceRecord& record) {
  std::uint64_t length = 0;
  for (const auto& extent : record.header_extents) length += extent.length;
  return length;
}

/// The commits of some segments of one volume, in order, read a chunk ahead.
class CommitStream {
 public:
  CommitStream(Volume& volume, PartReader& parts, bool ring, Positions::Place from, std::vector<std::uint32_t> segments)
      : volume_(volume), parts_(parts), reader_(volume.files(), ring), from_(from), segments_(std::move(segments)) {
    std::reverse(segments_.begin(), segments_.end());
  }
  /// Those that were appended, from a place on.
  static std::unique_ptr<CommitStream> appended(Volume& volume, PartReader& parts, bool ring, Positions::Place from) {
    std::vector<std::uint32_t> segments = volume.segments();
    const auto superseded = volume.superseded();
    std::erase_if(segments, [&](std::uint32_t number) {
      return number < from.segment || is_compacted(number) || superseded.contains(number);
    });
    return std::make_unique<CommitStream>(volume, parts, ring, from, std::move(segments));
  }

  /// The next commit; null at the end. Faults go to `summary`. Errors: io.
  Result<Committed*> front(ReplaySummary& summary) {
    while (ready_.empty()) {
      if (next_entry_ == entries_.size()) {
        if (segments_.empty()) return nullptr;
        CAIRN_TRYV(open_segment(summary));
        continue;
      }
      CAIRN_TRYV(read_chunk(summary));
    }
    return &ready_.front();
  }
  std::uint64_t front_end() const { return ends_.front(); }
  void pop() {
    ready_.pop_front();
    ends_.pop_front();
  }
  std::uint64_t bytes_read() const { return bytes_read_ + reader_.bytes_read(); }

 private:
  Result<> open_segment(ReplaySummary& summary) {
    const std::uint32_t number = segments_.back();
    segments_.pop_back();
    const auto state = volume_.segment(number);
    entries_.clear();
    next_entry_ = 0;
    if (!state) return outcome::success();
    CAIRN_TRY(file_, file_of(number));
    identity_ = state->header.identity;
    segment_ = number;
    CAIRN_TRY(SegmentCommits commits, segment_commits(*file_, *state));
    bytes_read_ += commits.bytes_read;
    if (commits.footer_damage) {
      summary.faults.push_back({{volume_.id(), number, state->trailer->footer_offset}, "", *commits.footer_damage});
    }
    entries_ = std::move(commits.entries);
    if (number == from_.segment) {
      std::erase_if(entries_, [&](const CommitEntry& entry) { return entry.offset < from_.offset; });
    }
    return outcome::success();
  }

  Result<std::shared_ptr<io::File>> file_of(std::uint32_t number) {
    const auto it = files_.find(number);
    if (it != files_.end()) return it->second;
    CAIRN_TRY(auto file, volume_.open_for_reading(number));
    if (files_.size() >= 16) files_.erase(files_.begin());  // parts lie in this segment or the one before
    files_[number] = file;
    return file;
  }

  Result<> read_chunk(ReplaySummary& summary) {
    const std::size_t count = std::min(kChunkCommits, entries_.size() - next_entry_);
    std::vector<ReadRange> ranges(count);
    for (std::size_t i = 0; i < count; ++i) {
      const CommitEntry& entry = entries_[next_entry_ + i];
      ranges[i] = {file_.get(), entry.offset, kRecordHeaderBytes + std::uint64_t{entry.length}, {}, std::nullopt};
    }
    reader_.read(ranges);
    std::vector<Committed> chunk;
    std::vector<std::uint64_t> ends;
    std::uint64_t header_bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const CommitEntry& entry = entries_[next_entry_ + i];
      auto committed = decode(ranges[i], entry);
      if (!committed) {
        commits_lost_ = true;
        CAIRN_TRYV(report(summary, {{volume_.id(), segment_, entry.offset}, "", std::move(committed).error()}));
        continue;
      }
      if (!is_compacted(segment_) && volume_.moved(committed.value().record.sequence)) continue;
      if (const auto length = header_length(committed.value().record); length < kStreamedHeaderBytes)
        header_bytes += length;
      chunk.push_back(std::move(committed).value());
      ends.push_back(entry.offset + record_bytes(entry.length));
      if (header_bytes > kChunkHeaderBytes) {
        next_entry_ += i + 1;
        return read_headers(std::move(chunk), ends, summary);
      }
    }
    next_entry_ += count;
    return read_headers(std::move(chunk), ends, summary);
  }

  Result<Committed> decode(const ReadRange& range, const CommitEntry& entry) {
    if (range.error) return *range.error;
    const auto header = RecordHeader::decode(range.bytes.data(), identity_, entry.offset);
    if (!header || !is_commit(header->type) || header->payload_length != entry.length) {
      return fail(Errc::corrupt, "commit record header", entry.offset);
    }
    const Bytes payload = range.bytes.subspan(kRecordHeaderBytes);
    if (crc32c(payload) != header->payload_crc) return fail(Errc::corrupt, "commit record", entry.offset);
    Committed committed;
    committed.location = {volume_.id(), segment_, entry.offset};
    if (header->type == RecordType::event) {
      auto event = Event::decode(payload);
      if (!event) return fail(Errc::corrupt, event.error().where, entry.offset);
      committed.record.sequence = event.value().sequence;
      committed.event = std::make_shared<const Event>(std::move(event).value());
      return committed;
    }
    auto record = InstanceRecord::decode(payload);
    if (!record) return fail(Errc::corrupt, record.error().where, entry.offset);
    committed.record = std::move(record).value();
    return committed;
  }

  /// Errors: io, from a device that fails more than here and there: what it cannot read today is no damage yet.
  Result<> report(ReplaySummary& summary, Fault fault) {
    if (fault.error == Errc::io && ++unreadable_ > kMaxUnreadable) return std::move(fault.error);
    summary.faults.push_back(std::move(fault));
    return outcome::success();
  }

  /// The header of an instance from all its parts, one at a time.
  Result<dicom::Header> scan_parts(const InstanceRecord& record) {
    dicom::HeaderScanner scanner;
    for (const Part& part : record.parts) {
      CAIRN_TRY(const auto bytes, parts_.read(part));
      CAIRN_TRYV(scanner.feed(*bytes));
    }
    CAIRN_TRYV(scanner.finish());
    return scanner.take_header();
  }

  /// The ranges of segments that hold a commit's header extents.
  Result<> header_ranges(const InstanceRecord& record, std::vector<ReadRange>& ranges, bool& cannot_open) {
    auto part = record.parts.begin();
    std::uint64_t part_start = 0;
    for (const auto& extent : record.header_extents) {
      std::uint64_t at = extent.offset;
      const std::uint64_t end = extent.offset + extent.length;
      while (at < end) {
        while (part != record.parts.end() && part_start + part->length <= at) part_start += (part++)->length;
        if (part == record.parts.end() || part->location.volume != volume_.id()) {
          return fail(Errc::corrupt, "commit record parts");
        }
        const std::uint64_t piece = std::min(end, part_start + part->length) - at;
        const auto opened = file_of(part->location.segment);
        if (!opened) {
          cannot_open = opened.error() != Errc::not_found;
          return opened.error();
        }
        const auto& file = opened.value();
        held_.push_back(file);
        ranges.push_back(
            {file.get(), part->location.offset + kRecordHeaderBytes + (at - part_start), piece, {}, std::nullopt});
        at += piece;
      }
    }
    return outcome::success();
  }

  Result<> read_headers(std::vector<Committed> chunk, const std::vector<std::uint64_t>& ends, ReplaySummary& summary) {
    std::vector<ReadRange> ranges;
    std::vector<std::size_t> first(chunk.size() + 1);
    std::vector<std::optional<Error>> failed(chunk.size());
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      first[i] = ranges.size();
      if (header_length(chunk[i].record) >= kStreamedHeaderBytes) continue;
      bool cannot_open = false;
      if (auto found = header_ranges(chunk[i].record, ranges, cannot_open); !found) {
        if (cannot_open) return std::move(found).error();  // too many open files, say: no damage
        ranges.resize(first[i]);
        failed[i] = std::move(found).error();
      }
    }
    first[chunk.size()] = ranges.size();
    reader_.read(ranges);
    std::string joined;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const InstanceRecord& record = chunk[i].record;
      if (!failed[i]) {
        joined.clear();
        for (std::size_t r = first[i]; r < first[i + 1] && !failed[i]; ++r) {
          failed[i] = ranges[r].error;
          joined.append(as_text(ranges[r].bytes));
        }
      }
      if (!failed[i] && !chunk[i].event) {
        auto header = header_length(record) >= kStreamedHeaderBytes
                          ? scan_parts(record)
                          : dicom::HeaderScanner::rescan(record.header_extents, as_bytes(joined), record.stream_length);
        if (header && crc32c(as_bytes(header.value().bytes)) == record.header_crc) {
          chunk[i].header = std::move(header).value();
        } else if (auto damage = damaged_part(record)) {
          failed[i] = damage;
        } else if (header) {
          // The bytes are what was stored: the scan of this release keeps something else than the one that stored them.
          chunk[i].header = std::move(header).value();
        } else {
          failed[i] = std::move(header).error();
        }
      }
      if (failed[i]) {
        CAIRN_TRYV(report(summary, {chunk[i].location, record.sop_instance_uid, *failed[i]}));
        skipped_highest_ = std::max(skipped_highest_, record.sequence);
        continue;
      }
      ready_.push_back(std::move(chunk[i]));
      ends_.push_back(ends[i]);
    }
    held_.clear();
    return outcome::success();
  }

  std::optional<Error> damaged_part(const InstanceRecord& record) {
    for (const Part& part : record.parts) {
      if (auto bytes = parts_.read(part); !bytes) return std::move(bytes).error();
    }
    return std::nullopt;
  }

 public:
  Sequence skipped_highest() const { return skipped_highest_; }
  bool commits_lost() const { return commits_lost_; }
  std::uint32_t volume() const { return volume_.id(); }

 private:
  Volume& volume_;
  PartReader& parts_;
  BatchReader reader_;
  Positions::Place from_;
  std::vector<std::uint32_t> segments_;  ///< still to come, the next one last
  std::uint32_t segment_ = 0;
  std::shared_ptr<io::File> file_;
  Identity identity_{};
  std::vector<CommitEntry> entries_;
  std::size_t next_entry_ = 0;
  std::deque<Committed> ready_;
  std::deque<std::uint64_t> ends_;
  std::map<std::uint32_t, std::shared_ptr<io::File>> files_;
  std::vector<std::shared_ptr<io::File>> held_;  ///< while ranges point at them
  std::uint64_t bytes_read_ = 0;
  Sequence skipped_highest_ = 0;
  bool commits_lost_ = false;  ///< and with them their sequences
  std::size_t unreadable_ = 0;
};

/// A compacted segment, in the order of its first commit: the commits of different ones may interleave.
struct Compacted {
  Sequence first = 0;
  Volume* volume = nullptr;
  std::uint32_t segment = 0;
};

/// Those that hold commits after `applied`, the first last.
std::vector<Compacted> compacted_after(const std::map<std::uint32_t, Volume*>& volumes, Sequence applied) {
  std::vector<Compacted> out;
  for (const auto& [id, volume] : volumes) {
    const auto superseded = volume->superseded();
    for (const auto& [number, state] : volume->segment_states()) {
      if (!is_compacted(number) || superseded.contains(number)) continue;
      if (state.trailer && state.trailer->last_sequence <= applied) continue;
      out.push_back({state.header.first_sequence, volume, number});
    }
  }
  std::sort(out.begin(), out.end(), [](const Compacted& a, const Compacted& b) { return a.first > b.first; });
  return out;
}

/// A token that speaks of what this log does not have belongs to a longer log: the index is ahead, and wrong.
Result<> check_positions(const std::map<std::uint32_t, Volume*>& volumes, const Positions& positions,
                         std::optional<Fault>& ahead) {
  for (const auto& [id, place] : positions.volumes) {
    const auto volume = volumes.find(id);
    // Going on without it would give its sequence numbers to other instances.
    if (volume == volumes.end()) {
      log::error("a storage volume of the index is not configured", {{"volume", id}});
      return fail(Errc::not_found, "a storage volume that the index names: configure it, or reindex without it");
    }
    if (place.segment == 0) continue;  // nothing of it was applied
    if (volume->second->counts().segments == 0) {
      log::error("a storage volume of the index is empty", {{"volume", id}});
      return fail(Errc::not_found,
                  "segments of a storage volume that the index names: mount it, or reindex without it");
    }
    const auto state = volume->second->segment(place.segment);
    if (!state && !compacted_after({*volume}, 0).empty()) {
      return fail(Errc::mismatch, "index is older than a compaction");
    }
    if (!state || place.offset > state->tail) {
      ahead =
          Fault{{id, place.segment, place.offset}, "", fail(Errc::corrupt, "the log ends before what the index knew")};
      return fail(Errc::mismatch, "index is ahead of the log");
    }
  }
  return outcome::success();
}

}  // namespace

Result<SegmentCommits> segment_commits(io::File& file, const SegmentState& state) {
  SegmentCommits commits;
  if (!state.trailer) {
    commits.entries = state.commits;
    return commits;
  }
  const Trailer& trailer = *state.trailer;
  Window window(file, trailer.footer_offset + footer_bytes(trailer.commits));
  const auto footer = [&]() -> Result<std::vector<CommitEntry>> {
    CAIRN_TRY(const Bytes head, window.at(trailer.footer_offset, kRecordHeaderBytes));
    const auto header = RecordHeader::decode(head.data(), state.header.identity, trailer.footer_offset);
    if (!header || header->type != RecordType::footer ||
        header->payload_length != trailer.commits * std::uint64_t{kFooterEntryBytes}) {
      return fail(Errc::corrupt, "segment footer", trailer.footer_offset);
    }
    CAIRN_TRY(const Bytes payload, window.at(trailer.footer_offset + kRecordHeaderBytes, header->payload_length));
    if (crc32c(payload) != header->payload_crc) return fail(Errc::corrupt, "segment footer", trailer.footer_offset);
    return decode_footer(payload, trailer.tail);
  };
  auto entries = footer();
  commits.bytes_read = window.bytes_read();
  if (entries) {
    commits.entries = std::move(entries).value();
    return commits;
  }
  commits.footer_damage = std::move(entries).error();
  CAIRN_TRY(const SegmentScan scan, scan_segment(file, state.header, trailer.tail, trailer.tail));
  for (const RecordHeader& record : scan.records) {
    if (is_commit(record.type)) commits.entries.push_back({record.offset, record.payload_length});
  }
  commits.bytes_read += scan.bytes_read;
  return commits;
}

Result<ReplayResult> replay_volumes(const ReplayInput& input, const Positions& from, Applier& applier,
                                    std::optional<Fault>& ahead) {
  ReplayResult result;
  CAIRN_TRYV(check_positions(input.volumes, from, ahead));
  result.positions = from;
  Positions& positions = result.positions;
  ReplaySummary& summary = result.summary;
  result.highest = positions.applied;
  const Sequence already_applied = positions.applied;
  bool leap = input.volumes_absent;
  if (ahead) summary.faults.push_back(*ahead);

  std::vector<std::unique_ptr<CommitStream>> streams;
  for (const auto& [id, volume] : input.volumes) {
    const auto [place, is_new] = positions.volumes.try_emplace(id);  // each is named, whether or not it has commits
    streams.push_back(CommitStream::appended(*volume, input.parts, input.ring, place->second));
    if (is_new && already_applied > 0) {
      const auto numbers = volume->segments();
      if (!numbers.empty() && is_compacted(numbers.back())) {
        return fail(Errc::mismatch, "index was made without a storage volume");
      }
      CAIRN_TRY(const Committed* const first, streams.back()->front(summary));
      if (first != nullptr && first->record.sequence <= already_applied) {
        log::warning("a storage volume holds instances from before the index was made without it", {{"volume", id}});
        return fail(Errc::mismatch, "index was made without a storage volume");
      }
    }
    const auto& recovered = volume->recovered();
    leap = leap || recovered.commits_lost;
    summary.dropped_unfinished += recovered.dropped_unfinished;
    summary.bytes_read += recovered.bytes_read;
    summary.faults.insert(summary.faults.end(), recovered.faults.begin(), recovered.faults.end());
    for (const std::uint32_t number : volume->segments()) {
      const auto state = volume->segment(number);
      if (state && state->trailer) result.highest = std::max(result.highest, state->trailer->last_sequence);
    }
  }

  std::vector<Committed> batch;
  std::size_t batch_bytes = 0;
  const auto flush = [&]() -> Result<> {
    if (batch.empty()) return outcome::success();
    CAIRN_TRYV(applier.apply(batch, positions.encode()));
    batch.clear();
    batch_bytes = 0;
    return outcome::success();
  };
  const auto close = [&](const CommitStream& stream) {
    summary.bytes_read += stream.bytes_read();
    result.highest = std::max(result.highest, stream.skipped_highest());
    leap = leap || stream.commits_lost();
  };
  auto compacted = compacted_after(input.volumes, already_applied);
  Sequence last = 0;
  for (;;) {
    CommitStream* next = nullptr;
    Committed* commit = nullptr;
    for (auto stream = streams.begin(); stream != streams.end();) {
      CAIRN_TRY(Committed* const front, (*stream)->front(summary));
      if (front == nullptr) {
        close(**stream);
        stream = streams.erase(stream);
        continue;
      }
      if (commit == nullptr || front->record.sequence < commit->record.sequence) {
        commit = front;
        next = stream->get();
      }
      ++stream;
    }
    if (!compacted.empty() && (commit == nullptr || compacted.back().first <= commit->record.sequence)) {
      const Compacted& from_here = compacted.back();
      streams.push_back(std::make_unique<CommitStream>(*from_here.volume, input.parts, input.ring, Positions::Place{},
                                                       std::vector{from_here.segment}));
      compacted.pop_back();
      continue;
    }
    if (commit == nullptr) break;
    const bool was_compacted = is_compacted(commit->location.segment);
    if (commit->record.sequence <= already_applied) {
      // Answered with a failure when its write failed, and whole all the same; the index has gone on without it. (Only
      // where a volume failed before it could say so in a new segment, and another one went on.)
      if (!was_compacted) ++summary.dropped_unfinished;
      next->pop();
      continue;
    }
    const Location& location = commit->location;
    if (commit->record.sequence == last) {
      summary.faults.push_back(
          {location, commit->record.sop_instance_uid, fail(Errc::conflict, "another instance has the same sequence")});
      if (!was_compacted) positions.volumes[location.volume] = {location.segment, next->front_end()};
      next->pop();
      continue;
    }
    last = commit->record.sequence;
    if (!was_compacted) positions.volumes[location.volume] = {location.segment, next->front_end()};
    positions.applied = std::max(positions.applied, commit->record.sequence);
    ++summary.commits;
    batch_bytes += commit->header.bytes.size();
    batch.push_back(std::move(*commit));
    next->pop();
    if (batch.size() >= kApplyCommits || batch_bytes >= kApplyBytes) {
      CAIRN_TRYV(flush());
    }
  }
  CAIRN_TRYV(flush());
  result.highest = std::max(result.highest, positions.applied);
  if (leap) result.highest += kSequenceLeap;
  summary.last = positions.applied;
  return result;
}

}  // namespace cairn::store
