// The PDUs of the DICOM upper layer (PS3.8 §9.3, Annex D; PS3.7 Annex D for user information), as values, and their
// codec. All integers are big-endian on the wire. Pure functions: no sockets, no state; any thread.
//
// Decoders take the PDU without its 6-byte header. Every length is checked against what remains before it is used;
// items of unknown type are skipped, as PS3.8 §9.3.1 asks. Text is kept without its padding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::dicom::pdu {

enum class Type : std::uint8_t {
  associate_rq = 0x01,
  associate_ac = 0x02,
  associate_rj = 0x03,
  p_data_tf = 0x04,
  release_rq = 0x05,
  release_rp = 0x06,
  abort = 0x07,
};

inline constexpr std::size_t kHeaderBytes = 6;     ///< type, reserved, length
inline constexpr std::size_t kPDVHeaderBytes = 6;  ///< item length, presentation context ID, message control header

/// Limits past which an A-ASSOCIATE PDU is refused: contexts have odd IDs of one byte, so there are at most 128.
inline constexpr std::size_t kMaxPresentationContexts = 128;
inline constexpr std::size_t kMaxTransferSyntaxes = 256;  ///< of one presentation context
inline constexpr std::size_t kMaxUserItems = 1024;

struct Header {
  std::uint8_t type = 0;  ///< perhaps none of Type
  std::uint32_t length = 0;
};
/// Precondition: kHeaderBytes bytes at `p`.
Header read_header(const std::byte* p) noexcept;

struct PDVHeader {
  std::uint32_t length = 0;  ///< of the fragment, without context ID and control header
  std::uint8_t context_id = 0;
  bool command = false;
  bool last = false;
};
/// Precondition: kPDVHeaderBytes bytes at `p`. Errors: malformed (item length below 2).
Result<PDVHeader> read_pdv_header(const std::byte* p) noexcept;

struct ProposedContext {
  std::uint8_t id = 0;
  std::string abstract_syntax;
  std::vector<std::string> transfer_syntaxes;  ///< in the proposer's order
};

/// PS3.8 Table 9-18.
enum class ContextResult : std::uint8_t {
  acceptance = 0,
  user_rejection = 1,
  no_reason = 2,
  abstract_syntax_not_supported = 3,
  transfer_syntaxes_not_supported = 4,
};

struct NegotiatedContext {
  std::uint8_t id = 0;
  ContextResult result = ContextResult::acceptance;
  std::string transfer_syntax;  ///< not significant unless accepted
};

struct AsynchronousWindow {  ///< PS3.7 §D.3.3.3; 0 is unlimited
  std::uint16_t invoked = 1;
  std::uint16_t performed = 1;
};

struct RoleSelection {  ///< PS3.7 §D.3.3.4
  std::string sop_class_uid;
  bool scu = false, scp = false;
};

struct ExtendedNegotiation {  ///< PS3.7 §D.3.3.5
  std::string sop_class_uid;
  std::string application_information;
};

struct CommonExtendedNegotiation {  ///< PS3.7 §D.3.3.6; only in requests
  std::string sop_class_uid, service_class_uid;
  std::vector<std::string> related_general_sop_class_uids;
};

/// PS3.7 §D.3.3.7. The fields are secrets of the peer: never logged.
struct UserIdentity {
  enum class Kind : std::uint8_t { username = 1, username_and_passcode = 2, kerberos = 3, saml = 4, jwt = 5 };
  std::uint8_t kind = 0;  ///< perhaps none of Kind
  bool response_requested = false;
  std::string primary, secondary;
};

struct UserInformation {
  std::uint32_t max_length = 0;  ///< largest P-DATA-TF that its sender receives; 0 is unlimited
  std::string implementation_class_uid, implementation_version_name;
  std::optional<AsynchronousWindow> asynchronous_window;
  std::vector<RoleSelection> roles;
  std::vector<ExtendedNegotiation> extended;
  std::vector<CommonExtendedNegotiation> common_extended;
  std::optional<UserIdentity> user_identity;          ///< in a request
  std::optional<std::string> user_identity_response;  ///< in an acceptance
};

/// `ContextItem` is ProposedContext in a request, NegotiatedContext in an acceptance.
template <class ContextItem>
struct Associate {
  std::uint16_t protocol_version = 1;  ///< bit 0 is version 1, the only one there is
  std::string called_ae, calling_ae;   ///< without padding
  std::string application_context;
  std::vector<ContextItem> contexts;
  UserInformation user;
};
using AssociateRQ = Associate<ProposedContext>;
using AssociateAC = Associate<NegotiatedContext>;

/// PS3.8 Table 9-21. Reasons belong to their source.
struct AssociateRJ {
  enum class Result : std::uint8_t { permanent = 1, transient = 2 };
  enum class Source : std::uint8_t { user = 1, provider_acse = 2, provider_presentation = 3 };
  enum Reason : std::uint8_t {
    no_reason = 1,
    application_context_not_supported = 2,  // source user
    calling_ae_not_recognized = 3,          // source user
    called_ae_not_recognized = 7,           // source user
    protocol_version_not_supported = 2,     // source provider_acse
    temporary_congestion = 1,               // source provider_presentation
    local_limit_exceeded = 2,               // source provider_presentation
  };
  std::uint8_t result = 1, source = 1, reason = 1;
};

/// PS3.8 Table 9-26. The reason is significant only with source provider.
struct Abort {
  enum Source : std::uint8_t { user = 0, provider = 2 };
  enum Reason : std::uint8_t {
    not_specified = 0,
    unrecognized_pdu = 1,
    unexpected_pdu = 2,
    unrecognized_parameter = 4,
    unexpected_parameter = 5,
    invalid_parameter_value = 6,
  };
  std::uint8_t source = user, reason = not_specified;
};

/// Errors: truncated, malformed, limit_exceeded, missing; `where` names the item, `offset` counts from the PDU body.
Result<AssociateRQ> decode_associate_rq(Bytes body);
Result<AssociateAC> decode_associate_ac(Bytes body);
Result<AssociateRJ> decode_associate_rj(Bytes body);
Result<Abort> decode_abort(Bytes body);

/// Whole PDUs with their headers. AE titles and UIDs are cut at 16 and 64 characters; items longer than their 16-bit
/// length field can say are left out.
std::string encode(const AssociateRQ& pdu);
std::string encode(const AssociateAC& pdu);
std::string encode(const AssociateRJ& pdu);
std::string encode(const Abort& pdu);
std::string encode_release_rq();
std::string encode_release_rp();

/// The 12 bytes before a fragment that is alone in its P-DATA-TF. Precondition: `fragment_bytes` < 2^32 - 6.
void write_p_data_header(std::byte* p, std::uint8_t context_id, bool command, bool last,
                         std::uint32_t fragment_bytes) noexcept;
/// A command or data set as P-DATA-TF PDUs none of which is longer than `max_length` (0: unlimited).
void append_p_data(std::string& out, std::uint8_t context_id, bool command, Bytes bytes, std::uint32_t max_length);

/// Largest fragment, even, that fits a peer's maximum length; capped so that one write stays reasonable.
std::uint32_t fragment_capacity(std::uint32_t max_length) noexcept;

}  // namespace cairn::dicom::pdu
