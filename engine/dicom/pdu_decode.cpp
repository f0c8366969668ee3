#include <algorithm>

#include "engine/dicom/pdu.h"

namespace cairn::dicom::pdu {
namespace {

// A cursor over one PDU body. It never reads past its end: each read asks first.
class Reader {
 public:
  explicit Reader(Bytes bytes, std::uint64_t base = 0) : bytes_(bytes), base_(base) {}

  std::size_t remaining() const noexcept { return bytes_.size() - at_; }
  bool empty() const noexcept { return remaining() == 0; }
  std::uint64_t offset() const noexcept { return base_ + at_; }

  Result<std::uint8_t> u8(const char* where) {
    CAIRN_TRYV(need(1, where));
    return std::to_integer<std::uint8_t>(bytes_[at_++]);
  }
  Result<std::uint16_t> u16(const char* where) {
    CAIRN_TRYV(need(2, where));
    at_ += 2;
    return load_be<std::uint16_t>(bytes_.data() + at_ - 2);
  }
  Result<std::uint32_t> u32(const char* where) {
    CAIRN_TRYV(need(4, where));
    at_ += 4;
    return load_be<std::uint32_t>(bytes_.data() + at_ - 4);
  }
  Result<Bytes> bytes(std::size_t n, const char* where) {
    CAIRN_TRYV(need(n, where));
    at_ += n;
    return bytes_.subspan(at_ - n, n);
  }
  Result<> skip(std::size_t n, const char* where) {
    CAIRN_TRYV(need(n, where));
    at_ += n;
    return outcome::success();
  }
  Result<std::string> text(std::size_t n, const char* where) {
    CAIRN_TRY(auto b, bytes(n, where));
    return std::string(as_text(b));
  }
  /// A 16-bit length and that many bytes.
  Result<std::string> counted(const char* where) {
    CAIRN_TRY(auto n, u16(where));
    return text(n, where);
  }

  struct Item {
    std::uint8_t type;
    Bytes body;
    std::uint64_t offset;
  };
  Result<Item> item(const char* where) {
    CAIRN_TRY(auto type, u8(where));
    CAIRN_TRYV(skip(1, where));
    CAIRN_TRY(auto length, u16(where));
    const std::uint64_t begin = offset();
    CAIRN_TRY(auto body, bytes(length, where));
    return Item{type, body, begin};
  }

 private:
  Result<> need(std::size_t n, const char* where) const {
    if (remaining() < n) return fail(Errc::truncated, where, offset());
    return outcome::success();
  }
  Bytes bytes_;
  std::size_t at_ = 0;
  std::uint64_t base_;
};

std::string trimmed(Bytes bytes) {
  std::string_view text = as_text(bytes);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return std::string(text);
}

// A UID as senders write it: some pad with NUL or space although PS3.8 Annex F forbids it.
Result<std::string> uid(Bytes bytes, const char* where, std::uint64_t offset) {
  std::string text = trimmed(bytes);
  if (text.size() > 64) return fail(Errc::malformed, where, offset);
  return text;
}

Result<std::string> counted_uid(Reader& in, const char* where) {
  CAIRN_TRY(auto n, in.u16(where));
  const std::uint64_t at = in.offset();
  CAIRN_TRY(auto bytes, in.bytes(n, where));
  return uid(bytes, where, at);
}

Result<ProposedContext> decode_context(const Reader::Item& item, ProposedContext*) {
  constexpr const char* kWhere = "presentation context";
  Reader in(item.body, item.offset);
  ProposedContext context;
  CAIRN_TRY(auto id, in.u8(kWhere));
  context.id = id;
  if ((id & 1) == 0) return fail(Errc::malformed, "presentation context ID", item.offset);
  CAIRN_TRYV(in.skip(3, kWhere));
  bool named = false;
  while (!in.empty()) {
    CAIRN_TRY(auto sub, in.item("sub-item of presentation context"));
    if (sub.type == 0x30) {
      if (named) return fail(Errc::malformed, "second abstract syntax", sub.offset);
      named = true;
      CAIRN_TRY(auto value, uid(sub.body, "abstract syntax", sub.offset));
      context.abstract_syntax = std::move(value);
    } else if (sub.type == 0x40) {
      if (context.transfer_syntaxes.size() == kMaxTransferSyntaxes) {
        return fail(Errc::limit_exceeded, "transfer syntaxes of a presentation context", sub.offset);
      }
      CAIRN_TRY(auto value, uid(sub.body, "transfer syntax", sub.offset));
      context.transfer_syntaxes.push_back(std::move(value));
    }
  }
  if (!named) return fail(Errc::missing, "abstract syntax", item.offset);
  if (context.transfer_syntaxes.empty()) return fail(Errc::missing, "transfer syntax", item.offset);
  return context;
}

Result<NegotiatedContext> decode_context(const Reader::Item& item, NegotiatedContext*) {
  constexpr const char* kWhere = "presentation context";
  Reader in(item.body, item.offset);
  NegotiatedContext context;
  CAIRN_TRY(auto id, in.u8(kWhere));
  CAIRN_TRYV(in.skip(1, kWhere));
  CAIRN_TRY(auto result, in.u8("presentation context result"));
  CAIRN_TRYV(in.skip(1, kWhere));
  context.id = id;
  context.result = static_cast<ContextResult>(result);
  if ((id & 1) == 0) return fail(Errc::malformed, "presentation context ID", item.offset);
  while (!in.empty()) {
    CAIRN_TRY(auto sub, in.item("sub-item of presentation context"));
    if (sub.type != 0x40) continue;
    CAIRN_TRY(auto value, uid(sub.body, "transfer syntax", sub.offset));
    context.transfer_syntax = std::move(value);
  }
  if (context.result == ContextResult::acceptance && context.transfer_syntax.empty()) {
    return fail(Errc::missing, "transfer syntax", item.offset);
  }
  return context;
}

Result<UserIdentity> decode_user_identity(Reader in) {
  constexpr const char* kWhere = "user identity";
  UserIdentity identity;
  CAIRN_TRY(auto kind, in.u8(kWhere));
  CAIRN_TRY(auto response, in.u8(kWhere));
  CAIRN_TRY(auto primary, in.counted(kWhere));
  CAIRN_TRY(auto secondary, in.counted(kWhere));
  identity.kind = kind;
  identity.response_requested = response != 0;
  identity.primary = std::move(primary);
  identity.secondary = std::move(secondary);
  return identity;
}

Result<CommonExtendedNegotiation> decode_common_extended(Reader in) {
  CommonExtendedNegotiation common;
  CAIRN_TRY(auto sop_class, counted_uid(in, "common extended negotiation"));
  CAIRN_TRY(auto service_class, counted_uid(in, "common extended negotiation"));
  CAIRN_TRY(auto related_bytes, in.u16("related general SOP classes"));
  const std::uint64_t at = in.offset();
  CAIRN_TRY(auto body, in.bytes(related_bytes, "related general SOP classes"));
  Reader related(body, at);
  while (!related.empty()) {
    CAIRN_TRY(auto value, counted_uid(related, "related general SOP class"));
    common.related_general_sop_class_uids.push_back(std::move(value));
  }
  common.sop_class_uid = std::move(sop_class);
  common.service_class_uid = std::move(service_class);
  return common;
}

Result<> decode_user_item(const Reader::Item& item, UserInformation& user) {
  Reader in(item.body, item.offset);
  switch (item.type) {
    case 0x51: {
      CAIRN_TRY(user.max_length, in.u32("maximum length"));
      break;
    }
    case 0x52: {
      CAIRN_TRY(user.implementation_class_uid, uid(item.body, "implementation class UID", item.offset));
      break;
    }
    case 0x53: {
      AsynchronousWindow window;
      CAIRN_TRY(window.invoked, in.u16("asynchronous operations window"));
      CAIRN_TRY(window.performed, in.u16("asynchronous operations window"));
      user.asynchronous_window = window;
      break;
    }
    case 0x54: {
      RoleSelection role;
      CAIRN_TRY(role.sop_class_uid, counted_uid(in, "role selection"));
      CAIRN_TRY(auto scu, in.u8("role selection"));
      CAIRN_TRY(auto scp, in.u8("role selection"));
      role.scu = scu != 0;
      role.scp = scp != 0;
      user.roles.push_back(std::move(role));
      break;
    }
    case 0x55:
      user.implementation_version_name = trimmed(item.body.first(std::min<std::size_t>(item.body.size(), 16)));
      break;
    case 0x56: {
      ExtendedNegotiation extended;
      CAIRN_TRY(extended.sop_class_uid, counted_uid(in, "extended negotiation"));
      CAIRN_TRY(extended.application_information, in.text(in.remaining(), "extended negotiation"));
      user.extended.push_back(std::move(extended));
      break;
    }
    case 0x57: {
      CAIRN_TRY(auto common, decode_common_extended(in));
      user.common_extended.push_back(std::move(common));
      break;
    }
    case 0x58: {
      CAIRN_TRY(auto identity, decode_user_identity(in));
      user.user_identity = std::move(identity);
      break;
    }
    case 0x59: {
      CAIRN_TRY(auto response, in.counted("user identity response"));
      user.user_identity_response = std::move(response);
      break;
    }
    default:
      break;
  }
  return outcome::success();
}

Result<> decode_user(const Reader::Item& item, UserInformation& user) {
  Reader in(item.body, item.offset);
  for (std::size_t items = 0; !in.empty(); ++items) {
    if (items == kMaxUserItems) return fail(Errc::limit_exceeded, "user information items", in.offset());
    CAIRN_TRY(auto sub, in.item("user information item"));
    CAIRN_TRYV(decode_user_item(sub, user));
  }
  return outcome::success();
}

template <class ContextItem>
Result<Associate<ContextItem>> decode_associate(Bytes body, std::uint8_t context_type) {
  Reader in(body);
  Associate<ContextItem> pdu;
  CAIRN_TRY(pdu.protocol_version, in.u16("protocol version"));
  CAIRN_TRYV(in.skip(2, "reserved field"));
  CAIRN_TRY(auto called, in.bytes(16, "called AE title"));
  CAIRN_TRY(auto calling, in.bytes(16, "calling AE title"));
  CAIRN_TRYV(in.skip(32, "reserved field"));
  pdu.called_ae = trimmed(called);
  pdu.calling_ae = trimmed(calling);
  bool have_user = false;
  while (!in.empty()) {
    CAIRN_TRY(auto item, in.item("item of associate PDU"));
    if (item.type == 0x10) {
      CAIRN_TRY(pdu.application_context, uid(item.body, "application context", item.offset));
    } else if (item.type == context_type) {
      if (pdu.contexts.size() == kMaxPresentationContexts) {
        return fail(Errc::limit_exceeded, "presentation contexts", item.offset);
      }
      CAIRN_TRY(auto context, decode_context(item, static_cast<ContextItem*>(nullptr)));
      const bool repeated = std::any_of(pdu.contexts.begin(), pdu.contexts.end(),
                                        [&](const ContextItem& other) { return other.id == context.id; });
      if (repeated) return fail(Errc::malformed, "repeated presentation context ID", item.offset);
      pdu.contexts.push_back(std::move(context));
    } else if (item.type == 0x50) {
      if (have_user) return fail(Errc::malformed, "second user information", item.offset);
      have_user = true;
      CAIRN_TRYV(decode_user(item, pdu.user));
    }
  }
  return pdu;
}

}  // namespace

Header read_header(const std::byte* p) noexcept {
  return {std::to_integer<std::uint8_t>(p[0]), load_be<std::uint32_t>(p + 2)};
}

Result<PDVHeader> read_pdv_header(const std::byte* p) noexcept {
  const std::uint32_t item_length = load_be<std::uint32_t>(p);
  if (item_length < 2) return fail(Errc::malformed, "PDV item length");
  const auto control = std::to_integer<std::uint8_t>(p[5]);
  return PDVHeader{item_length - 2, std::to_integer<std::uint8_t>(p[4]), (control & 1) != 0, (control & 2) != 0};
}

Result<AssociateRQ> decode_associate_rq(Bytes body) {
  CAIRN_TRY(auto pdu, decode_associate<ProposedContext>(body, 0x20));
  if (pdu.contexts.empty()) return fail(Errc::missing, "presentation context");
  return pdu;
}

Result<AssociateAC> decode_associate_ac(Bytes body) {
  return decode_associate<NegotiatedContext>(body, 0x21);
}

Result<AssociateRJ> decode_associate_rj(Bytes body) {
  Reader in(body);
  CAIRN_TRYV(in.skip(1, "A-ASSOCIATE-RJ"));
  AssociateRJ pdu;
  CAIRN_TRY(pdu.result, in.u8("A-ASSOCIATE-RJ"));
  CAIRN_TRY(pdu.source, in.u8("A-ASSOCIATE-RJ"));
  CAIRN_TRY(pdu.reason, in.u8("A-ASSOCIATE-RJ"));
  return pdu;
}

Result<Abort> decode_abort(Bytes body) {
  Reader in(body);
  CAIRN_TRYV(in.skip(2, "A-ABORT"));
  Abort pdu;
  CAIRN_TRY(pdu.source, in.u8("A-ABORT"));
  CAIRN_TRY(pdu.reason, in.u8("A-ABORT"));
  return pdu;
}

}  // namespace cairn::dicom::pdu
