#include "engine/store/log_impl.h"

#include <algorithm>
#include <set>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/store/compactor.h"
#include "engine/store/replay.h"
#include "engine/store/scrub.h"

namespace cairn::store {
namespace {

constexpr std::uint64_t kSmallestSegment = 64u << 10;

class Writer final : public InstanceWriter {
 public:
  Writer(Appender& appender, std::uint64_t instance_number, const std::shared_ptr<UnderWay>& under_way)
      : appender_(appender), state_(std::make_shared<WriterState>(instance_number, under_way)) {}

  void append(io::Buffer buffer, std::size_t length, std::uint32_t crc) override {
    if (length == 0) return;
    push(std::move(buffer), length, crc, nullptr);
  }

  void commit(io::Buffer buffer, std::size_t length, std::uint32_t crc, InstanceRecord record, dicom::Header header,
              CommitDone done) override {
    push(std::move(buffer), length, crc,
         std::make_unique<CommitRequest>(
             CommitRequest{std::move(record), std::move(header), std::move(done), {}, state_}));
  }

 private:
  void push(io::Buffer buffer, std::size_t length, std::uint32_t crc, std::unique_ptr<CommitRequest> commit) {
    CAIRN_CHECK(length == 0 || (buffer && length <= buffer.size() - kPartHeadRoom));
    appender_.push({state_, std::move(buffer), length, crc, std::move(commit)});
  }

  Appender& appender_;
  std::shared_ptr<WriterState> state_;
};

}  // namespace

Result<std::unique_ptr<Log>> Log::open(LogOptions options, io::FileSystem& files) {
  CAIRN_TRY(auto log, LogImpl::open(std::move(options), files, Threads::own));
  return std::unique_ptr<Log>(std::move(log));
}

LogImpl::LogImpl(LogOptions options, Threads threads, Sabotage sabotage)
    : options_(std::move(options)), threads_(threads), sabotage_(sabotage) {}

Result<std::unique_ptr<LogImpl>> LogImpl::open(LogOptions options, io::FileSystem& files, Threads threads,
                                               Sabotage sabotage) {
  if (options.volumes.empty()) return fail(Errc::missing, "storage volume");
  if (options.segment_bytes < kSmallestSegment) return fail(Errc::limit_exceeded, "segment_bytes");
  std::unique_ptr<LogImpl> log(new LogImpl(std::move(options), threads, sabotage));
  std::optional<Identity> archive;
  for (const VolumeOptions& volume_options : log->options_.volumes) {
    auto [it, is_new] = log->volumes_.try_emplace(volume_options.id);
    if (!is_new) return fail(Errc::conflict, "storage volume id");
    it->second = std::make_unique<Volume>(volume_options, log->options_, files);
    log->volume_map_[volume_options.id] = it->second.get();
    CAIRN_TRY(const auto belongs, it->second->read_volume_file());
    if (!belongs) {
      log->fresh_.insert(volume_options.id);
    } else if (archive && *archive != *belongs) {
      return fail(Errc::mismatch, "storage volume of another archive");
    } else {
      archive = belongs;
    }
  }
  if (!archive) files.random(archive.emplace());
  CAIRN_TRYV(log->meet_volumes(*archive));
  for (auto& [id, volume] : log->volumes_) {
    CAIRN_TRYV(volume->look());
  }
  log->reader_ = std::make_unique<PartReader>(log->volume_map_, log->options_.read_cache_bytes);
  // Instance numbers never repeat as long as fewer than a million instances begin in each millisecond of the archive's
  // life.
  log->instance_numbers_ = static_cast<std::uint64_t>(files.now_unix_ns() / 1'000'000) << 20;
  return log;
}

// What is empty is a new volume, unless the archive had it before: then it is a mount point.
Result<> LogImpl::meet_volumes(const Identity& archive) {
  std::map<std::uint32_t, std::set<std::uint32_t>> remembered;
  for (const auto& [id, volume] : volumes_) {
    if (!fresh_.contains(id)) known_.merge(std::set(remembered[id] = volume->known_volumes()));
  }
  for (const std::uint32_t id : fresh_) {
    if (known_.contains(id)) return nothing_left(id);
    volumes_.at(id)->join(archive);
  }
  for (const auto& [id, volume] : volumes_) known_.insert(id);
  if (known_.size() > kMaxVolumes) return fail(Errc::limit_exceeded, "storage volumes");
  for (const std::uint32_t id : known_) {
    if (volumes_.contains(id)) continue;
    log::warning("a storage volume of the archive is absent", {{"volume", id}});
    volumes_absent_ = true;
  }
  for (const auto& [id, volumes] : remembered) {
    if (volumes != known_) unaware_.insert(id);
  }
  return outcome::success();
}

Error LogImpl::nothing_left(std::uint32_t id) {
  log::error("nothing is left of a storage volume: it is not mounted, or lost (a new one takes a new id)",
             {{"volume", id}});
  return fail(Errc::not_found, "a storage volume of the archive");
}

Result<> LogImpl::none_emptied(const Positions& from) {
  for (const std::uint32_t id : fresh_) {
    if (from.volumes.contains(id)) return nothing_left(id);
  }
  return outcome::success();
}

Result<> LogImpl::meet(std::string_view positions) {
  CAIRN_TRY(const Positions from, Positions::decode(positions));
  return none_emptied(from);
}

// Only now is anything written: the index has been asked, too, whether it knows a volume that seems new.
Result<> LogImpl::take_in_volumes(const Positions& from) {
  CAIRN_TRYV(none_emptied(from));
  for (const std::uint32_t id : fresh_) {
    CAIRN_TRYV(volumes_.at(id)->create_volume_file());
  }
  for (const std::uint32_t id : fresh_) {
    CAIRN_TRYV(volumes_.at(id)->write_known_volumes(known_));
  }
  for (const std::uint32_t id : unaware_) {
    if (auto written = volumes_.at(id)->write_known_volumes(known_); !written) {
      if (!fresh_.empty()) return written;
      log::warning("a storage volume could not note which others there are",
                   {{"volume", id}, {"cause", written.error()}});
    }
  }
  fresh_.clear();
  unaware_.clear();
  return outcome::success();
}

LogImpl::~LogImpl() {
  if (threads_ == Threads::own) stop();
}

Result<ReplaySummary> LogImpl::replay(std::string_view positions, Applier& applier) {
  CAIRN_CHECK(!started_);
  const bool ring = options_.use_ring && threads_ == Threads::own;
  CAIRN_TRY(const Positions from, Positions::decode(positions));
  CAIRN_TRYV(take_in_volumes(from));
  for (auto& [id, volume] : volumes_) {
    if (recovered_) break;
    const auto place = from.volumes.find(id);
    CAIRN_TRYV(volume->recover(place == from.volumes.end() ? ProvenPlace{}
                                                           : ProvenPlace{place->second.segment, place->second.offset}));
  }
  recovered_ = true;
  auto replayed = replay_volumes({volume_map_, *reader_, ring, volumes_absent_}, from, applier, ahead_);
  if (!replayed) return std::move(replayed).error();
  ReplayResult& result = replayed.value();
  positions_ = std::move(result.positions);
  positions_.applied = result.highest;  // voids and damaged commits are not waited for
  sequences_ = result.highest;
  replayed_ = true;
  return std::move(result.summary);
}

Result<> LogImpl::start(Applier& applier) {
  CAIRN_CHECK(replayed_ && !started_);
  const bool threaded = threads_ == Threads::own;
  applied_ = std::make_unique<ApplyQueue>(threaded);
  applied_->start(applier, positions_);
  std::vector<Volume*> volumes;
  for (auto& [id, volume] : volumes_) {
    (void)volume->free_bytes();  // before two threads can ask for the first time at once, and one see nothing free
    appenders_.push_back(std::make_unique<Appender>(*volume, *applied_, sequences_, options_.use_ring, sabotage_));
    if (threaded) appenders_.back()->start_thread();
    volumes.push_back(volume.get());
  }
  maker_ = std::make_unique<SegmentMaker>(std::move(volumes), options_.prewritten_bytes, options_.prewrite_bytes_per_s,
                                          [this] {
                                            std::uint64_t bytes = 0;
                                            for (const auto& appender : appenders_) bytes += appender->appended_bytes();
                                            return bytes;
                                          });
  if (threaded) maker_->start_thread();
  started_ = true;
  return outcome::success();
}

void LogImpl::stop() {
  if (!started_ || stopped_.exchange(true)) return;
  if (threads_ == Threads::own) maker_->stop();
  for (auto& appender : appenders_) appender->stop();
  if (threads_ == Threads::own) applied_->stop();
}

Result<std::unique_ptr<InstanceWriter>> LogImpl::begin() {
  CAIRN_TRY(Appender* const appender, roomiest(false));
  return std::unique_ptr<InstanceWriter>(
      std::make_unique<Writer>(*appender, instance_numbers_.fetch_add(1, std::memory_order_relaxed) + 1, under_way_));
}

Result<> LogImpl::append(std::shared_ptr<Event> event, CommitDone done) {
  CAIRN_TRYV(event->check());
  CAIRN_TRY(Appender* const appender, roomiest(true));
  auto commit = std::make_unique<CommitRequest>();
  commit->done = std::move(done);
  commit->event = std::move(event);
  appender->push({std::make_shared<WriterState>(), {}, 0, 0, std::move(commit)});
  return outcome::success();
}

Result<Appender*> LogImpl::roomiest(bool at_reserve_too) {
  if (!started_ || stopped_) return fail(Errc::closed, "log");
  Appender* best = nullptr;
  std::uint64_t best_free = 0;
  std::optional<Error> refusal;
  std::size_t index = 0;
  for (auto& [id, volume] : volumes_) {
    Appender& appender = *appenders_[index++];
    auto refused = appender.refusal();
    if (refused && !(at_reserve_too && *refused == Errc::out_of_space)) {
      if (!refusal || *refused == Errc::out_of_space) refusal = refused;
      continue;
    }
    if (volumes_.size() == 1) {
      best = &appender;
      break;
    }
    const std::uint64_t free = volume->free_bytes() + volume->counts().spares * options_.segment_bytes;
    if (best == nullptr || free > best_free) {
      best = &appender;
      best_free = free;
    }
  }
  if (best == nullptr) return *refusal;
  return best;
}

Result<PartBytes> LogImpl::read(const Part& part) {
  return reader_->read(part);
}

Result<InstanceRecord> LogImpl::read_commit(const Location& location) {
  return reader_->read_commit(location);
}

Result<std::uint64_t> LogImpl::scrub(const std::function<void(const Fault&)>& fault,
                                     const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  return scrub_volumes(volume_map_, fault, progress);
}

Result<> LogImpl::take_in_compacted(Catalogue& index) {
  return Compactor(volume_map_, *reader_, index).take_in();
}

Result<> LogImpl::finish_compaction(Catalogue& index, bool replayed_all) {
  Compactor compactor(volume_map_, *reader_, index);
  CAIRN_TRYV(replayed_all ? compactor.all_replayed() : compactor.take_in());
  return compactor.retire();
}

Result<CompactionReport> LogImpl::compact(Catalogue& index, const CompactionOptions& options) {
  CAIRN_CHECK(started_);
  const std::unique_lock lock(compacting_, std::try_to_lock);
  if (!lock) return fail(Errc::conflict, "compaction is running");
  const UnderWay none;
  return Compactor(volume_map_, *reader_, index)
      .run(sabotage_ == Sabotage::compact_what_is_under_way ? none : *under_way_, options);
}

std::vector<VolumeStats> LogImpl::stats() const {
  std::vector<VolumeStats> all;
  std::size_t index = 0;
  for (const auto& [id, volume] : volumes_) {
    VolumeStats& stats = all.emplace_back();
    stats.id = id;
    const Volume::Counts counts = volume->counts();
    stats.segments = counts.segments;
    stats.sealed = counts.sealed;
    stats.poisoned = counts.poisoned;
    stats.prewritten = counts.spares;
    stats.free_bytes = volume->free_bytes();
    stats.device_bytes = volume->prewritten_bytes();
    if (!started_) continue;
    Appender& appender = *appenders_[index++];
    stats.appended_bytes = appender.appended_bytes();
    stats.durable_bytes = appender.durable_bytes();
    stats.device_bytes += appender.device_bytes();
    stats.queue_depth = appender.queue_depth();
    stats.failed = appender.failed();
    const std::optional<Error> refusal = appender.refusal();
    stats.full = refusal && *refusal == Errc::out_of_space;
    stats.batch_instances = appender.batch_instances().snapshot();
    stats.flush_us = appender.flush_us().snapshot();
  }
  return all;
}

Sequence LogImpl::applied() const {
  return applied_ ? applied_->applied() : positions_.applied;
}

Sequence LogImpl::last_committed() const {
  return sequences_.load(std::memory_order_relaxed);
}

bool LogImpl::step() {
  CAIRN_CHECK(threads_ == Threads::caller);
  bool did = false;
  for (auto& appender : appenders_) did |= appender->step();
  return did;
}

bool LogImpl::step_maker() {
  CAIRN_CHECK(threads_ == Threads::caller);
  return !stopped_ && maker_->step();
}

bool LogImpl::finished() const {
  return std::all_of(appenders_.begin(), appenders_.end(), [](const auto& appender) { return appender->finished(); });
}

}  // namespace cairn::store
