#include "engine/store/compactor.h"

#include <algorithm>

#include "engine/core/log.h"
#include "engine/store/compacted_writer.h"
#include "engine/store/record_copy.h"
#include "engine/store/replay.h"

namespace cairn::store {
namespace {

constexpr std::size_t kRelocations = 64;  // between two batches of the applier, which waits for them

}  // namespace

/// Segments that one compacted segment takes the place of.
struct Compactor::Group {
  std::vector<std::uint32_t> segments;
  std::uint64_t copy_bytes = 0;
  std::size_t moved = 0;
};

std::set<Identity> Compactor::all() const {
  std::set<Identity> identities;
  for (const auto& [id, volume] : volumes_) {
    const auto superseded = volume->superseded();
    for (const auto& [number, state] : volume->segment_states()) {
      if (is_compacted(number) && !superseded.contains(number)) identities.insert(state.header.identity);
    }
  }
  return identities;
}

Result<> Compactor::take_in() {
  CAIRN_TRY(const std::set<Identity> known, catalogue_.known_compacted());
  std::set<Identity> there = all();
  if (there == known) return outcome::success();
  for (const auto& [id, volume] : volumes_) {
    const auto superseded = volume->superseded();
    for (const std::uint32_t number : volume->segments()) {
      if (!is_compacted(number) || superseded.contains(number)) continue;
      const auto state = volume->segment(number);
      if (known.contains(state->header.identity)) continue;
      CAIRN_TRY(const bool whole, relocate(*volume, number, *state));
      if (!whole) there.erase(state->header.identity);
    }
  }
  return catalogue_.set_compacted(there);
}

// False where a commit cannot be read: then what this was made of stays too.
Result<bool> Compactor::relocate(Volume& volume, std::uint32_t number, const SegmentState& state) {
  CAIRN_TRY(const auto file, volume.open_for_reading(number));
  CAIRN_TRY(const SegmentCommits commits, segment_commits(*file, state));
  bool whole = state.trailer && !commits.footer_damage;
  std::vector<Relocation> batch;
  for (const CommitEntry& entry : commits.entries) {
    auto commit = read_commit_at(reader_, {volume.id(), number, entry.offset}, entry.length);
    if (!commit) {
      whole = false;
      log::error("a commit of a compacted segment cannot be read",
                 {{"volume", volume.id()}, {"segment", number}, {"offset", entry.offset}, {"cause", commit.error()}});
      continue;
    }
    if (!commit.value().record) continue;
    InstanceRecord& record = *commit.value().record;
    batch.push_back({std::move(record.sop_instance_uid), record.sequence, commit.value().location,
                     std::move(record.parts), record.until});
    if (batch.size() < kRelocations) continue;
    CAIRN_TRYV(catalogue_.relocate(batch));
    batch.clear();
  }
  if (!batch.empty()) {
    CAIRN_TRYV(catalogue_.relocate(batch));
  }
  return whole;
}

Result<> Compactor::all_replayed() {
  const std::set<Identity> there = all();
  CAIRN_TRY(const std::set<Identity> known, catalogue_.known_compacted());
  return there == known ? outcome::success() : catalogue_.set_compacted(there);
}

Result<> Compactor::retire() {
  CAIRN_TRY(const std::set<Identity> known, catalogue_.known_compacted());
  bool persisted = false;
  for (const auto& [id, volume] : volumes_) {
    std::set<std::uint32_t> retired;
    const auto states = volume->segment_states();
    for (const auto& [number, state] : states) {
      if (!known.contains(state.header.identity)) continue;
      for (const std::uint32_t source : state.header.sources) {
        if (states.contains(source)) retired.insert(source);
      }
    }
    if (retired.empty()) continue;
    if (!persisted) {
      CAIRN_TRYV(catalogue_.persist());
      persisted = true;
    }
    volume->retire(retired);
    reader_.forget(id, retired);
  }
  return outcome::success();
}

Result<CompactionReport> Compactor::run(const UnderWay& under_way, const CompactionOptions& options) {
  CompactionReport report;
  CAIRN_TRYV(take_in());
  CAIRN_TRYV(retire());
  report.finished = true;
  for (const auto& [id, volume] : volumes_) {
    auto done = this->volume(*volume, under_way, options, report);
    if (!done && done.error() == Errc::cancelled) report.finished = false;
    if (!report.finished) break;
    if (!done) return std::move(done).error();
  }
  return report;
}

Result<> Compactor::volume(Volume& volume, const UnderWay& under_way, const CompactionOptions& options,
                           CompactionReport& report) {
  if (!volume.may_compact()) return fail(Errc::io, "compacted segment of an earlier run");
  CAIRN_TRY(Positions persisted, Positions::decode(catalogue_.positions()));
  CAIRN_TRYV(catalogue_.persist());
  const SurveyInput input{volume, reader_, under_way, catalogue_, std::move(persisted), options};
  Survey survey(input);
  CAIRN_TRY(const bool surveyed, survey.run());
  if (!surveyed) return fail(Errc::cancelled, "compaction");

  std::vector<std::uint32_t> victims;
  for (const auto& [number, use] : survey.segments()) {
    const std::uint64_t garbage = use.file_bytes - std::min(use.file_bytes, use.kept_bytes);
    ++report.segments;
    report.bytes += use.file_bytes;
    report.garbage_bytes += garbage;
    // Instances that reach into it would be copied whole.
    std::uint64_t drawn_in = 0;
    for (const Visitor& visitor : use.visitors) drawn_in += visitor.copy_bytes;
    if (use.may_go && garbage > drawn_in && garbage * 100 >= use.file_bytes * options.least_garbage_percent) {
      victims.push_back(number);
    }
  }
  if (options.survey_only) return outcome::success();

  for (auto next = victims.begin(); next != victims.end();) {
    CAIRN_TRY(const io::Space space, volume.space());
    const std::uint64_t spared = volume.reserve_bytes() / 2;  // below it stores would be refused
    const std::uint64_t room = std::min(volume.segment_bytes(), space.free_bytes - std::min(space.free_bytes, spared));
    Group group;
    for (; next != victims.end() && group.segments.size() < kMaxSources; ++next) {
      const SegmentUse& use = survey.segments().at(*next);
      const auto state = volume.segment(*next);
      const std::size_t moved = use.visitors.size() + state->header.moved.size();
      std::uint64_t copy_bytes = use.kept_bytes;
      for (const Visitor& visitor : use.visitors) copy_bytes += visitor.copy_bytes;
      if (!group.segments.empty() && (group.copy_bytes + copy_bytes > room || group.moved + moved > kMaxMoved)) break;
      if (copy_bytes > room) {
        ++report.left_for_space;
        continue;
      }
      if (moved > kMaxMoved) continue;
      CAIRN_TRY(const bool accounted, survey.accounted_for(*next));
      if (!accounted) {
        ++report.left_for_damage;
        continue;
      }
      group.segments.push_back(*next);
      group.copy_bytes += copy_bytes;
      group.moved += moved;
    }
    if (group.segments.empty()) continue;
    CAIRN_TRYV(compact(volume, survey, group, options, report));
  }
  return outcome::success();
}

Result<> Compactor::compact(Volume& volume, const Survey& survey, const Group& group, const CompactionOptions& options,
                            CompactionReport& report) {
  struct Item {
    Sequence sequence = 0;
    Location location;
    std::uint32_t length = 0;
  };
  const std::set<std::uint32_t> sources(group.segments.begin(), group.segments.end());
  std::vector<Item> items;
  std::vector<Sequence> moved;
  std::uint64_t source_bytes = 0;
  for (const std::uint32_t number : group.segments) {
    const SegmentUse& use = survey.segments().at(number);
    const auto state = volume.segment(number);
    source_bytes += use.file_bytes;
    moved.insert(moved.end(), state->header.moved.begin(), state->header.moved.end());
    for (const CommitEntry& entry : use.commits) {
      const Location location{volume.id(), number, entry.offset};
      if (!options.spend(record_bytes(entry.length))) return fail(Errc::cancelled, "compaction");
      CAIRN_TRY(const CommitAt commit, read_commit_at(reader_, location, entry.length));
      if (!is_compacted(number) && volume.moved(commit.sequence())) continue;
      items.push_back({commit.sequence(), location, entry.length});
    }
    for (const Visitor& visitor : use.visitors) {
      if (!visitor.counts || volume.moved(visitor.sequence) || sources.contains(visitor.commit.segment)) continue;
      if (std::find(moved.begin(), moved.end(), visitor.sequence) != moved.end()) continue;
      items.push_back({visitor.sequence, visitor.commit, visitor.length});
      moved.push_back(visitor.sequence);
    }
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.sequence < b.sequence; });

  CompactedWriter writer(volume);
  CAIRN_TRYV(writer.open());
  RecordCopy copy(reader_, writer, options.spend);
  const auto fates = catalogue_.fates();
  std::uint64_t let_go = 0;
  for (const Item& item : items) {
    const auto copied = [&]() -> Result<> {
      CAIRN_TRY(const CommitAt commit, read_commit_at(reader_, item.location, item.length));
      if (!commit.record || item.sequence > fates->applied() || !RecordCopy::worth_cutting(*commit.record)) {
        return copy.whole(commit);
      }
      CAIRN_TRY(const Fate fate, fates->of(*commit.record));
      if (fate.kept) return copy.whole(commit);
      ++let_go;
      return copy.header_only(commit, fate.until);
    }();
    if (copied) continue;
    if (!copy.source_failed()) return copied;
    // Nothing was changed yet; these segments stay, and what is damaged in them is named.
    if (options.fault) options.fault({item.location, copy.sop_instance_uid(), copied.error()});
    if (group.segments.size() == 1) {
      ++report.left_for_damage;
      return outcome::success();
    }
    for (const std::uint32_t number : group.segments) {
      CAIRN_TRYV(compact(volume, survey, Group{{number}, 0, 0}, options, report));
    }
    return outcome::success();
  }
  if (auto finished = writer.finish(group.segments, std::move(moved), options.spend); !finished) return finished;
  CAIRN_TRYV(take_in());
  CAIRN_TRYV(retire());
  CAIRN_TRY(const std::uint64_t bytes, volume.segment_file_bytes(writer.number()));
  report.compacted += group.segments.size();
  ++report.written;
  report.let_go += let_go;
  report.reclaimed_bytes += static_cast<std::int64_t>(source_bytes) - static_cast<std::int64_t>(bytes);
  return outcome::success();
}

}  // namespace cairn::store
