#include "engine/store/survey.h"

#include <algorithm>

#include "engine/store/record_copy.h"
#include "engine/store/replay.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {

Result<CommitAt> read_commit_at(PartReader& reader, const Location& location, std::uint32_t length) {
  io::AlignedBytes memory;
  Bytes payload;
  CommitAt commit;
  commit.location = location;
  CAIRN_TRY(commit.header, reader.read_record(location, length, memory, payload));
  if (commit.header.type == RecordType::commit) {
    auto record = InstanceRecord::decode(payload);
    if (!record) return fail(Errc::corrupt, record.error().where, location.offset);
    commit.record = std::move(record).value();
  } else if (commit.header.type == RecordType::event) {
    auto event = Event::decode(payload);
    if (!event) return fail(Errc::corrupt, event.error().where, location.offset);
    commit.event = std::move(event).value();
    commit.event_payload = as_text(payload);
  } else {
    return fail(Errc::corrupt, "no commit record", location.offset);
  }
  return commit;
}

void Survey::report(const Location& location, const Error& error) const {
  if (in_.options.fault) in_.options.fault({location, "", error});
}

// Segments are taken as sealed first, then the instances on their way in, then the commits: so a part in a sealed
// segment belongs to a commit that is seen, to an instance that is on its way, or to nothing.
Result<bool> Survey::run() {
  Volume& volume = in_.volume;
  const auto superseded = volume.superseded();
  commits_lost_ = volume.recovered().commits_lost;
  sealed_ = volume.segment_states();
  first_unsealed_ = kFirstCompacted;
  for (const auto& [number, state] : sealed_) {
    there_.insert(number);
    if (!state.trailer) first_unsealed_ = std::min(first_unsealed_, number);
  }
  std::erase_if(sealed_, [](const auto& entry) { return !entry.second.trailer; });
  under_way_ = in_.under_way.all();
  const auto fates = in_.catalogue.fates();
  for (const std::uint32_t number : volume.segments()) {
    if (superseded.contains(number)) continue;
    const auto state = volume.segment(number);
    if (!state) continue;
    CAIRN_TRY(const bool go_on, segment(number, *state, *fates));
    if (!go_on) return false;
  }
  return true;
}

bool Survey::may_go(std::uint32_t number, const SegmentState& state) const {
  if (!sealed_.contains(number) || state.poisoned) return false;
  if (is_compacted(number)) return true;
  // The place from which the index is brought up to date stays, and all behind it.
  const auto place = in_.persisted.volumes.find(in_.volume.id());
  if (place == in_.persisted.volumes.end() || number >= place->second.segment) return false;
  // So do what a header says of segments that are not sealed, and the proof that what they hold was flushed.
  if (first_unsealed_ < number) return false;
  return std::none_of(state.header.poisoned.begin(), state.header.poisoned.end(),
                      [&](const Poisoned& poisoned) { return there_.contains(poisoned.segment); });
}

Result<bool> Survey::segment(std::uint32_t number, const SegmentState& state, Fates& fates) {
  SegmentUse& use = segments_[number];
  const std::uint32_t volume = in_.volume.id();
  CAIRN_TRY(use.file_bytes, in_.volume.segment_file_bytes(number));
  use.may_go = may_go(number, state);
  CAIRN_TRY(const auto file, in_.volume.open_for_reading(number));
  CAIRN_TRY(SegmentCommits commits, segment_commits(*file, state));
  if (commits.footer_damage) {
    report({volume, number, state.trailer->footer_offset}, *commits.footer_damage);
    use.may_go = false;
  }
  use.kept_bytes += kSegmentHeaderBytes + footer_bytes(commits.entries.size());
  for (const CommitEntry& entry : commits.entries) {
    if (!in_.options.spend(record_bytes(entry.length))) return false;
    const Location location{volume, number, entry.offset};
    const auto commit = read_commit_at(in_.reader, location, entry.length);
    if (!commit) {
      report(location, commit.error());
      use.may_go = false;
      commits_lost_ = true;
      continue;
    }
    if (commit.value().sequence() > in_.persisted.applied) use.may_go = false;
    if (!commit.value().record) {
      use.kept_bytes += record_bytes(entry.length);
      continue;
    }
    const InstanceRecord& record = *commit.value().record;
    const bool elsewhere = !is_compacted(number) && in_.volume.moved(record.sequence);
    if (!elsewhere) use.kept_bytes += record_bytes(entry.length);
    Fate fate;
    if (!elsewhere && record.sequence <= fates.applied()) {
      CAIRN_TRY(fate, fates.of(record));
      fate.kept = fate.kept || !RecordCopy::worth_cutting(record);
    }
    std::uint64_t header_bytes = 0;
    for (const auto& extent : record.header_extents) header_bytes += record_bytes(extent.length);
    const std::uint64_t copy_bytes = elsewhere ? 0 : fate.kept ? record.stream_length : header_bytes;
    for (const Part& part : record.parts) {
      if (part.is_gone()) continue;
      const std::uint32_t in = part.location.segment;
      if (in != number && !there_.contains(in)) continue;  // it is elsewhere now
      SegmentUse& used = segments_[in];
      if (!elsewhere && fate.kept) used.kept_bytes += record_bytes(part.length);
      if (!elsewhere && !fate.kept) used.kept_bytes += std::exchange(header_bytes, 0);
      if (in == number) continue;
      if (!used.visitors.empty() && used.visitors.back().sequence == record.sequence) continue;
      used.visitors.push_back(
          {record.sequence, record.instance_number, location, entry.length, !elsewhere, copy_bytes});
      // Its commit is not yet where it stays.
      if (!elsewhere && !(sealed_.contains(number) && record.sequence <= in_.persisted.applied)) used.may_go = false;
    }
  }
  if (use.may_go) use.commits = std::move(commits.entries);
  return true;
}

Result<bool> Survey::accounted_for(std::uint32_t number) const {
  const SegmentUse& use = segments_.at(number);
  const SegmentState& state = sealed_.at(number);
  const std::uint32_t volume = in_.volume.id();
  std::set<std::uint64_t> claimed;
  for (const Visitor& visitor : use.visitors) claimed.insert(visitor.instance_number);
  CAIRN_TRY(const auto file, in_.volume.open_for_reading(number));
  Window window(*file, state.tail);
  RecordWalk walk(window, state.header.identity, kSegmentHeaderBytes);
  std::set<std::uint64_t> unclaimed;
  std::size_t commits = 0;
  while (walk.position() < state.tail) {
    CAIRN_TRY(const auto record, walk.next());
    if (!in_.options.spend(io::kBlockBytes)) return fail(Errc::cancelled, "compaction");
    if (!record) {
      const std::uint64_t gap = walk.position();
      if (gap >= state.tail) break;
      report({volume, number, gap}, fail(Errc::corrupt, "segment record", gap));
      return false;
    }
    if (record->type == RecordType::part) {
      unclaimed.insert(record->instance_number);
    } else if (is_commit(record->type)) {
      claimed.insert(record->instance_number);
      if (commits == use.commits.size() || use.commits[commits].offset != record->offset) {
        report({volume, number, record->offset}, fail(Errc::corrupt, "segment footer", record->offset));
        return false;
      }
      ++commits;
    }
  }
  if (commits != use.commits.size()) {
    report({volume, number, state.tail}, fail(Errc::corrupt, "segment footer", state.tail));
    return false;
  }
  for (const std::uint64_t instance : unclaimed) {
    if (claimed.contains(instance)) continue;
    if (commits_lost_ || under_way_.contains(instance)) return false;
  }
  return true;
}

}  // namespace cairn::store
