// Storage commitments that are asked for and not yet reported, over restarts.
//
// A text file, one record a line: the CRC32C of the rest as 8 hexadecimal digits, then fields separated by spaces, AE
// titles with everything but letters, digits, "-", "." and "_" written %XX:
//   request ID SECONDS-SINCE-1970 REQUESTER-AE OUR-AE TRANSACTION-UID [SOP-CLASS-UID SOP-INSTANCE-UID]...
//   done ID
// A request is on stable storage before it is answered. A line that is damaged, or torn at the end, is named in the log
// and passed over; before it is dropped, the file is copied to `<name>.damaged`. The file is written anew (another
// file, flushed, renamed) when it is opened, when most of it is done, and after a write that failed, whose line must
// not come back: a flush is never tried again on the same file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/core/result.h"
#include "engine/dimse/commitment.h"

namespace cairn::dimse {

/// Requests that may be pending, and references of all of them together.
inline constexpr std::size_t kMaxCommitments = 10'000;
inline constexpr std::size_t kMaxPendingReferences = 500'000;
/// Of one requester: nobody uses up what is there for all.
inline constexpr std::size_t kMaxCommitmentsOfOne = 1'000;
inline constexpr std::size_t kMaxReferencesOfOne = 200'000;

/// Any thread; blocking.
class CommitmentJournal {
 public:
  /// Errors: io (it is there and cannot be read).
  static Result<std::unique_ptr<CommitmentJournal>> open(std::filesystem::path file);
  ~CommitmentJournal();

  std::vector<CommitmentRequest> pending() const;
  /// Durable when it returns; gives the request its id. Errors: io; limit_exceeded (too much is pending, of all or of
  /// one); conflict (the requester has a request pending under this transaction UID).
  Result<> add(CommitmentRequest& request);
  /// A `done` that is lost costs a second report.
  void done(std::uint64_t id);

 private:
  explicit CommitmentJournal(std::filesystem::path file) : file_(std::move(file)) {}
  Result<> read();
  void take(std::string_view line, std::uint64_t number);
  Result<> append(const std::string& fields);
  Result<> rewrite();

  const std::filesystem::path file_;
  mutable std::mutex mutex_;                     // guards what follows
  int fd_ = -1;                                  ///< -1: to be written anew before the next line
  std::uint64_t bytes_ = 0, pending_bytes_ = 0;  ///< of the file, and of what is pending in it
  std::uint64_t last_id_ = 0, references_ = 0, damaged_ = 0;
  std::map<std::uint64_t, CommitmentRequest> pending_;
};

}  // namespace cairn::dimse
