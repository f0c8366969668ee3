// What a storage commitment asks for and what comes of it (PS3.4 §J.3): values, and the check itself. No I/O but the
// archive's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/dicom/data_set.h"

namespace cairn::dimse {

/// References in one request; what is beyond is refused.
inline constexpr std::size_t kMaxReferences = 50'000;

struct CommitmentRequest {
  std::string requester_ae, our_ae, transaction_uid;
  struct Reference {
    std::string sop_class_uid, sop_instance_uid;
    bool operator==(const Reference&) const = default;
  };
  std::vector<Reference> references;  ///< each once
  std::int64_t received_s = 0;        ///< since 1970
  std::uint64_t id = 0;               ///< given by the journal

  /// Of an N-ACTION's Action Information. Errors: missing, malformed, limit_exceeded; they name the attribute.
  static Result<CommitmentRequest> read(const dicom::DataSet& action_information);
};

struct CommitmentResult {
  std::vector<CommitmentRequest::Reference> committed;
  std::vector<std::pair<CommitmentRequest::Reference, std::uint16_t>> failed;  ///< with Failure Reason (0008,1197)

  /// Event Type ID: 1 all are committed, 2 some are not.
  std::uint16_t event_type() const noexcept { return failed.empty() ? 1 : 2; }
  dicom::DataSet event_information(const CommitmentRequest& request) const;
};

/// Blocking. Reads every byte of the reference's instance and checks its checksums. The Failure Reason, or 0.
std::uint16_t check_reference(archive::Archive& archive, const CommitmentRequest::Reference& reference);

}  // namespace cairn::dimse
