#include "engine/dicom/json_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/dicom/character_set.h"
#include "engine/dicom/character_set_tables.h"
#include "engine/dicom/numbers.h"

namespace cairn::dicom::json_detail {
namespace {

using namespace element_detail;

constexpr char kHex[] = "0123456789ABCDEF";

// Integers past this are not exact in the numbers of JavaScript: they become strings (PS3.18 table F.2.3-1).
constexpr std::uint64_t kMaxExactInteger = std::uint64_t{1} << 53;

/// Two characters for each twelve bits.
constexpr auto kBase64Pairs = [] {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::array<char, 2>, 4096> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kAlphabet[i >> 6], kAlphabet[i & 63]};
  return pairs;
}();

void append_base64(std::string& out, Bytes bytes) {
  const std::size_t before = out.size();
  out.resize(before + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + before;
  const auto put = [&to](std::uint32_t v) {
    std::memcpy(to, kBase64Pairs[v >> 12].data(), 2);
    std::memcpy(to + 2, kBase64Pairs[v & 0xfff].data(), 2);
    to += 4;
  };
  std::size_t i = 0;
  // Six bytes of each eight that are loaded.
  for (; i + 8 <= bytes.size(); i += 6) {
    const auto eight = load_be<std::uint64_t>(&bytes[i]);
    put(static_cast<std::uint32_t>(eight >> 40));
    put(static_cast<std::uint32_t>(eight >> 16) & 0xffffff);
  }
  const auto byte = [&bytes](std::size_t at) { return std::to_integer<std::uint32_t>(bytes[at]); };
  for (; i + 3 <= bytes.size(); i += 3) put(byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2));
  if (i == bytes.size()) return;
  const bool two = bytes.size() - i == 2;
  put(byte(i) << 16 | (two ? byte(i + 1) << 8 : 0));
  to[-1] = '=';
  if (!two) to[-2] = '=';
}

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end - at;
}

// A decimal string as a JSON number with all its digits; false, and nothing appended, when it is none or when readers
// could take it for infinite.
bool append_decimal(std::string& out, std::string_view text) {
  constexpr std::size_t kLongest = 64;  // PS3.5 allows 16
  if (text.empty() || text.size() > kLongest) return false;
  std::size_t at = 0;
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') ++at;
  const std::size_t whole_at = at, whole = digits_at(text, at);
  at += whole;
  std::size_t fraction_at = at, fraction = 0;
  if (at < text.size() && text[at] == '.') {
    fraction_at = ++at;
    fraction = digits_at(text, at);
    at += fraction;
  }
  if (whole + fraction == 0) return false;
  std::string_view exponent;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const std::size_t exponent_at = ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t digits = digits_at(text, at);
    if (digits == 0 || digits > 3 || (digits == 3 && text[at] > '1')) return false;
    at += digits;
    exponent = text.substr(exponent_at, at - exponent_at);
  }
  if (at != text.size()) return false;
  if (negative) out.push_back('-');
  std::string_view significant = text.substr(whole_at, whole);
  while (significant.size() > 1 && significant[0] == '0') significant.remove_prefix(1);
  out.append(significant.empty() ? std::string_view("0") : significant);
  if (fraction != 0) out.append(".").append(text.substr(fraction_at, fraction));
  if (!exponent.empty()) out.append("e").append(exponent);
  return true;
}

template <class T>
void append_number(std::string& out, T number) {
  char text[40];
  const auto print = [&out, &text](auto n) {
    out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, n).ptr - text));
  };
  if constexpr (std::is_floating_point_v<T>) {
    // JSON has no such numbers; the words are what DCMTK writes.
    if (std::isnan(number)) {
      out.append("\"NaN\"");
    } else if (std::isinf(number)) {
      out.append(number < 0 ? "\"-inf\"" : "\"inf\"");
    } else if (std::fabs(number) < std::numeric_limits<T>::min()) {
      print(static_cast<double>(number));  // the few digits of a denormal float mean something else to a double
    } else {
      print(number);
    }
  } else {
    bool exact = true;
    if constexpr (sizeof(T) == 8 && std::is_signed_v<T>) {
      exact = number <= static_cast<T>(kMaxExactInteger) && number >= -static_cast<T>(kMaxExactInteger);
    } else if constexpr (sizeof(T) == 8) {
      exact = number <= kMaxExactInteger;
    }
    if (!exact) out.push_back('"');
    print(number);
    if (!exact) out.push_back('"');
  }
}

// A component group without what PS3.5 §6.2.1 lets a sender leave out: trailing delimiters and spaces.
std::string_view trim_name(std::string_view group) {
  while (!group.empty() && (group.back() == '^' || group.back() == ' ' || group.back() == '\0')) group.remove_suffix(1);
  return group;
}

void append_person_name(std::string& out, std::string_view name) {
  static constexpr std::string_view kGroups[] = {"Alphabetic", "Ideographic", "Phonetic"};
  bool first = true;
  for (const std::string_view group : kGroups) {
    const std::size_t end = name.find('=');
    const std::string_view value = trim_name(name.substr(0, end));
    if (!value.empty()) {
      out.append(first ? "{\"" : ",\"").append(group).append("\":");
      append_string(out, value);
      first = false;
    }
    if (end == std::string_view::npos) break;
    name.remove_prefix(end + 1);
  }
  out.append(first ? "null" : "}");
}

void append_text_value(std::string& out, VR vr, std::string_view value) {
  if (vr == VR::PN) return append_person_name(out, value);
  if (value.empty()) {
    out.append("null");
    return;
  }
  if ((vr == VR::DS || vr == VR::IS) && append_decimal(out, value)) return;
  append_string(out, value);  // unreadable numbers stay as they are: PS3.18 allows a string for DS and IS
}

void append_text(std::string& out, VR vr, std::string_view utf8) {
  const bool leading_spaces_pad = properties(vr).multiple && vr != VR::UC;
  out.append(",\"Value\":[");
  if (!properties(vr).multiple) {
    append_string(out, utf8);
  } else {
    for (;;) {
      const std::size_t end = utf8.find('\\');
      const std::string_view value = utf8.substr(0, end);
      append_text_value(out, vr, leading_spaces_pad ? trim_both(value) : trim_padding(value));
      if (end == std::string_view::npos) break;
      out.push_back(',');
      utf8.remove_prefix(end + 1);
    }
  }
  out.push_back(']');
}

}  // namespace

void append_tag(std::string& out, Tag tag) {
  const std::uint32_t v = tag.value();
  char text[8];
  for (unsigned i = 0; i < 8; ++i) text[i] = kHex[v >> (28 - 4 * i) & 0xf];
  out.append(text, 8);
}

void append_attribute(std::string& out, Tag tag, VR vr) {
  char text[] = "\"00000000\":{\"vr\":\"UN\"";
  const std::uint32_t v = tag.value();
  for (unsigned i = 0; i < 8; ++i) text[1 + i] = kHex[v >> (28 - 4 * i) & 0xf];
  if (properties(vr).known) {
    text[18] = static_cast<char>(static_cast<unsigned>(vr) >> 8);
    text[19] = static_cast<char>(static_cast<unsigned>(vr) & 0xff);
  }
  out.append(text, sizeof text - 1);
}

void append_escaped(std::string& out, std::string_view utf8) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c >= 0x20 && c != '"' && c != '\\') [[likely]]
      continue;
    out.append(utf8, from, i - from);
    from = i + 1;
    if (c >= 0x20) {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\r') {
      out.append("\\r");
    } else {
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 0xf]);
    }
  }
  out.append(utf8, from);
}

void append_string(std::string& out, std::string_view utf8) {
  out.push_back('"');
  append_escaped(out, utf8);
  out.push_back('"');
}

void append_value(std::string& out, Tag tag, VR vr, Bytes value, std::string_view character_set) {
  if (value.empty()) return;
  if (properties(vr).text) {
    const std::string_view raw = trim_padding(as_text(value));
    if (raw.empty() || (vr == VR::PN && raw.find_first_not_of("^= ") == std::string_view::npos)) return;
    // The text comes out in UTF-8, so that is what the attribute has to say.
    if (tag == tags::SpecificCharacterSet) return append_text(out, vr, "ISO_IR 192");
    if (charset_detail::is_ascii(raw) && raw.find('\x1b') == std::string_view::npos) return append_text(out, vr, raw);
    return append_text(out, vr, decode_text(raw, character_set, vr));
  }
  const std::size_t size = vr == VR::AT ? 4 : number_size(vr);
  if (size == 0) {
    out.append(",\"InlineBinary\":\"");
    append_base64(out, value);
    out.push_back('"');
    return;
  }
  if (value.size() < size) return;
  out.append(",\"Value\":[");
  for (std::size_t at = 0; at + size <= value.size(); at += size) {
    if (at != 0) out.push_back(',');
    if (vr == VR::AT) {
      out.push_back('"');
      append_tag(out, load_tag(&value[at], false));
      out.push_back('"');
    } else {
      with_number(vr, &value[at], [&out](auto number) { append_number(out, number); });
    }
  }
  out.push_back(']');
}

}  // namespace cairn::dicom::json_detail
