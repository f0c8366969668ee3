#include "bench/load/wire.h"

#include <algorithm>

namespace cairn::load::wire {
namespace {

template <class T>
void be(std::string& out, T value) {
  std::byte b[sizeof(T)];
  store_be(b, value);
  out.append(reinterpret_cast<const char*>(b), sizeof b);
}
template <class T>
void le(std::string& out, T value) {
  std::byte b[sizeof(T)];
  store_le(b, value);
  out.append(reinterpret_cast<const char*>(b), sizeof b);
}

std::string item(std::uint8_t type, std::string_view body) {
  std::string s{static_cast<char>(type), '\0'};
  be(s, static_cast<std::uint16_t>(body.size()));
  s += body;
  return s;
}

std::string pdu(std::uint8_t type, std::string_view body) {
  std::string s{static_cast<char>(type), '\0'};
  be(s, static_cast<std::uint32_t>(body.size()));
  s += body;
  return s;
}

std::string user_information(std::uint32_t max_pdu_bytes, unsigned window) {
  std::string length;
  be(length, max_pdu_bytes);
  std::string all = item(0x51, length) + item(0x52, "2.25.1048576000000000001");
  if (window != 1) {
    std::string w;
    be(w, static_cast<std::uint16_t>(window));
    be(w, std::uint16_t{1});
    all += item(0x53, w);
  }
  all += item(0x55, "CAIRN_LOAD");
  return item(0x50, all);
}

std::string ae(std::string_view title) {
  std::string s(title.substr(0, 16));
  s.resize(16, ' ');
  return s;
}

// Calls f(type, value) for each item or sub-item of `bytes`.
template <class F>
Result<> for_each_item(Bytes bytes, F&& f) {
  while (!bytes.empty()) {
    if (bytes.size() < 4) return fail(Errc::truncated, "item head");
    const std::size_t length = load_be<std::uint16_t>(&bytes[2]);
    if (length > bytes.size() - 4) return fail(Errc::truncated, "item");
    f(static_cast<std::uint8_t>(bytes[0]), bytes.subspan(4, length));
    bytes = bytes.subspan(4 + length);
  }
  return outcome::success();
}

void element(std::string& out, std::uint16_t number, std::string_view value) {
  le(out, std::uint16_t{0});
  le(out, number);
  le(out, static_cast<std::uint32_t>(value.size() + value.size() % 2));
  out += value;
  if (value.size() % 2 != 0) out += '\0';
}

void element_us(std::string& out, std::uint16_t number, std::uint16_t value) {
  std::string v;
  le(v, value);
  element(out, number, v);
}

std::string with_group_length(const std::string& body) {
  std::string v, out;
  le(v, static_cast<std::uint32_t>(body.size()));
  element(out, 0x0000, v);
  return out + body;
}

constexpr std::size_t kAssociateFixedBytes = 68;

}  // namespace

std::string associate_rq(std::string_view called, std::string_view calling, unsigned window,
                         const std::vector<std::pair<std::string, std::string>>& contexts) {
  std::string body;
  be(body, std::uint16_t{1});
  be(body, std::uint16_t{0});
  body += ae(called) + ae(calling) + std::string(32, '\0') + item(0x10, "1.2.840.10008.3.1.1.1");
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    const std::string id{static_cast<char>(2 * i + 1), '\0', '\0', '\0'};
    body += item(0x20, id + item(0x30, contexts[i].first) + item(0x40, contexts[i].second));
  }
  body += user_information(1u << 20, window);
  return pdu(0x01, body);
}

Result<std::string> associate_ac(Bytes rq, std::uint32_t max_pdu_bytes) {
  if (rq.size() < kAssociateFixedBytes) return fail(Errc::truncated, "A-ASSOCIATE-RQ");
  std::string body(as_text(rq.first(kAssociateFixedBytes)));
  body += item(0x10, "1.2.840.10008.3.1.1.1");
  unsigned window = 1;
  CAIRN_TRYV(for_each_item(rq.subspan(kAssociateFixedBytes), [&](std::uint8_t type, Bytes value) {
    if (type == 0x20 && value.size() >= 4) {
      std::string syntax;
      (void)for_each_item(value.subspan(4), [&](std::uint8_t t, Bytes v) {
        if (t == 0x40 && syntax.empty()) syntax = as_text(v);
      });
      body += item(0x21, std::string{static_cast<char>(value[0]), '\0', '\0', '\0'} + item(0x40, syntax));
    }
    if (type == 0x50) {
      (void)for_each_item(value, [&](std::uint8_t t, Bytes v) {
        if (t == 0x53 && v.size() >= 2) window = load_be<std::uint16_t>(v.data());
      });
    }
  }));
  body += user_information(max_pdu_bytes, window);
  return pdu(0x02, body);
}

Result<AssociateAC> read_associate_ac(Bytes body) {
  if (body.size() < kAssociateFixedBytes) return fail(Errc::truncated, "A-ASSOCIATE-AC");
  AssociateAC ac;
  CAIRN_TRYV(for_each_item(body.subspan(kAssociateFixedBytes), [&](std::uint8_t type, Bytes value) {
    if (type == 0x21 && value.size() >= 4 && value[2] == std::byte{0}) {
      ac.accepted_ids.push_back(static_cast<std::uint8_t>(value[0]));
    }
    if (type != 0x50) return;
    (void)for_each_item(value, [&](std::uint8_t t, Bytes v) {
      if (t == 0x51 && v.size() >= 4) ac.max_pdu_bytes = load_be<std::uint32_t>(v.data());
      if (t == 0x53 && v.size() >= 4) ac.window = load_be<std::uint16_t>(v.data());
    });
  }));
  return ac;
}

void write_p_data_head(std::byte* out, std::uint8_t context, bool command, bool last, std::size_t fragment_bytes) {
  out[0] = std::byte{0x04};
  out[1] = std::byte{0};
  store_be(out + 2, static_cast<std::uint32_t>(fragment_bytes + kPDVHeadBytes));
  store_be(out + 6, static_cast<std::uint32_t>(fragment_bytes + 2));
  out[10] = std::byte{context};
  out[11] = static_cast<std::byte>((command ? 1 : 0) | (last ? 2 : 0));
}

std::string p_data(std::uint8_t context, bool command, bool last, std::string_view fragment) {
  std::byte head[kPDataHeadBytes];
  write_p_data_head(head, context, command, last, fragment.size());
  std::string s(reinterpret_cast<const char*>(head), sizeof head);
  s += fragment;
  return s;
}

std::string c_store_rq(std::string_view sop_class, std::string_view sop_instance, std::uint16_t message_id) {
  std::string body;
  element(body, 0x0002, sop_class);
  element_us(body, 0x0100, 0x0001);
  element_us(body, 0x0110, message_id);
  element_us(body, 0x0700, 0x0000);
  element_us(body, 0x0800, 0x0001);
  element(body, 0x1000, sop_instance);
  return with_group_length(body);
}

std::string c_store_rsp(std::string_view sop_class, std::string_view sop_instance, std::uint16_t message_id) {
  std::string body;
  element(body, 0x0002, sop_class);
  element_us(body, 0x0100, 0x8001);
  element_us(body, 0x0120, message_id);
  element_us(body, 0x0800, 0x0101);
  element_us(body, 0x0900, 0x0000);
  element(body, 0x1000, sop_instance);
  return with_group_length(body);
}

std::string c_find_rq(std::string_view sop_class, std::uint16_t message_id) {
  std::string body;
  element(body, 0x0002, sop_class);
  element_us(body, 0x0100, 0x0020);
  element_us(body, 0x0110, message_id);
  element_us(body, 0x0700, 0x0000);
  element_us(body, 0x0800, 0x0001);
  return with_group_length(body);
}

Result<bool> append_command(Bytes body, std::string& command) {
  bool last = false;
  while (!body.empty()) {
    if (body.size() < kPDVHeadBytes) return fail(Errc::truncated, "PDV head");
    const std::size_t length = load_be<std::uint32_t>(body.data());
    if (length < 2 || length > body.size() - 4) return fail(Errc::malformed, "PDV length");
    const auto control = static_cast<unsigned>(body[5]);
    if ((control & 1) != 0) {
      if (command.size() + length > 65536) return fail(Errc::limit_exceeded, "command set");
      command += as_text(body.subspan(6, length - 2));
      if ((control & 2) != 0) last = true;
    }
    body = body.subspan(4 + length);
  }
  return last;
}

Result<Command> read_command(Bytes bytes) {
  Command c;
  while (!bytes.empty()) {
    if (bytes.size() < 8) return fail(Errc::truncated, "command element");
    const auto group = load_le<std::uint16_t>(&bytes[0]);
    const auto number = load_le<std::uint16_t>(&bytes[2]);
    const std::size_t length = load_le<std::uint32_t>(&bytes[4]);
    if (group != 0 || length > bytes.size() - 8) return fail(Errc::malformed, "command element");
    const Bytes value = bytes.subspan(8, length);
    std::string text(as_text(value));
    while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
    const std::uint16_t us = value.size() >= 2 ? load_le<std::uint16_t>(value.data()) : std::uint16_t{0};
    switch (number) {
      case 0x0002:
        c.sop_class = text;
        break;
      case 0x0100:
        c.field = us;
        break;
      case 0x0110:
      case 0x0120:
        c.message_id = us;
        break;
      case 0x0900:
        c.status = us;
        break;
      case 0x0902:
        c.comment = text;
        break;
      case 0x1000:
        c.sop_instance = text;
        break;
      default:
        break;
    }
    bytes = bytes.subspan(8 + length);
  }
  return c;
}

Result<Command> read_c_store_rsp(Bytes bytes) {
  CAIRN_TRY(auto c, read_command(bytes));
  if (c.field != 0x8001 || c.status == 0xFFFF) return fail(Errc::malformed, "C-STORE-RSP");
  return c;
}

}  // namespace cairn::load::wire
