// Opening and closing, and the way from each question to the part that answers it.
#include "engine/archive/archive.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "engine/archive/compaction.h"
#include "engine/archive/compare_content.h"
#include "engine/archive/directory_lock.h"
#include "engine/archive/following.h"
#include "engine/archive/query.h"
#include "engine/archive/receiver.h"
#include "engine/archive/removal.h"
#include "engine/archive/stream_reader.h"
#include "engine/core/log.h"
#include "engine/io/file_system.h"
#include "engine/store/index/index.h"

namespace cairn::archive {
namespace {

Instance instance_of(store::InstanceRow&& row) {
  Instance out;
  out.sequence = row.sequence;
  out.sop_class_uid = std::move(row.sop_class_uid);
  out.sop_instance_uid = std::move(row.sop_instance_uid);
  out.study_instance_uid = std::move(row.study_instance_uid);
  out.series_instance_uid = std::move(row.series_instance_uid);
  out.transfer_syntax_uid = std::move(row.transfer_syntax_uid);
  out.received_unix_ns = row.received_unix_ns;
  out.stream_length = row.stream_length;
  out.data_set_offset = row.data_set_offset;
  out.pixel_data = row.pixel_data;
  out.digest = row.digest;
  out.parts = std::move(row.parts);
  return out;
}

class LocalArchive final : public Archive, public Following {
 public:
  LocalArchive(Options options, io::WorkerPool& pool, DirectoryLock lock)
      : options_(std::move(options)),
        workers_(pool),
        lock_(std::move(lock)),
        buffers_(options_.in_flight_bytes, options_.part_bytes),
        counters_(std::make_shared<IngestCounters>()),
        compaction_({options_.restore_days, std::max<std::uint64_t>(options_.compaction_bytes_per_s, 1)}, closed_) {}
  ~LocalArchive() override { close(); }

  Result<> start();
  void close() override;

  Result<std::unique_ptr<Receiver>> receive(Source source, Announced announced) override;
  Result<> find(const Query& query, const std::function<bool(Match&&)>& each) override;
  Result<Instance> instance(std::string_view sop_instance_uid) override {
    return instance(sop_instance_uid, Reach::disk);
  }
  Result<Instance> instance_at_hand(std::string_view sop_instance_uid) override {
    return instance(sop_instance_uid, Reach::memory);
  }
  Result<std::vector<Instance>> instances(std::string_view study_uid, std::string_view series_uid) override;
  Result<> headers(std::string_view study_uid, std::string_view series_uid,
                   const std::function<bool(std::string_view, dicom::Header&&)>& each) override;
  Result<dicom::Header> header(std::string_view sop_instance_uid) override;
  std::uint64_t series_version(std::string_view study_uid, std::string_view series_uid) override;
  Task<Removed> remove(Target target, Asked asked, bool only_copy_too) override;
  Task<Removed> restore(store::Sequence removal, Asked asked) override;
  Result<> removed(const Target& within, const std::function<bool(Removed&&)>& each) override;
  Result<ExpiredFound> expired(const RetentionRule& rule, std::int64_t now_unix_ms, std::size_t limit,
                               ExpirySearch& search) override {
    CAIRN_TRY(const auto lock, reading());
    return find_expired(index_->view(), rule, now_unix_ms, limit, search);
  }
  Result<ChangesRead> changes(store::Sequence since, const std::function<bool(const store::Change&)>& each) override;
  std::shared_ptr<AppliedSignal> applied_signal(std::size_t most_waiting) override;
  std::unique_ptr<StreamReader> open(const Instance& instance) override;
  Result<store::CompactionReport> compact(bool survey_only,
                                          const std::function<void(const store::Fault&)>& fault) override;
  Result<> begin_compaction(bool survey_only) override;
  Result<std::uint64_t> scrub(const std::function<void(const store::Fault&)>& fault,
                              const std::function<void(std::uint64_t, std::uint64_t)>& progress) override {
    return log_->scrub(fault, progress);
  }
  Stats stats() override;
  Result<> dump_index(const std::function<void(std::string_view line)>& each) override;
  store::ReplaySummary opened_with() const override { return summary_; }

 private:
  Result<> open_index();
  Result<Instance> instance(std::string_view sop_instance_uid, Reach reach);
  Result<store::ReplaySummary> replay();
  Result<bool> index_belongs_to_log();
  void ring(store::Sequence applied);
  /// Held while the index is read, so that close() waits for it. Errors: closed.
  Result<std::shared_lock<std::shared_mutex>> reading();
  Result<std::optional<store::Removal>> removal(store::Sequence sequence);
  Result<bool> is_there(const Target& target);
  /// Series of a study in display order, or the one asked for.
  static Result<std::vector<std::string>> series_in_order(const store::IndexView& view, std::string_view study_uid,
                                                          std::string_view series_uid);

  Options options_;
  io::WorkerPool& workers_;
  DirectoryLock lock_;
  std::vector<DirectoryLock> volume_locks_;
  io::BufferPool buffers_;  // outlives the log, which holds buffers
  std::shared_ptr<IngestCounters> counters_;
  std::shared_ptr<store::Log> log_;
  std::unique_ptr<store::Index> index_;
  store::ReplaySummary summary_;
  bool summary_from_nothing_ = false;
  std::atomic<bool> closed_{false};
  std::shared_mutex index_mutex_;  // shared: index_ is read; exclusive: it is closed
  bool index_open_ = false;
  std::atomic<bool> followed_{false};  // who begins to follow reads the changes first
  std::mutex signals_mutex_;           // guards signals_
  std::vector<std::weak_ptr<AppliedSignal>> signals_;
  CompactionRun compaction_;
  /// What readers ask where parts are now; they may outlive the archive.
  struct Locator {
    std::shared_mutex mutex;  // guards archive
    LocalArchive* archive = nullptr;
  };
  std::shared_ptr<Locator> locator_ = std::make_shared<Locator>();
};

Result<> LocalArchive::start() {
  if (options_.log.volumes.empty()) options_.log.volumes.push_back({0, options_.directory / "volume0"});
  // A volume may lie outside the data directory, where the lock of another one would not guard it: recovery by a second
  // process would seal the segment that the first still writes.
  for (const store::VolumeOptions& volume : options_.log.volumes) {
    std::error_code ec;
    if (std::filesystem::equivalent(volume.directory, options_.directory, ec)) continue;  // held already
    CAIRN_TRY(DirectoryLock held, DirectoryLock::take(volume.directory));
    volume_locks_.push_back(std::move(held));
  }
  CAIRN_TRY(std::unique_ptr<store::Log> log, store::Log::open(options_.log, io::native_file_system()));
  log_ = std::move(log);
  CAIRN_TRYV(open_index());
  CAIRN_TRY(summary_, replay());
  for (const store::Fault& fault : summary_.faults) {
    log::error("log", {{"volume", fault.location.volume},
                       {"segment", fault.location.segment},
                       {"offset", fault.location.offset},
                       {"instance", fault.sop_instance_uid},
                       {"fault", fault.error}});
  }
  CAIRN_TRYV(log_->finish_compaction(*index_, summary_from_nothing_));
  index_open_ = true;
  locator_->archive = this;
  return log_->start(*index_);
}

Result<> LocalArchive::open_index() {
  store::IndexOptions o;
  o.directory = options_.directory / "index";
  o.unpersisted_records = options_.unpersisted_records;
  o.unpersisted_bytes = options_.unpersisted_bytes;
  o.cache_bytes = options_.index_cache_bytes;
  o.compare = [this](const store::InstanceRow& stored, const store::InstanceRecord& newer) {
    return compare_content(*log_, stored, newer);
  };
  o.applied = [this](store::Sequence sequence) { ring(sequence); };
  CAIRN_TRY(index_, store::Index::open(std::move(o)));
  return outcome::success();
}

// Whether the log has, where the index says, what the index says: for a few instances, since damage to one of them
// proves nothing. What lies on a storage volume that is absent is not asked for.
Result<bool> LocalArchive::index_belongs_to_log() {
  constexpr std::size_t kWitnesses = 8;
  CAIRN_TRY(const auto rows, index_->view().sample_instances(kWitnesses));
  bool asked = false;
  for (const store::InstanceRow& row : rows) {
    const auto& volumes = options_.log.volumes;
    const auto holds = [&](const store::VolumeOptions& v) { return v.id == row.commit.volume; };
    if (std::none_of(volumes.begin(), volumes.end(), holds)) continue;
    asked = true;
    const auto record = log_->read_commit(row.commit);
    if (!record) continue;
    if (record.value().sequence == row.sequence && record.value().sop_instance_uid == row.sop_instance_uid) return true;
  }
  return !asked;
}

// The tail, or all of it. An index that does not belong to this log, or knows more than the log does, is made anew.
Result<store::ReplaySummary> LocalArchive::replay() {
  const auto from_nothing = [this]() -> Result<store::ReplaySummary> {
    summary_from_nothing_ = true;
    index_->set_bulk(true);
    auto summary = log_->replay({}, *index_);
    index_->set_bulk(false);
    if (summary) {
      CAIRN_TRYV(index_->persist());
    }
    return summary;
  };
  const std::string positions = index_->positions();
  if (positions.empty()) return from_nothing();
  // What the index knows is proof that a volume is not new, also where the index itself is to be dropped.
  if (const Result<> met = log_->meet(positions); !met && met.error() == Errc::not_found) return met.error();
  if (options_.rebuild_index) {
    CAIRN_TRYV(index_->reset("asked for"));
    return from_nothing();
  }
  const char* reason = "it does not belong to this log";
  const Result<bool> belongs = index_belongs_to_log();
  if (!belongs) {
    if (!(belongs.error() == Errc::corrupt)) return belongs.error();
    reason = "it is damaged";
  } else if (belongs.value()) {
    CAIRN_TRYV(log_->take_in_compacted(*index_));
    auto summary = log_->replay(positions, *index_);
    if (summary) return summary;
    // Damage to the log is told as faults: what is corrupt here is the index.
    const Error& error = summary.error();
    if (!(error == Errc::mismatch || error == Errc::malformed || error == Errc::corrupt)) return summary;
    reason = error == Errc::corrupt ? "it is damaged" : "it is ahead of the log";
  }
  CAIRN_TRYV(index_->reset(reason));
  return from_nothing();
}

void LocalArchive::close() {
  if (closed_.exchange(true)) return;
  compaction_.wait();
  {
    const std::unique_lock lock(locator_->mutex);
    locator_->archive = nullptr;
  }
  if (log_) log_->stop();
  const std::unique_lock lock(index_mutex_);
  index_open_ = false;
  if (index_) {
    if (const Result<> closed = index_->close(); !closed) log::error("index", {{"close", closed.error()}});
  }
  volume_locks_.clear();
  lock_.release();
}

Result<std::unique_ptr<Receiver>> LocalArchive::receive(Source source, Announced announced) {
  if (closed_.load(std::memory_order_relaxed)) return fail(Errc::closed, "the archive is shutting down");
  CAIRN_TRY(std::unique_ptr<store::InstanceWriter> writer, log_->begin());
  return std::unique_ptr<Receiver>(
      std::make_unique<LogReceiver>(std::move(source), std::move(announced), std::move(writer), buffers_, counters_));
}

std::unique_ptr<StreamReader> LocalArchive::open(const Instance& instance) {
  auto locate = [locator = locator_, uid = instance.sop_instance_uid,
                 sequence = instance.sequence]() -> Result<std::vector<store::Part>> {
    const std::shared_lock lock(locator->mutex);
    if (locator->archive == nullptr) return fail(Errc::closed, "the archive is closed");
    return locator->archive->index_->parts_of(uid, sequence);
  };
  return std::make_unique<PartStreamReader>(log_, workers_, instance, std::move(locate));
}

Result<store::CompactionReport> LocalArchive::compact(bool survey_only,
                                                      const std::function<void(const store::Fault&)>& fault) {
  return compaction_.run(*log_, *index_, survey_only, fault);
}

Result<> LocalArchive::begin_compaction(bool survey_only) {
  return compaction_.begin(*log_, *index_, survey_only);
}

Result<std::shared_lock<std::shared_mutex>> LocalArchive::reading() {
  std::shared_lock lock(index_mutex_);
  if (!index_open_) return fail(Errc::closed, "the archive is closed");
  return lock;
}

Result<> LocalArchive::find(const Query& query, const std::function<bool(Match&&)>& each) {
  CAIRN_TRY(const auto lock, reading());
  return archive::find(index_->view(query.reach), query, each);
}

std::uint64_t LocalArchive::series_version(std::string_view study_uid, std::string_view series_uid) {
  const auto lock = reading();
  return lock ? index_->series_version(study_uid, series_uid) : 0;
}

Result<> LocalArchive::dump_index(const std::function<void(std::string_view line)>& each) {
  CAIRN_TRY(const auto lock, reading());
  return index_->dump(each);
}

Result<Instance> LocalArchive::instance(std::string_view sop_instance_uid, Reach reach) {
  CAIRN_TRY(const auto lock, reading());
  CAIRN_TRY(auto row, index_->view(reach).instance(sop_instance_uid));
  if (!row) return fail(Errc::not_found, "instance");
  return instance_of(std::move(*row));
}

Result<std::vector<std::string>> LocalArchive::series_in_order(const store::IndexView& view, std::string_view study_uid,
                                                               std::string_view series_uid) {
  std::vector<std::string> out;
  if (!series_uid.empty()) {
    out.emplace_back(series_uid);
    return out;
  }
  CAIRN_TRY(const auto all, view.series_of_study(study_uid));
  for (const auto& series : all) out.push_back(series.series_uid);
  return out;
}

Result<std::vector<Instance>> LocalArchive::instances(std::string_view study_uid, std::string_view series_uid) {
  CAIRN_TRY(const auto lock, reading());
  const store::IndexView view = index_->view();
  CAIRN_TRY(const auto series, series_in_order(view, study_uid, series_uid));
  std::vector<Instance> out;
  for (const std::string& uid : series) {
    CAIRN_TRYV(view.each_instance(study_uid, uid, [&](store::InstanceRow&& row) {
      out.push_back(instance_of(std::move(row)));
      return true;
    }));
  }
  if (out.empty()) return fail(Errc::not_found, series_uid.empty() ? "study" : "series");
  return out;
}

Result<> LocalArchive::headers(std::string_view study_uid, std::string_view series_uid,
                               const std::function<bool(std::string_view, dicom::Header&&)>& each) {
  CAIRN_TRY(const auto lock, reading());
  const store::IndexView view = index_->view();
  CAIRN_TRY(const auto series, series_in_order(view, study_uid, series_uid));
  bool any = false, more = true;
  std::optional<Error> error;
  for (const std::string& uid : series) {
    CAIRN_TRYV(view.each_header(study_uid, uid, [&](std::string_view sop_uid, std::string_view serialized) {
      auto header = dicom::Header::deserialize(as_bytes(serialized));
      if (!header) {
        error = header.error();
        return false;
      }
      any = true;
      return more = each(sop_uid, std::move(header).value());
    }));
    if (error) return *error;
    if (!more) break;
  }
  if (!any) return fail(Errc::not_found, series_uid.empty() ? "study" : "series");
  return outcome::success();
}

Result<dicom::Header> LocalArchive::header(std::string_view sop_instance_uid) {
  CAIRN_TRY(const auto lock, reading());
  const store::IndexView view = index_->view();
  CAIRN_TRY(const auto row, view.instance(sop_instance_uid));
  if (!row) return fail(Errc::not_found, "instance");
  CAIRN_TRY(const std::string serialized, view.header(*row));
  return dicom::Header::deserialize(as_bytes(serialized));
}

Result<std::optional<store::Removal>> LocalArchive::removal(store::Sequence sequence) {
  CAIRN_TRY(const auto lock, reading());
  return index_->view().removal(sequence);
}

Result<bool> LocalArchive::is_there(const Target& target) {
  CAIRN_TRY(const auto lock, reading());
  const store::IndexView view = index_->view();
  if (target.series_uid.empty()) {
    CAIRN_TRY(const auto study, view.study(target.study_uid));
    return study.has_value();
  }
  if (target.sop_instance_uid.empty()) {
    CAIRN_TRY(const auto series, view.series(target.study_uid, target.series_uid));
    return series.has_value();
  }
  CAIRN_TRY(const auto row, view.instance(target.sop_instance_uid));
  return row && row->study_instance_uid == target.study_uid && row->series_instance_uid == target.series_uid;
}

Task<Removed> LocalArchive::remove(Target target, Asked asked, bool only_copy_too) {
  CAIRN_CO_TRY(store::Event event, removal_event(target, std::move(asked), only_copy_too));
  CAIRN_CO_TRY(const bool there, is_there(target));
  if (!there) co_return fail(Errc::not_found, "what is to be removed");
  if (!only_copy_too)
    co_return fail(Errc::conflict, "no other copy is known: the only one is removed only when told so");
  const auto shared = std::make_shared<store::Event>(std::move(event));
  CAIRN_CO_TRY(const store::Outcome outcome, co_await append(log_, shared));
  if (outcome == store::Outcome::identical) co_return fail(Errc::not_found, "what is to be removed");
  // (Nothing any more when it was restored at once.)
  CAIRN_CO_TRY(const auto row, removal(shared->sequence));
  co_return removed_of(*shared, row ? row->instances : 0, row ? row->bytes : 0);
}

Task<Removed> LocalArchive::restore(store::Sequence sequence, Asked asked) {
  CAIRN_CO_TRY(const auto row, removal(sequence));
  if (!row) co_return fail(Errc::not_found, "removal");
  const auto final = fail(Errc::conflict, "the removal is final: compaction has let go of what it removed");
  if (row->forgotten != 0) co_return final;
  const auto shared = std::make_shared<store::Event>(restoration_event(*row, std::move(asked)));
  CAIRN_CO_TRY(const store::Outcome outcome, co_await append(log_, shared));
  if (outcome == store::Outcome::identical) co_return fail(Errc::not_found, "removal");
  if (outcome == store::Outcome::refused) {
    CAIRN_CO_TRY(const auto now, removal(sequence));
    if (now && now->forgotten != 0) co_return final;
    co_return fail(Errc::conflict, "a later removal of the same is to be undone first");
  }
  co_return removed_of(row->event, row->instances, row->bytes);
}

Result<> LocalArchive::removed(const Target& within, const std::function<bool(Removed&&)>& each) {
  CAIRN_TRY(const auto lock, reading());
  return index_->view().each_removal([&](store::Removal&& row) {
    if (!lies_within(row.event, within)) return true;
    Removed removed = removed_of(row.event, row.instances, row.bytes);
    removed.restorable = row.forgotten == 0;
    return each(std::move(removed));
  });
}

Result<ChangesRead> LocalArchive::changes(store::Sequence since,
                                          const std::function<bool(const store::Change&)>& each) {
  CAIRN_TRY(const auto lock, reading());
  const store::IndexView view = index_->view();
  ChangesRead out;
  CAIRN_TRY(out.applied, view.applied());
  if (since > out.applied) return fail(Errc::conflict, "position is ahead of this archive");
  out.next = out.applied;
  CAIRN_TRYV(view.each_change(since, [&](const store::Change& change) {
    if (each(change)) return true;
    out.next = change.sequence;
    return false;
  }));
  return out;
}

std::shared_ptr<AppliedSignal> LocalArchive::applied_signal(std::size_t most_waiting) {
  auto signal = std::make_shared<AppliedSignal>(most_waiting);
  const std::lock_guard lock(signals_mutex_);
  signals_.push_back(signal);
  followed_.store(true);
  return signal;
}

// On the applier's thread.
void LocalArchive::ring(store::Sequence applied) {
  if (!followed_.load()) return;
  const std::lock_guard lock(signals_mutex_);
  std::erase_if(signals_, [applied](const std::weak_ptr<AppliedSignal>& held) {
    const auto signal = held.lock();
    if (signal) signal->applied(applied);
    return !signal;
  });
}

Stats LocalArchive::stats() {
  Stats out;
  store::IndexState state;
  if (const auto lock = reading()) {
    state = index_->state();
    out.persisted = index_->persisted();
  }
  out.counts = {state.patients, state.studies, state.series, state.instances, state.history, state.bytes};
  out.volumes = log_->stats();
  out.committed = log_->last_committed();
  out.applied =
      log_->applied();  // also past sequences that nothing holds: voids, and the leap over what cannot be read
  out.received_instances = counters_->instances.load(std::memory_order_relaxed);
  out.received_bytes = counters_->bytes.load(std::memory_order_relaxed);
  out.identical = counters_->identical.load(std::memory_order_relaxed);
  out.replaced = counters_->replaced.load(std::memory_order_relaxed);
  out.refused = counters_->refused.load(std::memory_order_relaxed);
  out.failed = counters_->failed.load(std::memory_order_relaxed);
  out.compaction = compaction_.state();
  out.in_flight_bytes = buffers_.in_use_bytes();
  out.in_flight_budget_bytes = buffers_.budget_bytes();
  return out;
}

}  // namespace

Following* following_of(Archive& archive) noexcept {
  return dynamic_cast<Following*>(&archive);
}

Result<std::unique_ptr<Archive>> Archive::open(Options options, io::WorkerPool& pool) {
  CAIRN_TRY(DirectoryLock lock, DirectoryLock::take(options.directory));
  auto archive = std::make_unique<LocalArchive>(std::move(options), pool, std::move(lock));
  CAIRN_TRYV(archive->start());
  return std::unique_ptr<Archive>(std::move(archive));
}

}  // namespace cairn::archive
