// What a storage volume's directory holds, found at start, and the end of each segment, decided (FORMAT.md,
// "Recovery"). Two steps: look() reads names, headers and trailers, after which commits can be read; decide(), once it
// is known how far the index proves the log, finds the ends of what was left open and seals it. One thread; Volume
// takes the results.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.h"
#include "engine/io/file_system.h"
#include "engine/store/format.h"
#include "engine/store/log.h"
#include "engine/store/recovery.h"

namespace cairn::store {

/// What is known of a segment. Everything below `tail` is durable.
struct SegmentState {
  SegmentHeader header;
  std::uint64_t tail = kSegmentHeaderBytes;
  std::optional<Trailer> trailer;    ///< when it is sealed
  std::vector<CommitEntry> commits;  ///< when it is not: those below `tail`
  bool poisoned = false;
};

class VolumeRecovery {
 public:
  /// `files` outlives it.
  VolumeRecovery(io::FileSystem& files, std::filesystem::path directory, std::uint32_t volume, const Identity& archive,
                 std::uint64_t segment_bytes);
  ~VolumeRecovery();

  /// Errors: io, mismatch (a segment of another archive, volume or number), unsupported (of a later version). A damaged
  /// header is a fault.
  Result<> look();
  /// `proven`: the index says that all below was flushed. Errors: io.
  Result<> decide(const ProvenPlace& proven);

  std::map<std::uint32_t, SegmentState> segments;
  std::vector<std::string> spares;
  std::uint32_t next_segment = 1;
  std::uint32_t next_compacted = kFirstCompacted;
  std::vector<Fault> faults;
  std::uint64_t dropped_unfinished = 0;
  std::uint64_t bytes_read = 0;
  bool commits_lost = false;  ///< some whose sequences are not known
  /// Segments that were not sealed, and their ends: for the header of the next one.
  std::vector<Poisoned> unsealed;

 private:
  struct Found;
  Result<> open(Found& found, std::uint32_t number);
  Result<> look_at(std::uint32_t number);
  Result<> end_of_compacted(Found& found, std::uint32_t number);
  Result<> replace_header(Found& found, std::uint32_t number, const Error& damage);
  Result<bool> is_sealed(Found& found, const SegmentState& state, bool later_flush);
  Result<> settle(Found& found, std::uint32_t number, const std::map<std::uint32_t, std::uint64_t>& tails);
  static bool seal_was_there(const Found& found);
  void report(std::uint32_t segment, std::uint64_t offset, Error error);
  std::filesystem::path path(const std::string& name) const { return directory_ / name; }

  io::FileSystem& files_;
  const std::filesystem::path directory_;
  const std::uint32_t volume_;
  const Identity archive_;
  const std::uint64_t segment_bytes_;
  std::map<std::uint32_t, Found> found_;
  std::map<std::uint32_t, std::uint64_t> stated_;  ///< good ends that headers state
  bool may_seal_ = true;
  bool directory_changed_ = false;
};

}  // namespace cairn::store
