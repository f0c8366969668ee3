// A storage volume: a directory of segments and spare files, and what each segment is. Opening one finds the end of
// every segment (volume_recovery.h) and seals it, so that afterwards only the appender's segments are open.
// Thread-safe. The file system outlives it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/core/result.h"
#include "engine/io/file_system.h"
#include "engine/store/format.h"
#include "engine/store/log.h"
#include "engine/store/volume_recovery.h"

namespace cairn::store {

/// A segment open for writing.
struct OpenSegment {
  SegmentHeader header;
  std::shared_ptr<io::File> file;
};

class Volume {
 public:
  Volume(VolumeOptions options, const LogOptions& log, io::FileSystem& files);

  /// The archive that the volume belongs to; nothing when it is new. Makes the directory. A damaged file is a fault
  /// where segments say what it said. Errors: io, corrupt, mismatch.
  Result<std::optional<Identity>> read_volume_file();
  /// A new volume is of `archive`; nothing is written yet.
  void join(const Identity& archive) { archive_ = archive; }
  /// Makes it so, durably, with the directories that lead to it.
  Result<> create_volume_file();
  /// The volumes that the archive had when this one was last open, this one included; empty when that is not known.
  /// After read_volume_file().
  std::set<std::uint32_t> known_volumes() const;
  /// Errors: io, out_of_space.
  Result<> write_known_volumes(const std::set<std::uint32_t>& volumes);
  /// Reads every segment's header and trailer: afterwards commits and parts can be read. Errors: as VolumeRecovery.
  Result<> look();
  /// Once, after look() (or doing that too): decides the ends of the unsealed segments. Faults found and commits
  /// dropped are kept for replay. Errors: as VolumeRecovery.
  Result<> recover(const ProvenPlace& proven = {});

  struct Recovered {
    std::vector<Fault> faults;
    std::uint64_t dropped_unfinished = 0;
    std::uint64_t bytes_read = 0;
    bool commits_lost = false;  ///< some whose sequences are not known
  };
  const Recovered& recovered() const noexcept { return recovered_; }
  /// Segments that recovery could not seal, and their ends: for the header of the next one, since what is flushed later
  /// says nothing of what was dropped there.
  const std::vector<Poisoned>& unsealed() const noexcept { return unsealed_; }

  /// A segment to write to next, with a greater number than any before. `poisoned` is stated in its header. Takes a
  /// spare file where there is one. Errors: out_of_space, io.
  Result<OpenSegment> take_segment(const std::vector<Poisoned>& poisoned);
  /// Makes a segment ready ahead of take_segment(). False when there is one already.
  Result<bool> prepare_segment();
  /// Adds one chunk of zeros to the stock of spare files. False when the stock is full or space is short.
  Result<bool> prewrite_step(std::uint64_t stock_bytes);
  /// Removes what was prepared and not used, and half-written spares.
  void discard_prepared();

  /// The appender's reports.
  void set_durable(std::uint32_t segment, std::uint64_t tail, std::span<const CommitEntry> new_commits);
  void set_sealed(std::uint32_t segment, const Trailer& trailer);
  void set_poisoned(std::uint32_t segment);
  void remove_empty(std::uint32_t segment);

  /// For compaction. The header of a compacted segment to come, with the next number.
  SegmentHeader compacted_header();
  /// A file that is removed at the next start unless it gets another name. Errors: io, out_of_space.
  Result<std::shared_ptr<io::File>> create_temporary(std::string& name);
  void drop_temporary(const std::string& name);
  /// Durably gives a file, all of which is flushed, its name as a segment. Errors: io, after which nobody knows whether
  /// it has it, and no other is made before the next start.
  Result<> add_compacted(const std::string& temporary, const SegmentHeader& header, const Trailer& trailer);
  bool may_compact() const;
  /// Nobody looks for them any more, and nothing in them counts.
  void retire(const std::set<std::uint32_t>& segments);
  Result<std::uint64_t> segment_file_bytes(std::uint32_t segment) const;
  std::uint64_t segment_bytes() const noexcept { return segment_bytes_; }
  std::uint64_t reserve_bytes() const noexcept { return reserve_bytes_; }
  Result<io::Space> space() const { return files_.space(options_.directory); }

  std::vector<std::uint32_t> segments() const;
  /// Those that a compacted segment took the place of, and that a crash left there: nothing in them counts.
  std::set<std::uint32_t> superseded() const;
  /// Whether a compacted segment holds a commit that stands in an appended one: what is named there may be gone.
  bool moved(Sequence sequence) const;
  std::optional<SegmentState> segment(std::uint32_t number) const;
  /// All at one moment, so that where a commit is durable its parts are; without `commits`.
  std::map<std::uint32_t, SegmentState> segment_states() const;
  std::optional<Identity> segment_identity(std::uint32_t number) const;
  Result<std::shared_ptr<io::File>> open_for_reading(std::uint32_t segment) const;

  struct Counts {
    std::uint64_t segments = 0, sealed = 0, poisoned = 0, spares = 0;
  };
  Counts counts() const;
  bool has_spare() const;
  std::uint64_t prewritten_bytes() const noexcept { return prewritten_bytes_.load(std::memory_order_relaxed); }
  /// Free space now, or lately: asked of the system at most every 50 ms.
  std::uint64_t free_bytes();
  /// Whether a segment could be made without touching the reserve; whether others have eaten into the reserve so far
  /// that the index is in danger. Both from free_bytes().
  bool free_for_segment() { return free_bytes() >= reserve_bytes_ + segment_bytes_; }
  bool reserve_endangered() { return free_bytes() < reserve_bytes_ / 2; }
  std::uint32_t id() const noexcept { return options_.id; }
  const Identity& archive() const noexcept { return archive_; }
  io::FileSystem& files() const noexcept { return files_; }

 private:
  struct Ready {
    OpenSegment segment;
    bool prewritten = false;
  };
  std::filesystem::path path(const std::string& name) const { return options_.directory / name; }
  Result<VolumeFile> volume_from_segments() const;
  Result<> put_block(const char* name, const io::AlignedBytes& block);
  std::string spare_name(const char* prefix);
  Result<Ready> create_segment(std::uint32_t number, const std::vector<Poisoned>& poisoned);
  void put_back(Ready& ready);
  void drop_filling();
  Result<bool> room_for_segment() const;

  VolumeOptions options_;
  std::uint64_t segment_bytes_;
  std::uint64_t reserve_bytes_;
  io::FileSystem& files_;
  Identity archive_{};
  std::optional<Fault> volume_file_fault_;
  std::unique_ptr<VolumeRecovery> recovery_;  ///< between look() and recover()
  Recovered recovered_;
  std::vector<Poisoned> unsealed_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::uint32_t, SegmentState> segments_;
  std::vector<std::string> spares_;
  std::optional<Ready> ready_;
  std::uint32_t next_segment_ = 1;
  std::uint32_t next_compacted_ = kFirstCompacted;
  std::set<Sequence> moved_;  ///< what headers of compacted segments say
  bool may_compact_ = true;
  std::uint64_t next_spare_ = 1;

  // Only the maker's thread:
  struct Filling {
    std::string name;
    std::shared_ptr<io::File> file;
    std::uint64_t filled = 0;
  };
  std::optional<Filling> filling_;
  io::AlignedBytes zeros_;

  std::atomic<std::uint64_t> prewritten_bytes_{0};  // relaxed: a counter
  std::atomic<std::uint64_t> free_bytes_{0};        // relaxed: a hint
  std::atomic<std::int64_t> free_asked_ns_{0};
};

}  // namespace cairn::store
