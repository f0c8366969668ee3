// The log: the truth of the archive. Appends instances to segments of one or more storage volumes, makes them durable
// in groups, and hands what is durable to the applier (the index) in sequence order. FORMAT.md describes the bytes.
//
// Threads: one appender thread per storage volume owns that volume's ring; one applier thread calls the Applier and
// then the completions. Writers and readers may be used from any thread, each writer from one thread at a time.
//
// The three watermarks are never mixed: appended (handed to a volume), durable (flushed), applied (in the index).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/histogram.h"
#include "engine/core/result.h"
#include "engine/dicom/header_scan.h"
#include "engine/io/buffer_pool.h"
#include "engine/store/compaction.h"
#include "engine/store/event.h"

namespace cairn::io {
class FileSystem;  // the file seam: engine/io/file_system.h
}

namespace cairn::store {

/// Bytes at the start of each part's buffer that the log fills with the record header; the payload follows.
inline constexpr std::size_t kPartHeadRoom = 64;

struct VolumeOptions {
  std::uint32_t id = 0;  ///< stable for ever; in every Location
  std::filesystem::path directory;
};

struct LogOptions {
  std::vector<VolumeOptions> volumes;
  std::uint64_t segment_bytes = 512u << 20;
  std::uint64_t reserve_bytes = 1u << 30;       ///< free space that stores never use
  std::uint64_t prewritten_bytes = 4ull << 30;  ///< stock of zeroed segments kept ready, over all volumes
  std::uint64_t prewrite_bytes_per_s = 400u << 20;
  bool use_ring = true;                         ///< false: plain pwrite/fdatasync; also when io_uring is not allowed
  std::uint64_t read_cache_bytes = 512u << 20;  ///< verified parts kept in memory
};

enum class Outcome : std::uint8_t {
  stored,     ///< new
  identical,  ///< already there, same transfer syntax and bytes: nothing changed
  replaced,   ///< took the place of other content under the same UID (keep or replace)
  refused,    ///< other content is there and the policy refuses
};

/// A durable commit on its way into the index.
struct Committed {
  InstanceRecord record;
  Location location;  ///< of the commit record
  dicom::Header header;
  Outcome outcome = Outcome::stored;  ///< set by the applier; of an event: stored, identical (nothing to do) or refused
  std::shared_ptr<const Event> event = {};  ///< instead of an instance: then `record` has the sequence and no more
};

/// Turns durable commits into the index. Called by one thread, in sequence order.
class Applier {
 public:
  virtual ~Applier() = default;
  /// Applies `batch` and `positions` in one atomic step and sets each outcome. An error here is fatal for ingest: the
  /// log answers every later commit with it.
  /// `positions` is an opaque token of the log: what replay() must be given after the step is persisted.
  virtual Result<> apply(std::span<Committed> batch, std::string_view positions) = 0;
};

using CommitDone = std::function<void(Result<Outcome>)>;  ///< runs on the applier thread: post and return

/// One instance on its way into the log. Dropping it without commit() leaves garbage, never an instance.
class InstanceWriter {
 public:
  virtual ~InstanceWriter() = default;
  /// Hands over a full part: `length` payload bytes at buffer.data() + kPartHeadRoom, whose CRC32C is `crc`.
  /// Writing starts at once; a failure shows in commit().
  virtual void append(io::Buffer buffer, std::size_t length, std::uint32_t crc) = 0;
  /// Hands over the last part (length may be 0) and the commit. `record` has everything but what the log gives.
  /// `done` is called exactly once: with an outcome when the commit is durable and applied, or with the reason why the
  /// instance does not exist (io, out_of_space, closed).
  virtual void commit(io::Buffer buffer, std::size_t length, std::uint32_t crc, InstanceRecord record,
                      dicom::Header header, CommitDone done) = 0;
};

/// The verified bytes of one part.
using PartBytes = std::shared_ptr<const std::vector<std::byte>>;

struct Fault {
  Location location;
  std::string sop_instance_uid;  ///< empty when no instance can be named
  Error error;
};

struct ReplaySummary {
  std::uint64_t commits = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t dropped_unfinished = 0;  ///< commits after the last flush whose parts are not whole: never acknowledged
  Sequence last = 0;
  std::vector<Fault> faults;  ///< damage below the durable watermark; segment 0: of the volume itself
};

struct VolumeStats {
  std::uint32_t id = 0;
  std::uint64_t appended_bytes = 0, durable_bytes = 0;  ///< since start
  std::uint64_t device_bytes = 0;                       ///< written in all, prewriting and padding included
  std::uint64_t segments = 0, sealed = 0, poisoned = 0, prewritten = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t queue_depth = 0;
  bool failed = false;
  bool full = false;                    ///< at its reserve: takes no store until space is freed
  Histogram::Snapshot batch_instances;  ///< commits per flush
  Histogram::Snapshot flush_us;         ///< time of a flush
};

class Log {
 public:
  virtual ~Log() = default;

  /// Opens the volumes; commits and parts can be read afterwards. Errors: io, corrupt (a volume file), mismatch
  /// (a volume or segment of another archive), not_found (nothing is left of a volume). `files` outlives the log.
  static Result<std::unique_ptr<Log>> open(LogOptions options, io::FileSystem& files);

  /// Whether something is left of every configured volume that `positions` names. To be asked before an index that
  /// seems foreign is dropped: an empty mount point looks like a new volume. Errors: not_found, malformed.
  virtual Result<> meet(std::string_view positions) = 0;

  /// Creates volumes that are new, finds the end of each, then hands every durable commit after `positions` (empty:
  /// from the beginning) to the applier, in sequence order, reading headers and not pixels. Before start(). Errors:
  /// malformed (the token), mismatch (the index must be made anew, then call again with nothing: it knows more than the
  /// log, or was made without one of its volumes), not_found (a volume that the token names is absent), io, and the
  /// applier's own.
  virtual Result<ReplaySummary> replay(std::string_view positions, Applier& applier) = 0;

  /// Begins to accept commits. `applier` outlives the log.
  virtual Result<> start(Applier& applier) = 0;
  /// Finishes what was committed, seals, closes. Later commits get `closed`.
  virtual void stop() = 0;

  /// Errors: out_of_space (every volume is at its reserve), io (no volume is usable), closed.
  virtual Result<std::unique_ptr<InstanceWriter>> begin() = 0;

  /// Appends an event, which needs no writer. `done` as of InstanceWriter::commit(). Taken at the reserve too, as long
  /// as there is an open segment with room. Errors: as begin(), and those of Event::check().
  virtual Result<> append(std::shared_ptr<Event> event, CommitDone done) = 0;

  /// Blocking. The payload of a part, checked against its checksum; from the cache when it is there.
  /// Errors: io, corrupt, not_found.
  virtual Result<PartBytes> read(const Part& part) = 0;
  /// The same when it is in the cache, else null. Does not block.
  virtual PartBytes cached(const Part& part) = 0;
  /// Blocking. The commit record at a location.
  virtual Result<InstanceRecord> read_commit(const Location& location) = 0;

  /// Blocking. Checks every record of every segment that is there at the call; `fault` is told of each damage,
  /// `progress` of bytes checked so far out of all. Works beside stores. Returns the number of instances checked.
  virtual Result<std::uint64_t> scrub(const std::function<void(const Fault&)>& fault,
                                      const std::function<void(std::uint64_t, std::uint64_t)>& progress) = 0;

  /// Compaction (compaction.h). What a crash kept from being told is told: before a replay of the tail, unless the
  /// index is empty. Errors: io, corrupt.
  virtual Result<> take_in_compacted(Catalogue& index) = 0;
  /// After replay(), which with `replayed_all` began with nothing: removes what a crash left of segments that compacted
  /// ones took the place of. Errors: as take_in_compacted().
  virtual Result<> finish_compaction(Catalogue& index, bool replayed_all) = 0;
  /// Blocking, after start(), beside stores; one at a time. What was compacted when it fails or is stopped stays so.
  /// Errors: io, out_of_space, conflict (one is running).
  virtual Result<CompactionReport> compact(Catalogue& index, const CompactionOptions& options) = 0;

  virtual std::vector<VolumeStats> stats() const = 0;
  virtual Sequence applied() const = 0;
  virtual Sequence last_committed() const = 0;
};

}  // namespace cairn::store
