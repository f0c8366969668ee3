// DIMSE statuses (PS3.7 Annex C, PS3.4 §B.2.3 and §C.4.1.1.4) and the one table from Cairn's errors to them.
#pragma once

#include <cstdint>

#include "engine/core/result.h"
#include "engine/dicom/dimse_message.h"

namespace cairn::dimse {

enum class Status : std::uint16_t {
  success = 0x0000,
  processing_failure = 0x0110,
  duplicate_sop_instance = 0x0111,
  no_such_sop_class = 0x0118,
  sop_class_not_supported = 0x0122,
  not_authorized = 0x0124,
  unrecognized_operation = 0x0211,
  out_of_resources = 0xa700,
  data_set_does_not_match_sop_class = 0xa900,    // C-STORE
  identifier_does_not_match_sop_class = 0xa900,  // C-FIND
  cannot_understand = 0xc000,                    // C-STORE
  unable_to_process = 0xc000,                    // C-FIND
  cancelled = 0xfe00,
  pending = 0xff00,
  pending_with_unsupported_keys = 0xff01,
};

Status store_status(const Error& error) noexcept;
Status find_status(const Error& error) noexcept;

/// The response that tells of `error`: status, an Error Comment of at most 64 characters, and the Offending Element
/// where the error names an attribute.
dicom::CommandSet failure(const dicom::CommandSet& request, Status status, const Error& error);

}  // namespace cairn::dimse
