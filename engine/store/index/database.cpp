#include "engine/store/index/database.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <mutex>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>

#include "engine/core/log.h"
#include "engine/store/index/key_tree.h"

namespace cairn::store {
namespace {

// Never reached: this module decides when to flush, and back-pressure comes from the log, not from stalls in here.
constexpr int kNoStall = 1'000'000;
constexpr std::size_t kWriteBufferBytes = std::size_t{1} << 30;
constexpr int kWriteBuffers = 64;
// Rows beyond this (structure sets, part lists of huge instances) go to blob files, so that compaction does not copy
// them.
constexpr std::uint64_t kMinBlobBytes = 32 * 1024;

struct Tuning {
  Family family;
  const char* name;
  double filter_bits;  // per key; 0: ranges only
  std::size_t block_bytes;
  bool memtable_filter;  // point look-ups of absent keys on the ingest path
  bool blobs;
  // Read key by key for every answer: filters and indexes of its files stay in memory, blocks find their keys by hash.
  bool point_reads;
};
constexpr Tuning kTuning[] = {
    {Family::meta, "default", 0, 4096, false, false, false},
    {Family::instance, "instance", 12, 8192, true, true, true},
    {Family::header, "header", 12, 32768, false, true, false},
    {Family::series, "series", 12, 8192, false, false, true},
    {Family::study, "study", 12, 8192, true, false, true},
    {Family::list, "list", 12, 8192, true, false, true},
    {Family::history, "history", 0, 32768, false, true, false},
    {Family::removed, "removed", 0, 32768, false, true, false},
    {Family::changes, "changes", 0, 16384, false, false, false},
};
static_assert(std::size(kTuning) == kFamilies);

rocksdb::ColumnFamilyOptions family_options(const Tuning& t, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = kWriteBufferBytes;
  o.memtable_factory = key_tree_factory();
  o.arena_block_size = 1u << 20;
  o.max_write_buffer_number = kWriteBuffers;
  o.level0_file_num_compaction_trigger = 6;
  o.level0_slowdown_writes_trigger = kNoStall;
  o.level0_stop_writes_trigger = kNoStall;
  o.soft_pending_compaction_bytes_limit = 0;
  o.hard_pending_compaction_bytes_limit = 0;
  o.level_compaction_dynamic_level_bytes = true;
  o.target_file_size_base = 32u << 20;
  o.max_bytes_for_level_base = 128u << 20;
  if (t.memtable_filter) {
    o.memtable_prefix_bloom_size_ratio = 0.001;  // 1 MiB: 12 bits for each of 700,000 rows
    o.memtable_whole_key_filtering = true;
  }
  // Young files cheaply; the bottom, where nearly all data ends up, well: dictionaries find what headers have in
  // common.
  o.compression = rocksdb::kLZ4Compression;
  o.bottommost_compression = rocksdb::kZSTD;
  o.bottommost_compression_opts.enabled = true;
  o.bottommost_compression_opts.level = 3;
  o.bottommost_compression_opts.max_dict_bytes = 32 * 1024;
  o.bottommost_compression_opts.zstd_max_train_bytes = 1u << 20;
  o.bottommost_compression_opts.max_dict_buffer_bytes = 4u << 20;
  o.enable_blob_files = t.blobs;
  o.min_blob_size = kMinBlobBytes;
  o.blob_compression_type = rocksdb::kZSTD;
  o.enable_blob_garbage_collection = true;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = t.block_bytes;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.optimize_filters_for_memory = true;
  if (t.point_reads) {
    table.metadata_cache_options.unpartitioned_pinning = rocksdb::PinningTier::kAll;
    table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  }
  if (t.filter_bits > 0) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(t.filter_bits));
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

// RocksDB keeps its notes in a file of its own unless told otherwise, and with assertions on (as Debian builds it) a
// full disk under that file ends the process.
class Notes final : public rocksdb::Logger {
 public:
  Notes() : rocksdb::Logger(rocksdb::InfoLogLevel::ERROR_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list values) override { Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, values); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list values) override {
    if (level < rocksdb::InfoLogLevel::ERROR_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
    std::array<char, 512> text;
    std::vsnprintf(text.data(), text.size(), format, values);
    log::error("index", {{"rocksdb", std::string_view(text.data())}});
  }
};

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions o;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.atomic_flush = true;
  o.paranoid_checks = true;
  o.max_open_files = -1;  // opening looks at every file, so a missing or shortened one shows at once
  o.max_background_jobs = 2;
  o.allow_concurrent_memtable_write = false;  // one writer
  o.enable_write_thread_adaptive_yield = false;
  o.avoid_flush_during_shutdown = true;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  o.info_log = std::make_shared<Notes>();
  o.bytes_per_sync = 1u << 20;
  o.env = rocksdb::Env::Default();
  o.env->SetBackgroundThreads(1, rocksdb::Env::HIGH);
  o.env->SetBackgroundThreads(1, rocksdb::Env::LOW);
  o.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW);  // compaction gives way to ingest and reads
  return o;
}

}  // namespace

const char* name_of(Family family) noexcept {
  return family == Family::meta ? "meta" : kTuning[static_cast<std::size_t>(family)].name;
}

rocksdb::ReadOptions read_options(const rocksdb::Snapshot* snapshot, Reach reach) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  if (reach == Reach::memory) options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

Error translate(const rocksdb::Status& status, const char* where) noexcept {
  if (status.IsIncomplete()) return out_of_reach();
  if (status.IsCorruption()) return fail(Errc::corrupt, where);
  if (status.IsNoSpace()) return fail(Errc::out_of_space, where);
  if (status.IsIOError() || status.IsPathNotFound()) return fail(Errc::io, where);
  return fail(Errc::internal, where);
}

// Every write touches the family `meta`, and families are flushed together: the highest RocksDB sequence number in a
// flushed file of `meta` names the last write that is on disk.
class PersistenceListener : public rocksdb::EventListener {
 public:
  void written(rocksdb::SequenceNumber last, std::uint64_t mark) {
    const std::lock_guard lock(mutex_);
    marks_.push_back({last, mark});
  }
  std::uint64_t last_mark() {
    const std::lock_guard lock(mutex_);
    return marks_.empty() ? persisted() : marks_.back().mark;
  }
  // A flush has ended; its OnFlushCompleted may still be on its way.
  void flushed(std::uint64_t mark) {
    const std::lock_guard lock(mutex_);
    while (!marks_.empty() && marks_.front().mark <= mark) marks_.pop_front();
    if (persisted() < mark) persisted_.store(mark, std::memory_order_release);
  }

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override {
    if (info.cf_name != "default") return;
    const std::lock_guard lock(mutex_);
    while (!marks_.empty()) {
      const Mark mark = marks_.front();
      marks_.pop_front();
      if (persisted() < mark.mark) persisted_.store(mark.mark, std::memory_order_release);
      if (mark.last >= info.largest_seqno) break;
    }
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    log::error("index", {{"background", static_cast<int>(reason)}, {"status", status->ToString()}});
  }

  std::uint64_t persisted() const { return persisted_.load(std::memory_order_acquire); }

 private:
  struct Mark {
    rocksdb::SequenceNumber last;
    std::uint64_t mark;
  };
  std::mutex mutex_;  // guards marks_
  std::deque<Mark> marks_;
  std::atomic<std::uint64_t> persisted_{0};
};

Result<std::unique_ptr<Database>> Database::open(const Settings& settings) {
  std::unique_ptr<Database> out(new Database);
  out->listener_ = std::make_shared<PersistenceListener>();
  rocksdb::DBOptions options = database_options();
  options.listeners.push_back(out->listener_);
  const auto cache = rocksdb::NewLRUCache(settings.cache_bytes, 4, false, 0.5);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const Tuning& t : kTuning) families.emplace_back(t.name, family_options(t, cache));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = rocksdb::DB::Open(options, settings.directory.string(), families, &handles, &out->db_);
  if (!status.ok()) {
    log::warning("index", {{"open", status.ToString()}});
    return translate(status, "opening the index");
  }
  std::copy_n(handles.begin(), kFamilies, out->handles_.begin());
  return out;
}

Database::~Database() {
  if (db_ == nullptr) return;
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  if (const rocksdb::Status status = db_->Close(); !status.ok()) log::error("index", {{"close", status.ToString()}});
  delete db_;
}

Result<bool> Database::get(Family family, std::string_view key, rocksdb::PinnableSlice& value,
                           const rocksdb::Snapshot* snapshot, Reach reach) const {
  value.Reset();
  const rocksdb::Status status = db_->Get(read_options(snapshot, reach), handle(family), slice(key), &value);
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return translate(status, "reading the index");
}

Result<> Database::write(rocksdb::WriteBatch& batch, std::uint64_t mark) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const rocksdb::Status status = db_->Write(options, &batch);
  if (!status.ok()) {
    log::error("index", {{"write", status.ToString()}});
    return translate(status, "writing the index");
  }
  listener_->written(db_->GetLatestSequenceNumber(), mark);
  return outcome::success();
}

Result<> Database::flush() {
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  const std::uint64_t mark = listener_->last_mark();
  const rocksdb::Status status = db_->Flush(options, {handles_.begin(), handles_.end()});
  if (!status.ok()) {
    log::error("index", {{"flush", status.ToString()}});
    return translate(status, "flushing the index");
  }
  listener_->flushed(mark);
  return outcome::success();
}

std::uint64_t Database::persisted() const noexcept {
  return listener_->persisted();
}

void Database::set_persisted(std::uint64_t mark) noexcept {
  listener_->flushed(mark);
}

Result<> Database::verify() const {
  const rocksdb::Status status = db_->VerifyChecksum();
  if (!status.ok()) return translate(status, "checking the index");
  return outcome::success();
}

std::uint64_t Database::file_bytes() const {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  std::uint64_t sum = 0;
  for (const auto& file : files) sum += file.size;
  return sum;
}

}  // namespace cairn::store
