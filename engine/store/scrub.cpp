#include "engine/store/scrub.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "engine/core/checksum.h"
#include "engine/store/event.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

using Place = std::pair<std::uint32_t, std::uint64_t>;  // segment, offset

class VolumeScrub {
 public:
  VolumeScrub(Volume& volume, const std::function<void(const Fault&)>& fault) : volume_(volume), fault_(fault) {}

  Result<> segment(std::uint32_t number, const SegmentState& state, const std::function<void(std::uint64_t)>& checked) {
    number_ = number;
    CAIRN_TRY(const auto file, volume_.open_for_reading(number));
    const std::uint64_t end =
        state.trailer ? state.trailer->footer_offset + footer_bytes(state.trailer->commits) : state.tail;
    CAIRN_TRY(const std::uint64_t size, file->size());
    if (size < end) {
      report(size, "", fail(Errc::corrupt, "segment is cut short", size));
    }
    Window window(*file, std::min(end, size));
    CAIRN_TRY(const Bytes block, window.at(0, kSegmentHeaderBytes));
    auto header = SegmentHeader::decode(block);
    blamed_.clear();
    if (!header || header.value().identity != state.header.identity) {
      report(0, "", damage(window, "segment header", 0, kSegmentHeaderBytes));
    }
    CAIRN_TRYV(records(window, state, checked));
    if (state.trailer) {
      CAIRN_TRYV(footer(window, state));
    }
    for (const std::uint64_t at : window.unreadable()) {
      if (!blamed_.contains(at)) report(at, "", fail(Errc::io, "segment cannot be read", at));
    }
    return outcome::success();
  }

  /// Damage that no commit has claimed.
  void finish() {
    for (const auto& [place, error] : damaged_) {
      number_ = place.first;
      report(place.second, "", error);
    }
  }

  std::uint64_t instances() const { return instances_; }

 private:
  struct Known {
    std::uint32_t length, crc;
    std::uint64_t instance_number;
  };

  void report(std::uint64_t offset, std::string uid, Error error) {
    fault_({{volume_.id(), number_, offset}, std::move(uid), error});
  }

  /// What is wrong with [from, to): it is not what was written, or the device does not say what it is.
  Error damage(const Window& window, const char* what, std::uint64_t from, std::uint64_t to) {
    const auto& unreadable = window.unreadable();
    const auto first = unreadable.lower_bound(io::block_down(from));
    const auto last = unreadable.lower_bound(to);
    blamed_.insert(first, last);
    return fail(first == last ? Errc::corrupt : Errc::io, what, from);
  }

  Result<> records(Window& window, const SegmentState& state, const std::function<void(std::uint64_t)>& checked) {
    RecordWalk walk(window, state.header.identity, kSegmentHeaderBytes);
    const std::uint64_t tail = std::min(state.tail, window.end());
    std::uint64_t told = 0;
    while (walk.position() < tail) {
      CAIRN_TRY(const auto record, walk.next());
      if (!record || record->offset >= tail) {
        const std::uint64_t gap = record ? tail : walk.position();
        if (gap >= tail) break;
        CAIRN_TRYV(walk.seek_record(gap + 8));
        damaged_.emplace(Place{number_, gap}, damage(window, "segment record", gap, walk.position()));
        continue;
      }
      CAIRN_TRY(const bool padded,
                zeros(window, record->offset + kRecordHeaderBytes + record->payload_length, walk.position()));
      if (!padded)
        damaged_.emplace(Place{number_, walk.position() - 8}, fail(Errc::corrupt, "padding", walk.position()));
      if (record->type == RecordType::part) {
        CAIRN_TRYV(part(window, *record));
      } else if (record->type == RecordType::commit) {
        CAIRN_TRYV(commit(window, *record));
      } else if (record->type == RecordType::event) {
        CAIRN_TRYV(event(window, *record));
      }
      checked(walk.position() - told);
      told = walk.position();
    }
    if (tail > told) checked(tail - told);
    return outcome::success();
  }

  static Result<bool> zeros(Window& window, std::uint64_t from, std::uint64_t to) {
    CAIRN_TRY(const Bytes bytes, window.at(from, to - from));
    for (const std::byte b : bytes) {
      if (b != std::byte{0}) return false;
    }
    return true;
  }

  Result<> part(Window& window, const RecordHeader& record) {
    CAIRN_TRY(const std::uint32_t crc, payload_crc(window, record));
    const Place place{number_, record.offset};
    if (crc != record.payload_crc) {
      damaged_.emplace(place, damage(window, "part", record.offset, record.offset + record.record_bytes()));
    } else {
      parts_[place] = {record.payload_length, record.payload_crc, record.instance_number};
    }
    return outcome::success();
  }

  Result<> commit(Window& window, const RecordHeader& header) {
    CAIRN_TRY(const Bytes payload, window.at(header.offset + kRecordHeaderBytes, header.payload_length));
    if (payload.size() != header.payload_length || crc32c(payload) != header.payload_crc) {
      report(header.offset, "", damage(window, "commit record", header.offset, header.offset + header.record_bytes()));
      return outcome::success();
    }
    auto decoded = InstanceRecord::decode(payload);
    if (!decoded) {
      report(header.offset, "", fail(Errc::corrupt, decoded.error().where, header.offset));
      return outcome::success();
    }
    const InstanceRecord& record = decoded.value();
    if (!is_compacted(number_) && volume_.moved(record.sequence)) return outcome::success();
    ++instances_;
    for (const Part& part : record.parts) {
      if (part.is_gone()) continue;
      const Place place{part.location.segment, part.location.offset};
      const auto known = parts_.find(place);
      if (known != parts_.end() && part.location.volume == volume_.id() && known->second.length == part.length &&
          known->second.crc == part.crc && known->second.instance_number == record.instance_number) {
        parts_.erase(known);
        continue;
      }
      const auto damage = damaged_.find(place);
      const Error error =
          damage != damaged_.end() ? damage->second : fail(Errc::corrupt, "part is missing", part.location.offset);
      if (damage != damaged_.end()) damaged_.erase(damage);
      fault_({part.location, record.sop_instance_uid, error});
    }
    return outcome::success();
  }

  Result<> event(Window& window, const RecordHeader& header) {
    CAIRN_TRY(const Bytes payload, window.at(header.offset + kRecordHeaderBytes, header.payload_length));
    if (payload.size() != header.payload_length || crc32c(payload) != header.payload_crc) {
      report(header.offset, "", damage(window, "event record", header.offset, header.offset + header.record_bytes()));
    } else if (auto decoded = Event::decode(payload); !decoded) {
      report(header.offset, "", fail(Errc::corrupt, decoded.error().where, header.offset));
    }
    return outcome::success();
  }

  Result<> footer(Window& window, const SegmentState& state) {
    const Trailer& trailer = *state.trailer;
    RecordWalk gap(window, state.header.identity, io::block_up(trailer.tail));
    CAIRN_TRY(const bool zero, gap.only_zeros_until(trailer.footer_offset));
    if (!zero) report(trailer.tail, "", damage(window, "space before the footer", trailer.tail, trailer.footer_offset));
    const std::uint64_t length = footer_bytes(trailer.commits);
    CAIRN_TRY(const Bytes bytes, window.at(trailer.footer_offset, length));
    bool good = bytes.size() == length;
    if (good) {
      const auto header = RecordHeader::decode(bytes.data(), state.header.identity, trailer.footer_offset);
      good = header && header->type == RecordType::footer &&
             header->payload_length == trailer.commits * std::uint64_t{kFooterEntryBytes} &&
             crc32c(bytes.subspan(kRecordHeaderBytes, header->payload_length)) == header->payload_crc &&
             decode_footer(bytes.subspan(kRecordHeaderBytes, header->payload_length), trailer.tail).has_value();
      const std::size_t used = kRecordHeaderBytes + trailer.commits * kFooterEntryBytes;
      for (const std::byte b : bytes.subspan(used, length - kTrailerBytes - used)) good = good && b == std::byte{0};
      const auto again =
          Trailer::decode(bytes.last(kTrailerBytes), state.header.identity, trailer.footer_offset + length);
      good = good && again && again->tail == trailer.tail;
    }
    if (!good) {
      report(trailer.footer_offset, "",
             damage(window, "segment footer", trailer.footer_offset, trailer.footer_offset + length));
    }
    return outcome::success();
  }

  Volume& volume_;
  const std::function<void(const Fault&)>& fault_;
  std::uint32_t number_ = 0;
  std::uint64_t instances_ = 0;
  std::set<std::uint64_t> blamed_;  ///< unreadable blocks of this segment that some report explains
  std::map<Place, Known> parts_;    ///< good, and of no commit yet
  std::map<Place, Error> damaged_;  ///< bad, and of no commit yet
};

}  // namespace

Result<std::uint64_t> scrub_volumes(const std::map<std::uint32_t, Volume*>& volumes,
                                    const std::function<void(const Fault&)>& fault,
                                    const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  struct Work {
    Volume* volume;
    std::map<std::uint32_t, SegmentState> segments;
  };
  std::vector<Work> work;
  std::uint64_t total = 0, done = 0, instances = 0;
  for (const auto& [id, volume] : volumes) {
    work.push_back({volume, volume->segment_states()});
    for (const auto& [number, state] : work.back().segments) total += state.tail;
  }
  for (const Work& item : work) {
    VolumeScrub scrub(*item.volume, fault);
    for (const auto& [number, state] : item.segments) {
      auto scrubbed = scrub.segment(number, state, [&](std::uint64_t bytes) {
        done += bytes;
        if (progress) progress(done, total);
      });
      if (scrubbed) continue;
      // A segment that was empty may have been removed since; anything else the disk does is a fault of that segment.
      if (scrubbed.error() == Errc::not_found && !item.volume->segment(number)) continue;
      fault({{item.volume->id(), number, scrubbed.error().offset}, "", scrubbed.error()});
    }
    scrub.finish();
    instances += scrub.instances();
  }
  return instances;
}

}  // namespace cairn::store
