#include "engine/dicom/dimse_message.h"

#include <algorithm>
#include <string_view>

#include "engine/core/uid.h"

namespace cairn::dicom {
namespace {

std::string text_of(Bytes value) {
  std::string_view text = as_text(value);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return std::string(text);
}

std::string uid_of(Bytes value) {
  return std::string(trim_uid(as_text(value)));
}

Result<std::uint16_t> us_of(Bytes value, std::uint64_t offset) {
  if (value.size() != 2) return fail(Errc::malformed, "number in command set", offset);
  return load_le<std::uint16_t>(value.data());
}

Result<> set_us(std::optional<std::uint16_t>& into, Bytes value, std::uint64_t offset) {
  if (value.empty()) return outcome::success();
  CAIRN_TRY(into, us_of(value, offset));
  return outcome::success();
}

std::vector<Tag> tags_of(Bytes value) {
  std::vector<Tag> tags;
  for (std::size_t at = 0; at + 4 <= value.size(); at += 4) {
    tags.push_back({load_le<std::uint16_t>(value.data() + at), load_le<std::uint16_t>(value.data() + at + 2)});
  }
  return tags;
}

Result<> take(CommandSet& c, std::uint16_t element, Bytes value, std::uint64_t offset, bool& typed, bool& commanded) {
  switch (element) {
    case 0x0002:
      c.affected_sop_class_uid = uid_of(value);
      break;
    case 0x0003:
      c.requested_sop_class_uid = uid_of(value);
      break;
    case 0x0100: {
      CAIRN_TRY(auto field, us_of(value, offset));
      c.command = static_cast<CommandField>(field);
      commanded = true;
      break;
    }
    case 0x0110:
      return set_us(c.message_id, value, offset);
    case 0x0120:
      return set_us(c.message_id_being_responded_to, value, offset);
    case 0x0600:
      c.move_destination = text_of(value);
      break;
    case 0x0700:
      return set_us(c.priority, value, offset);
    case 0x0800: {
      CAIRN_TRY(c.data_set_type, us_of(value, offset));
      typed = true;
      break;
    }
    case 0x0900:
      return set_us(c.status, value, offset);
    case 0x0901:
      c.offending_elements = tags_of(value);
      break;
    case 0x0902:
      c.error_comment = text_of(value);
      break;
    case 0x0903:
      return set_us(c.error_id, value, offset);
    case 0x1000:
      c.affected_sop_instance_uid = uid_of(value);
      break;
    case 0x1001:
      c.requested_sop_instance_uid = uid_of(value);
      break;
    case 0x1002:
      return set_us(c.event_type_id, value, offset);
    case 0x1005:
      c.attribute_identifier_list = tags_of(value);
      break;
    case 0x1008:
      return set_us(c.action_type_id, value, offset);
    case 0x1020:
      return set_us(c.remaining, value, offset);
    case 0x1021:
      return set_us(c.completed, value, offset);
    case 0x1022:
      return set_us(c.failed, value, offset);
    case 0x1023:
      return set_us(c.warning, value, offset);
    case 0x1030:
      c.move_originator_ae = text_of(value);
      break;
    case 0x1031:
      return set_us(c.move_originator_message_id, value, offset);
    default:
      break;
  }
  return outcome::success();
}

// Writes elements in the order in which it is called: ascending.
class Writer {
 public:
  void bytes(std::uint16_t element, std::string_view value, char padding) {
    const bool odd = (value.size() & 1) != 0;
    header(element, value.size() + (odd ? 1 : 0));
    out_ += value;
    if (odd) out_ += padding;
  }
  void uid(std::uint16_t element, std::string_view value) {
    if (!value.empty()) bytes(element, value.substr(0, 64), '\0');
  }
  void text(std::uint16_t element, std::string_view value, std::size_t longest) {
    if (!value.empty()) bytes(element, value.substr(0, longest), ' ');
  }
  void us(std::uint16_t element, std::uint16_t value) {
    header(element, 2);
    put16(value);
  }
  void us(std::uint16_t element, const std::optional<std::uint16_t>& value) {
    if (value) us(element, *value);
  }
  void tags(std::uint16_t element, const std::vector<Tag>& values) {
    if (values.empty()) return;
    const std::size_t n = std::min<std::size_t>(values.size(), 256);
    header(element, 4 * n);
    for (std::size_t i = 0; i < n; ++i) {
      put16(values[i].group);
      put16(values[i].element);
    }
  }
  std::string finish() {
    std::byte length[4];
    store_le(length, static_cast<std::uint32_t>(out_.size() - kGroupLengthBytes));
    out_.replace(8, 4, as_text(length));
    return std::move(out_);
  }
  Writer() {
    out_.reserve(256);
    header(0x0000, 4);
    out_.append(4, '\0');
  }

 private:
  static constexpr std::size_t kGroupLengthBytes = 12;
  void put16(std::uint16_t value) {
    std::byte b[2];
    store_le(b, value);
    out_ += as_text(b);
  }
  void header(std::uint16_t element, std::size_t length) {
    put16(0);
    put16(element);
    put16(static_cast<std::uint16_t>(length & 0xffff));
    put16(static_cast<std::uint16_t>(length >> 16));
  }
  std::string out_;
};

}  // namespace

Result<CommandSet> decode_command(Bytes bytes) {
  if (bytes.size() > kMaxCommandBytes) return fail(Errc::limit_exceeded, "command set");
  CommandSet command;
  bool typed = false, commanded = false;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t remaining = bytes.size() - at;
    if (remaining < 8) return fail(Errc::truncated, "command element header", at);
    const std::byte* p = bytes.data() + at;
    const auto length = load_le<std::uint32_t>(p + 4);
    if (load_le<std::uint16_t>(p) != 0) return fail(Errc::malformed, "element outside group 0000 in command set", at);
    if (length > remaining - 8) return fail(Errc::truncated, "command element", at);
    CAIRN_TRYV(take(command, load_le<std::uint16_t>(p + 2), bytes.subspan(at + 8, length), at, typed, commanded));
    at += 8 + std::size_t{length};
  }
  if (!commanded) return fail(Errc::missing, "Command Field");
  if (!typed) return fail(Errc::missing, "Command Data Set Type");
  const bool responds = is_response(command.command) || command.command == CommandField::c_cancel_rq;
  if (responds && !command.message_id_being_responded_to) {
    return fail(Errc::missing, "Message ID Being Responded To");
  }
  if (!responds && !command.message_id) return fail(Errc::missing, "Message ID");
  return command;
}

std::string encode_command(const CommandSet& c) {
  Writer out;
  out.uid(0x0002, c.affected_sop_class_uid);
  out.uid(0x0003, c.requested_sop_class_uid);
  out.us(0x0100, static_cast<std::uint16_t>(c.command));
  out.us(0x0110, c.message_id);
  out.us(0x0120, c.message_id_being_responded_to);
  out.text(0x0600, c.move_destination, 16);
  out.us(0x0700, c.priority);
  out.us(0x0800, c.data_set_type);
  out.us(0x0900, c.status);
  out.tags(0x0901, c.offending_elements);
  out.text(0x0902, c.error_comment, 64);
  out.us(0x0903, c.error_id);
  out.uid(0x1000, c.affected_sop_instance_uid);
  out.uid(0x1001, c.requested_sop_instance_uid);
  out.us(0x1002, c.event_type_id);
  out.tags(0x1005, c.attribute_identifier_list);
  out.us(0x1008, c.action_type_id);
  out.us(0x1020, c.remaining);
  out.us(0x1021, c.completed);
  out.us(0x1022, c.failed);
  out.us(0x1023, c.warning);
  out.text(0x1030, c.move_originator_ae, 16);
  out.us(0x1031, c.move_originator_message_id);
  return out.finish();
}

CommandSet make_response(const CommandSet& request, std::uint16_t status) {
  CommandSet response;
  response.command = response_to(request.command);
  response.affected_sop_class_uid =
      request.affected_sop_class_uid.empty() ? request.requested_sop_class_uid : request.affected_sop_class_uid;
  response.affected_sop_instance_uid = request.affected_sop_instance_uid.empty() ? request.requested_sop_instance_uid
                                                                                 : request.affected_sop_instance_uid;
  response.message_id_being_responded_to = request.message_id.value_or(0);
  response.status = status;
  return response;
}

}  // namespace cairn::dicom
