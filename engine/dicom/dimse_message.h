// DIMSE command sets (PS3.7 §6.3, §9.3, §10.3, Annex E): always implicit VR little endian, group 0000. A pure codec of
// values; any thread. Elements that PS3.7 does not name are skipped; a command is bounded by kMaxCommandBytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/tag.h"

namespace cairn::dicom {

inline constexpr std::size_t kMaxCommandBytes = 64u << 10;

/// Command Field (0000,0100). A response is its request with the high bit set.
// clang-format off
enum class CommandField : std::uint16_t {
  c_store_rq = 0x0001, c_store_rsp = 0x8001,
  c_get_rq = 0x0010, c_get_rsp = 0x8010,
  c_find_rq = 0x0020, c_find_rsp = 0x8020,
  c_move_rq = 0x0021, c_move_rsp = 0x8021,
  c_echo_rq = 0x0030, c_echo_rsp = 0x8030,
  n_event_report_rq = 0x0100, n_event_report_rsp = 0x8100,
  n_get_rq = 0x0110, n_get_rsp = 0x8110,
  n_set_rq = 0x0120, n_set_rsp = 0x8120,
  n_action_rq = 0x0130, n_action_rsp = 0x8130,
  n_create_rq = 0x0140, n_create_rsp = 0x8140,
  n_delete_rq = 0x0150, n_delete_rsp = 0x8150,
  c_cancel_rq = 0x0fff,
};
// clang-format on
constexpr bool is_response(CommandField field) noexcept {
  return (static_cast<std::uint16_t>(field) & 0x8000) != 0;
}
constexpr CommandField response_to(CommandField field) noexcept {
  return static_cast<CommandField>(static_cast<std::uint16_t>(field) | 0x8000);
}

inline constexpr std::uint16_t kNoDataSet = 0x0101;  ///< Command Data Set Type (0000,0800)

/// An absent UID or text is empty, an absent number is nullopt. Text is without its padding.
struct CommandSet {
  CommandField command = CommandField::c_echo_rq;
  std::string affected_sop_class_uid, requested_sop_class_uid;           // (0000,0002) (0000,0003)
  std::string affected_sop_instance_uid, requested_sop_instance_uid;     // (0000,1000) (0000,1001)
  std::optional<std::uint16_t> message_id;                               // (0000,0110)
  std::optional<std::uint16_t> message_id_being_responded_to;            // (0000,0120)
  std::string move_destination;                                          // (0000,0600)
  std::optional<std::uint16_t> priority;                                 // (0000,0700)
  std::uint16_t data_set_type = kNoDataSet;                              // (0000,0800)
  std::optional<std::uint16_t> status;                                   // (0000,0900)
  std::vector<Tag> offending_elements;                                   // (0000,0901)
  std::string error_comment;                                             // (0000,0902), at most 64 characters
  std::optional<std::uint16_t> error_id, event_type_id, action_type_id;  // (0000,0903) (0000,1002) (0000,1008)
  std::vector<Tag> attribute_identifier_list;                            // (0000,1005)
  std::optional<std::uint16_t> remaining, completed, failed, warning;    // (0000,1020) to (0000,1023)
  std::string move_originator_ae;                                        // (0000,1030)
  std::optional<std::uint16_t> move_originator_message_id;               // (0000,1031)

  bool has_data_set() const noexcept { return data_set_type != kNoDataSet; }
};

/// Errors: limit_exceeded, truncated, malformed (an element outside group 0000, a number of the wrong length), missing
/// (Command Field, Command Data Set Type, or the message ID that the command needs).
Result<CommandSet> decode_command(Bytes bytes);

/// The command set with its group length.
std::string encode_command(const CommandSet& command);

/// The response to `request`: its class, instance and message ID, no data set.
CommandSet make_response(const CommandSet& request, std::uint16_t status);

}  // namespace cairn::dicom
