// The few PDUs (PS3.8 §9.3) and command sets (PS3.7 §6.3, §9.3.1) of a storage and query SCU and of a null SCP.
// Independent of the server's own parsers on purpose: what checks them must not share their mistakes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::load::wire {

inline constexpr std::size_t kPDVHeadBytes = 6;     ///< item length, context ID, message control header
inline constexpr std::size_t kPDataHeadBytes = 12;  ///< PDU head and the head of its only PDV

std::string associate_rq(std::string_view called, std::string_view calling, unsigned window,
                         const std::vector<std::pair<std::string, std::string>>& contexts);
/// Accepts every context of `rq` with its first transfer syntax, at the given maximum length.
Result<std::string> associate_ac(Bytes rq, std::uint32_t max_pdu_bytes);

struct AssociateAC {
  std::vector<std::uint8_t> accepted_ids;
  std::uint32_t max_pdu_bytes = 0;
  unsigned window = 1;  ///< operations that we may invoke at once; 0 without limit
};
Result<AssociateAC> read_associate_ac(Bytes body);

void write_p_data_head(std::byte* out, std::uint8_t context, bool command, bool last, std::size_t fragment_bytes);
std::string p_data(std::uint8_t context, bool command, bool last, std::string_view fragment);

std::string c_store_rq(std::string_view sop_class, std::string_view sop_instance, std::uint16_t message_id);
std::string c_store_rsp(std::string_view sop_class, std::string_view sop_instance, std::uint16_t message_id);

std::string c_find_rq(std::string_view sop_class, std::uint16_t message_id);

/// Appends the command fragments of a P-DATA-TF body; true when one of them was the last.
Result<bool> append_command(Bytes p_data_body, std::string& command);

struct Command {
  std::uint16_t field = 0, message_id = 0, status = 0xFFFF;
  std::string sop_class, sop_instance, comment;
};
/// `message_id` is (0000,0110), or (0000,0120) of a response.
Result<Command> read_command(Bytes command);
/// As read_command(), but malformed unless it is a C-STORE-RSP with a status.
Result<Command> read_c_store_rsp(Bytes command);

}  // namespace cairn::load::wire
