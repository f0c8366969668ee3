// What C-GET and C-MOVE have in common (PS3.4 §C.4.2, §C.4.3): the identifier, the instances that it names, the counts of
// sub-operations and the responses that tell them. Values and blocking functions; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/dimse_message.h"

namespace cairn::dimse {

inline constexpr std::size_t kMaxIdentifierBytes = 16u << 20;

/// A request, read. Lists of UIDs are taken at every level, and keys above the level may be absent: we know which study
/// an instance belongs to.
struct RetrieveRequest {
  archive::Query query;
  std::string level;  ///< for the log: one of the four

  /// Errors: missing or mismatch (Query/Retrieve Level; the unique key of the level, which may not be universal).
  static Result<RetrieveRequest> read(const dicom::DataSet& identifier, bool patient_root);
};

/// The instances to send, each once, in display order.
struct RetrieveSet {
  std::vector<std::string> instance_uids;
  std::map<std::string, std::set<std::string>> syntaxes;  ///< by SOP class: the transfer syntaxes stored
};

/// Blocking. Nothing found is no error. Errors: of the index; limit_exceeded (more than a million instances).
Result<RetrieveSet> resolve(archive::Archive& archive, const RetrieveRequest& request);

/// Counts of one retrieve. What fails is named in the final response.
class SubOperations {
 public:
  explicit SubOperations(std::size_t total) : total_(total) {}

  /// By the status of the C-STORE's response.
  void answered(const std::string& sop_instance_uid, const dicom::CommandSet& response, std::uint64_t bytes);
  /// `reason` is told to the peer: no patient data.
  void failed(const std::string& sop_instance_uid, const std::string& reason);

  std::size_t total() const noexcept { return total_; }
  std::size_t remaining() const noexcept { return total_ - completed_ - failed_ - warning_; }
  std::size_t completed() const noexcept { return completed_; }
  std::size_t failed() const noexcept { return failed_; }
  std::size_t warnings() const noexcept { return warning_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  const std::string& first_reason() const noexcept { return reason_; }

  dicom::CommandSet pending(const dicom::CommandSet& request) const;
  /// Success, B000 (some failed), A702 (all failed) or FE00; `identifier` gets Failed SOP Instance UID List (0008,0058),
  /// cut where an explicit VR could not tell its length.
  dicom::CommandSet final(const dicom::CommandSet& request, bool cancelled, dicom::DataSet& identifier) const;

 private:
  std::size_t total_;
  std::size_t completed_ = 0, failed_ = 0, warning_ = 0;
  std::uint64_t bytes_ = 0;
  std::string failed_uids_;  ///< with backslashes
  std::string reason_;
};

}  // namespace cairn::dimse
