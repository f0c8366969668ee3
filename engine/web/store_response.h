// What became of the instances of a store request: the Store Instances Response (PS3.18 §10.5.3, Annex I) and the
// status that goes with it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.h"
#include "engine/dicom/data_set.h"

namespace cairn::web {

/// Failure Reason (0008,1197), PS3.18 Table I.2-2 and PS3.4 §B.2.3.
namespace failure_reason {
inline constexpr std::uint16_t kProcessingFailure = 0x0110;
inline constexpr std::uint16_t kDuplicateInstance = 0x0111;
inline constexpr std::uint16_t kOutOfResources = 0xA700;
inline constexpr std::uint16_t kDataSetMismatch = 0xA900;
inline constexpr std::uint16_t kCannotUnderstand = 0xC000;
inline constexpr std::uint16_t kUnsupportedSyntax = 0xC122;
}  // namespace failure_reason

std::uint16_t failure_reason_of(const Error& error) noexcept;

struct StoreOutcome {
  std::string sop_class_uid, sop_instance_uid;  ///< empty: the part did not say
  std::string study_instance_uid, series_instance_uid;
  std::uint16_t failure = 0;  ///< 0: it is stored
  std::uint16_t warning = 0;  ///< Warning Reason (0008,1196) of a stored one; 0: none
};

/// 200: all are stored without a warning; 202: some are, or with warnings; 409: none is.
unsigned status_of(const std::vector<StoreOutcome>& outcomes) noexcept;

/// `base` is put in front of the paths in Retrieve URLs. Those that failed without saying which instance they are come
/// under Other Failures Sequence.
dicom::DataSet response_of(const std::vector<StoreOutcome>& outcomes, std::string_view base);

}  // namespace cairn::web
