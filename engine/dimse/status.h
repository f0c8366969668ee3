// DIMSE statuses (PS3.7 Annex C, PS3.4 §B.2.3 and §C.4) and the one table from Cairn's errors to them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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
  no_such_object_instance = 0x0112,
  no_such_event_type = 0x0113,
  invalid_argument_value = 0x0115,
  class_instance_conflict = 0x0119,
  missing_attribute_value = 0x0121,
  no_such_action = 0x0123,
  duplicate_transaction_uid = 0x0131,
  resource_limitation = 0x0213,
  out_of_resources = 0xa700,
  unable_to_calculate_matches = 0xa701,       // C-GET, C-MOVE
  unable_to_perform_sub_operations = 0xa702,  // C-GET, C-MOVE
  move_destination_unknown = 0xa801,
  data_set_does_not_match_sop_class = 0xa900,    // C-STORE
  identifier_does_not_match_sop_class = 0xa900,  // C-FIND
  cannot_understand = 0xc000,                    // C-STORE
  unable_to_process = 0xc000,                    // C-FIND
  sub_operations_failed = 0xb000,  // complete, with one or more failures or warnings
  cancelled = 0xfe00,
  pending = 0xff00,
  pending_with_unsupported_keys = 0xff01,
};

Status store_status(const Error& error) noexcept;
Status find_status(const Error& error) noexcept;
/// Of a C-GET or C-MOVE that does not begin.
Status retrieve_status(const Error& error) noexcept;

/// `text` as an Error Comment (0000,0902): LO of at most 64 characters.
std::string error_comment(std::string_view text);

/// The response that tells of `error`: status, an Error Comment of at most 64 characters, and the Offending Element
/// where the error names an attribute.
dicom::CommandSet failure(const dicom::CommandSet& request, Status status, const Error& error);

}  // namespace cairn::dimse
