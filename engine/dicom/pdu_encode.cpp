#include <algorithm>

#include "engine/core/check.h"
#include "engine/dicom/pdu.h"

namespace cairn::dicom::pdu {
namespace {

constexpr std::size_t kMaxItemBytes = 0xffff;

void put_u8(std::string& out, unsigned value) {
  out += static_cast<char>(value);
}
void put_u16(std::string& out, std::size_t value) {
  put_u8(out, static_cast<unsigned>(value >> 8) & 0xff);
  put_u8(out, static_cast<unsigned>(value) & 0xff);
}
void put_u32(std::string& out, std::uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value & 0xffff);
}
void put_counted(std::string& out, std::string_view text) {
  put_u16(out, text.size());
  out += text;
}
void put_ae(std::string& out, std::string_view title) {
  std::string padded(title.substr(0, 16));
  padded.resize(16, ' ');
  out += padded;
}
std::string_view cut_uid(std::string_view uid) {
  return uid.substr(0, 64);
}

void put_item(std::string& out, std::uint8_t type, std::string_view body) {
  if (body.size() > kMaxItemBytes) return;
  put_u8(out, type);
  put_u8(out, 0);
  put_counted(out, body);
}

std::string body_of(const ProposedContext& context) {
  std::string body;
  put_u8(body, context.id);
  body.append(3, '\0');
  put_item(body, 0x30, cut_uid(context.abstract_syntax));
  for (const auto& syntax : context.transfer_syntaxes) put_item(body, 0x40, cut_uid(syntax));
  return body;
}

std::string body_of(const NegotiatedContext& context) {
  std::string body;
  put_u8(body, context.id);
  put_u8(body, 0);
  put_u8(body, static_cast<std::uint8_t>(context.result));
  put_u8(body, 0);
  put_item(body, 0x40, cut_uid(context.transfer_syntax));
  return body;
}

std::string body_of(const CommonExtendedNegotiation& common) {
  std::string body, related;
  for (const auto& uid : common.related_general_sop_class_uids) put_counted(related, cut_uid(uid));
  put_counted(body, cut_uid(common.sop_class_uid));
  put_counted(body, cut_uid(common.service_class_uid));
  put_counted(body, std::string_view(related).substr(0, kMaxItemBytes));
  return body;
}

std::string body_of(const UserIdentity& identity) {
  std::string body;
  put_u8(body, identity.kind);
  put_u8(body, identity.response_requested ? 1 : 0);
  put_counted(body, std::string_view(identity.primary).substr(0, kMaxItemBytes));
  put_counted(body, std::string_view(identity.secondary).substr(0, kMaxItemBytes));
  return body;
}

std::string body_of(const UserInformation& user) {
  std::string body, item;
  put_u32(item, user.max_length);
  put_item(body, 0x51, item);
  put_item(body, 0x52, cut_uid(user.implementation_class_uid));
  if (user.asynchronous_window) {
    item.clear();
    put_u16(item, user.asynchronous_window->invoked);
    put_u16(item, user.asynchronous_window->performed);
    put_item(body, 0x53, item);
  }
  for (const RoleSelection& role : user.roles) {
    item.clear();
    put_counted(item, cut_uid(role.sop_class_uid));
    put_u8(item, role.scu ? 1 : 0);
    put_u8(item, role.scp ? 1 : 0);
    put_item(body, 0x54, item);
  }
  if (!user.implementation_version_name.empty()) {
    put_item(body, 0x55, std::string_view(user.implementation_version_name).substr(0, 16));
  }
  for (const ExtendedNegotiation& extended : user.extended) {
    item.clear();
    put_counted(item, cut_uid(extended.sop_class_uid));
    item += extended.application_information;
    put_item(body, 0x56, item);
  }
  for (const CommonExtendedNegotiation& common : user.common_extended) put_item(body, 0x57, body_of(common));
  if (user.user_identity) put_item(body, 0x58, body_of(*user.user_identity));
  if (user.user_identity_response) {
    item.clear();
    put_counted(item, std::string_view(*user.user_identity_response).substr(0, kMaxItemBytes - 2));
    put_item(body, 0x59, item);
  }
  return body;
}

std::string with_header(Type type, std::string_view body) {
  std::string out;
  out.reserve(kHeaderBytes + body.size());
  put_u8(out, static_cast<std::uint8_t>(type));
  put_u8(out, 0);
  put_u32(out, static_cast<std::uint32_t>(body.size()));
  out += body;
  return out;
}

template <class ContextItem>
std::string encode_associate(const Associate<ContextItem>& pdu, Type type, std::uint8_t context_type) {
  std::string body;
  put_u16(body, pdu.protocol_version);
  put_u16(body, 0);
  put_ae(body, pdu.called_ae);
  put_ae(body, pdu.calling_ae);
  body.append(32, '\0');
  put_item(body, 0x10, cut_uid(pdu.application_context));
  for (const ContextItem& context : pdu.contexts) put_item(body, context_type, body_of(context));
  put_item(body, 0x50, body_of(pdu.user));
  return with_header(type, body);
}

}  // namespace

std::string encode(const AssociateRQ& pdu) {
  return encode_associate(pdu, Type::associate_rq, 0x20);
}
std::string encode(const AssociateAC& pdu) {
  return encode_associate(pdu, Type::associate_ac, 0x21);
}

std::string encode(const AssociateRJ& pdu) {
  const char body[] = {0, static_cast<char>(pdu.result), static_cast<char>(pdu.source), static_cast<char>(pdu.reason)};
  return with_header(Type::associate_rj, {body, sizeof body});
}

std::string encode(const Abort& pdu) {
  const char body[] = {0, 0, static_cast<char>(pdu.source), static_cast<char>(pdu.reason)};
  return with_header(Type::abort, {body, sizeof body});
}

std::string encode_release_rq() {
  return with_header(Type::release_rq, {"\0\0\0\0", 4});
}
std::string encode_release_rp() {
  return with_header(Type::release_rp, {"\0\0\0\0", 4});
}

void write_p_data_header(std::byte* p, std::uint8_t context_id, bool command, bool last,
                         std::uint32_t fragment_bytes) noexcept {
  p[0] = std::byte{static_cast<std::uint8_t>(Type::p_data_tf)};
  p[1] = std::byte{0};
  store_be<std::uint32_t>(p + 2, fragment_bytes + 6);
  store_be<std::uint32_t>(p + 6, fragment_bytes + 2);
  p[10] = std::byte{context_id};
  p[11] = static_cast<std::byte>((command ? 1 : 0) | (last ? 2 : 0));
}

void append_p_data(std::string& out, std::uint8_t context_id, bool command, Bytes bytes, std::uint32_t max_length) {
  const std::uint32_t capacity = fragment_capacity(max_length);
  do {
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), capacity));
    std::byte header[kHeaderBytes + kPDVHeaderBytes];
    write_p_data_header(header, context_id, command, n == bytes.size(), n);
    out += as_text({header, sizeof header});
    out += as_text(bytes.first(n));
    bytes = bytes.subspan(n);
  } while (!bytes.empty());
}

std::uint32_t fragment_capacity(std::uint32_t max_length) noexcept {
  constexpr std::uint32_t kLargest = 1u << 20;
  if (max_length == 0 || max_length > kLargest) max_length = kLargest;
  // A peer that announces less than anything could fit in gets the smallest fragments that make progress.
  return max_length < 8 ? 2 : (max_length - 6) & ~std::uint32_t{1};
}

}  // namespace cairn::dicom::pdu
