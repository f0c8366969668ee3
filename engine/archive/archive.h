// The archive: the one door to storage. Services (DIMSE, web, import) receive, find and open instances here and know
// nothing of segments, rings or RocksDB; the archive knows nothing of sockets.
//
// Threads: receive() and its Receiver belong to the caller's executor; find and read functions block and run on a
// worker pool (io::WorkerPool), except where noted and with Reach::memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/task.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/io/worker_pool.h"
#include "engine/store/log.h"
#include "engine/store/reach.h"
#include "engine/store/record.h"

namespace cairn::archive {

using store::Reach;

struct Options {
  std::filesystem::path directory;             ///< holds the lock, the index and, by default, volume 0
  store::LogOptions log;                       ///< volumes empty: one, `directory`/volume0
  std::size_t in_flight_bytes = 128u << 20;    ///< budget of data between sockets and log
  std::size_t part_bytes = 1u << 20;           ///< buffer size, so the longest part plus its header
  std::uint32_t unpersisted_records = 30'000;  ///< longest index tail that a crash may leave to replay
  std::uint64_t unpersisted_bytes = 128u << 20;
  std::size_t index_cache_bytes = 256u << 20;
  bool rebuild_index = false;       ///< drop the index and replay the whole log
  std::uint32_t restore_days = 30;  ///< for so long a removal can be undone; then compaction makes it final
  std::uint64_t compaction_bytes_per_s = 64u << 20;  ///< read and written by compaction, together
};

/// Who sends an instance, and what the configuration says about that source.
struct Source {
  std::string calling_ae, called_ae, peer_address;
  store::Via via = store::Via::dimse;
  store::DuplicatePolicy duplicate_policy = store::DuplicatePolicy::keep;
};

/// What the sender announced apart from the data set (DIMSE: the command set); checked against what arrives. Empty
/// members announce nothing.
struct Announced {
  std::string sop_class_uid, sop_instance_uid, transfer_syntax_uid;
};

/// One instance on its way in. Use: `room`, fill, `received`, repeat, `commit`. Dropping it abandons the instance.
class Receiver {
 public:
  virtual ~Receiver() = default;

  /// Memory to receive the next bytes of the stream into; never empty. Waits while the memory budget is used up.
  virtual Task<std::span<std::byte>> room() = 0;
  /// Hands on what is held when others wait for memory (a slow sender must not keep a buffer); cheap to call often.
  virtual void relieve() = 0;
  /// The first `length` bytes of room() are now filled. Errors: what the header scan says; after one, keep receiving or
  /// stop, commit() repeats it.
  virtual Result<> received(std::size_t length) = 0;
  /// Copies `bytes` in; for callers that do not receive into room().
  virtual Task<> write(Bytes bytes) = 0;

  struct Stored {
    store::Outcome outcome = store::Outcome::stored;
    std::string sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid;
    std::uint64_t bytes = 0;
  };
  /// The stream is complete: returns once the instance is durable and in the index. Errors: missing or malformed
  /// (named in Error::where), mismatch with what was announced, conflict (duplicate policy), out_of_space, io, closed.
  virtual Task<Stored> commit() = 0;
};

/// An instance in the index.
struct Instance {
  store::Sequence sequence = 0;
  std::string sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid, transfer_syntax_uid;
  std::int64_t received_unix_ns = 0;  ///< by this machine's clock, when all of it was there
  std::uint64_t stream_length = 0;
  std::uint64_t data_set_offset = 0;
  dicom::Extent pixel_data;
  Digest128 digest{};
  std::vector<store::Part> parts;
};

/// Random access to the stored stream of one instance; reads are verified. Blocking; one thread at a time.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `into` from `offset`; short only at the end. Errors: io, corrupt.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes into) = 0;
  /// The rest of the part that `offset` lies in, without copying; empty at the end. `keep` holds it alive.
  struct View {
    store::PartBytes keep;
    Bytes bytes;
  };
  virtual Result<View> view(std::uint64_t offset) = 0;
  /// view() with Reach::memory (store/reach.h).
  virtual Result<View> view_at_hand(std::uint64_t /*offset*/) { return store::out_of_reach(); }
};

enum class Level { patient, study, series, instance };

/// An attribute to match on (PS3.4 §C.2.2.2); its VR and the form of its values say how. A key without values and items
/// matches all and need not be given.
struct Key {
  dicom::Tag tag;
  dicom::VR vr = dicom::VR::none;
  std::vector<std::string> values;  ///< UTF-8, without padding; any of them matches. "\"\"" matches the absent or empty
  std::vector<Key> items;           ///< of a sequence: all must match in one item
};

/// A query; an empty list matches all.
struct Query {
  Level level = Level::study;
  std::vector<std::string> patient_ids, study_uids, series_uids, instance_uids;
  std::size_t limit = 0;  ///< 0: no limit
  std::size_t offset = 0;
  /// Further keys, all of which must match. Keys of the series on a study (or patient) match when one series has them.
  std::vector<Key> keys = {};
  bool fuzzy = false;               ///< names match by words that begin so or are spelled much alike
  bool combined_date_time = false;  ///< ranges of a date and its time are one range
  /// Attributes wanted beside those that each match has, from anywhere in the header (bulk values excepted).
  std::vector<dicom::Tag> returns = {};
  bool whole_header = false;  ///< at instance level: all of it
  /// Where an earlier run of the same query came to: what `place` had; goes on behind it at the same cost anywhere.
  std::string after = {};
  /// When set: holds the place of the match that `each` is called with, and of the last candidate looked at after.
  std::string* place = nullptr;
  /// Asked between candidates; false ends the query early. May be empty.
  std::function<bool()> keep_going = {};
  /// Reach::memory: answered only when it is little work too, else out of reach.
  Reach reach = Reach::disk;
};

/// One match: the attributes of its level and those above, in the character set of the source (data set's
/// character_set()), with ModalitiesInStudy, NumberOfStudyRelatedSeries/Instances, NumberOfSeriesRelatedInstances.
using Match = dicom::DataSet;

/// A study; with a series UID that series of it; with a SOP Instance UID too, that instance of it.
struct Target {
  std::string study_uid, series_uid, sop_instance_uid;
};

/// Who asks for a change of what is stored, and why.
struct Asked {
  std::string calling_ae, peer_address, reason;
  store::Event::Via via = store::Event::Via::http;
};

/// A removal that is not undone.
struct Removed {
  store::Sequence sequence = 0;
  std::int64_t time_unix_ns = 0;
  Target target;
  Asked asked;
  std::uint64_t instances = 0, bytes = 0;
  bool restorable = true;  ///< false: compaction made it final
};

/// Compaction now, and since start.
struct Compaction {
  bool running = false;
  std::uint64_t runs = 0, segments = 0;
  std::int64_t reclaimed_bytes = 0;
  std::uint64_t bytes_moved = 0, faults = 0;  ///< of the run under way, or the last one
  store::CompactionReport last;
  std::string error;  ///< why the last one failed; empty when it did not
};

struct Counts {
  std::uint64_t patients = 0, studies = 0, series = 0, instances = 0, history = 0, bytes = 0;
};

struct Stats {
  Counts counts;
  std::vector<store::VolumeStats> volumes;
  store::Sequence committed = 0, applied = 0, persisted = 0;
  std::uint64_t received_instances = 0, received_bytes = 0, identical = 0, replaced = 0, refused = 0, failed = 0;
  std::size_t in_flight_bytes = 0, in_flight_budget_bytes = 0;
  Compaction compaction;
};

class Archive {
 public:
  virtual ~Archive() = default;

  /// Locks the directory, opens log and index, replays the tail. `pool` outlives the archive. Errors: conflict (another
  /// process holds the directory; its pid is in the lock file), io, corrupt, mismatch.
  static Result<std::unique_ptr<Archive>> open(Options options, io::WorkerPool& pool);
  /// Refuses new instances, finishes those committed, persists the index, seals, unlocks.
  virtual void close() = 0;

  /// Any thread. Errors: out_of_space, closed.
  virtual Result<std::unique_ptr<Receiver>> receive(Source source, Announced announced) = 0;

  /// Matches in a stable order. `each` returns false to stop early. Patient level answers one match per Patient ID.
  virtual Result<> find(const Query& query, const std::function<bool(Match&&)>& each) = 0;

  virtual Result<Instance> instance(std::string_view sop_instance_uid) = 0;
  /// instance() with Reach::memory (store/reach.h).
  virtual Result<Instance> instance_at_hand(std::string_view /*sop_instance_uid*/) { return store::out_of_reach(); }
  /// Instances of a study, or of one series of it, in display order (series by Series Number, instances by Instance
  /// Number). Errors: not_found when there is none.
  virtual Result<std::vector<Instance>> instances(std::string_view study_uid, std::string_view series_uid) = 0;
  /// The headers of a series (or of a whole study when `series_uid` is empty) from the index alone, in display order.
  virtual Result<> headers(std::string_view study_uid, std::string_view series_uid,
                           const std::function<bool(std::string_view sop_instance_uid, dicom::Header&&)>& each) = 0;
  virtual Result<dicom::Header> header(std::string_view sop_instance_uid) = 0;
  /// Changes whenever the series gains, loses or replaces an instance; 0 when it is unknown. Cheap, any thread.
  virtual std::uint64_t series_version(std::string_view study_uid, std::string_view series_uid) = 0;

  /// Removes: once it returns, what was named is in no answer, and that survives a crash. Readers under way go on.
  /// Nothing here knows of replicas, so each copy is the only one, and is removed only with `only_copy_too`. Errors:
  /// not_found, conflict (the only copy), malformed (UIDs), limit_exceeded (texts past store::kMaxEventText),
  /// out_of_space, io, closed.
  virtual Task<Removed> remove(Target target, Asked asked, bool only_copy_too) = 0;
  /// Undoes a removal. Content that was stored meanwhile under the same SOP Instance UID stays current; what it took
  /// the place of is then older content. Removals of one thing are undone in reverse order. Errors: not_found (no such
  /// removal), conflict (a later one is to be undone first; or compaction made it final), limit_exceeded, out_of_space,
  /// io, closed.
  virtual Task<Removed> restore(store::Sequence removal, Asked asked) = 0;
  /// Removals that are not undone of `within` or parts of it (empty: all), newest first. `each` returns false to stop.
  virtual Result<> removed(const Target& within, const std::function<bool(Removed&&)>& each) = 0;

  virtual std::unique_ptr<StreamReader> open(const Instance& instance) = 0;

  virtual Result<std::uint64_t> scrub(const std::function<void(const store::Fault&)>& fault,
                                      const std::function<void(std::uint64_t, std::uint64_t)>& progress) = 0;
  /// Blocking: gives back the space of what nobody can ask for any more: of removals older than `restore_days`, of
  /// content that was replaced or came again unchanged, of what was never finished. Beside stores, at a bounded rate.
  /// With `survey_only` it is counted only. `fault` is told of damage met. Errors: conflict (one is running), io,
  /// out_of_space, closed.
  virtual Result<store::CompactionReport> compact(bool survey_only,
                                                  const std::function<void(const store::Fault&)>& fault);
  /// The same on a thread of its own, which close() stops and waits for; stats() tells how it does. Errors: conflict,
  /// closed.
  virtual Result<> begin_compaction(bool survey_only);
  virtual Stats stats() = 0;
  /// One line per key of every column family, caches excluded, as hexadecimal text: to compare two indexes.
  virtual Result<> dump_index(const std::function<void(std::string_view line)>& each) = 0;
  virtual store::ReplaySummary opened_with() const = 0;
};

// One without segments has nothing to compact.
inline Result<store::CompactionReport> Archive::compact(bool, const std::function<void(const store::Fault&)>&) {
  return store::CompactionReport{};
}
inline Result<> Archive::begin_compaction(bool) {
  return outcome::success();
}

}  // namespace cairn::archive
