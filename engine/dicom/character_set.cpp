#include "engine/dicom/character_set.h"

#include <algorithm>
#include <vector>

#include "engine/dicom/character_set_tables.h"
#include "engine/dicom/vr.h"

namespace cairn::dicom {
namespace {

using namespace charset_detail;

constexpr std::size_t kMaxTerms = 16;  // the standard has fewer; the rest of a longer list is ignored

struct Terms {
  std::array<Set, kMaxTerms> sets{};
  std::size_t count = 0;
  Set first() const { return count == 0 ? Set::ascii : sets[0]; }
};

Terms read_terms(std::string_view value) {
  Terms terms;
  while (terms.count < kMaxTerms) {
    const std::size_t end = value.find('\\');
    terms.sets[terms.count++] = set_of_term(value.substr(0, end));
    if (end == std::string_view::npos) break;
    value.remove_prefix(end + 1);
  }
  return terms;
}

bool goes_to_g1(Set set) {
  return is_single_byte(set) || (is_double_byte(set) && !is_g0_double_byte(set));
}

// The set in G1 before any escape sequence: the first term's. Where that has none, the next listed one's, because there
// are writers that never designate it.
Set initial_g1(const Terms& terms) {
  for (std::size_t i = 0; i < terms.count; ++i) {
    if (goes_to_g1(terms.sets[i])) return terms.sets[i];
  }
  return Set::ascii;
}

std::string decode_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    if (next_utf8(bytes, at) == kInvalid) {
      out.append("\xef\xbf\xbd");
    } else {
      out.append(bytes, from, at - from);
    }
  }
  return out;
}

std::string decode_default(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (const char c : bytes) append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

// PS3.5 §6.1.2.5.3: where a code extension ends and the initial state returns.
bool is_delimiter(char c, VR vr) {
  switch (c) {
    case '\n':
    case '\f':
    case '\r':
    case '\t':
      return true;
    case '^':
    case '=':
      return vr == VR::PN;
    case '\\':
      return properties(vr).multiple;
    default:
      return false;
  }
}

std::string decode_iso2022(std::string_view bytes, const Terms& terms, VR vr) {
  const Set g1_at_start = initial_g1(terms);
  Set g0 = Set::ascii, g1 = g1_at_start;
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::size_t at = 0; at < bytes.size();) {
    const auto c = static_cast<unsigned char>(bytes[at]);
    if (c == 0x1b) {
      const Designation d = designation_at(bytes.substr(at));
      if (d.length != 0) {
        (d.g0 ? g0 : g1) = d.set;
        at += d.length;
        continue;
      }
    }
    if (c < 0x80) {
      if (is_double_byte(g0) && c >= 0x21 && c <= 0x7e) {
        const bool whole = at + 1 < bytes.size();
        const char32_t p = whole ? double_byte(g0, c, static_cast<std::uint8_t>(bytes[at + 1])) : 0;
        append_utf8(out, p == 0 ? 0xfffd : p);
        // What cannot be a second byte is not swallowed with the first.
        at += whole && static_cast<unsigned char>(bytes[at + 1]) > 0x20 ? 2 : 1;
        continue;
      }
      if (is_delimiter(static_cast<char>(c), vr)) {
        g0 = Set::ascii;
        g1 = g1_at_start;
      }
      out.push_back(static_cast<char>(c));
      ++at;
      continue;
    }
    char32_t p = 0;
    std::size_t used = 1;
    if (is_double_byte(g1)) {
      const unsigned char second = at + 1 < bytes.size() ? static_cast<unsigned char>(bytes[at + 1]) : 0;
      if (second >= 0x80) {
        p = double_byte(g1, c & 0x7f, second & 0x7f);
        used = 2;
      }
    } else if (is_single_byte(g1)) {
      p = high_half(g1)[c - 0x80u];
    }
    append_utf8(out, p == 0 ? 0xfffd : p);
    at += used;
  }
  return out;
}

// Writes UTF-8 under code extensions: keeps what is designated, designates the first listed set that has a character.
// Only a single-byte set of the first term needs no designation: readers go by the standard.
class Encoder {
 public:
  explicit Encoder(const Terms& terms)
      : terms_(terms), g1_at_start_(is_single_byte(terms.first()) ? terms.first() : Set::ascii), g1_(g1_at_start_) {}

  bool append(char32_t c) {
    if (c < 0x80) {
      if (g0_ != Set::ascii) designate(g0_, Set::ascii);
      out_.push_back(static_cast<char>(c));
      if (c == '^' || c == '=' || c == '\\' || is_delimiter(static_cast<char>(c), VR::LT)) g1_ = g1_at_start_;
      return true;
    }
    if (append_in(g1_, c)) return true;
    if (g0_ != Set::ascii && append_in(g0_, c)) return true;
    for (std::size_t i = 0; i < terms_.count; ++i) {
      const Set set = terms_.sets[i];
      if (!has(set, c)) continue;
      // Without code extensions (a single term) there are no escape sequences for single-byte sets.
      designate(is_g0_double_byte(set) ? g0_ : g1_, set);
      return append_in(set, c);
    }
    return false;
  }
  std::string take() {
    if (g0_ != Set::ascii) designate(g0_, Set::ascii);
    return std::move(out_);
  }

 private:
  static unsigned single_byte_code(Set set, char32_t c) {
    const auto& table = high_half(set);
    const auto found = std::find(table.begin(), table.end(), c);
    return found == table.end() ? 0u : 0x80u + static_cast<unsigned>(found - table.begin());
  }
  static bool has(Set set, char32_t c) {
    return (is_single_byte(set) && single_byte_code(set, c) != 0) ||
           (is_double_byte(set) && double_byte_code(set, c) != 0);
  }
  bool append_in(Set set, char32_t c) {
    if (is_single_byte(set)) {
      const unsigned code = single_byte_code(set, c);
      if (code != 0) out_.push_back(static_cast<char>(code));
      return code != 0;
    }
    if (!is_double_byte(set)) return false;
    const unsigned code = double_byte_code(set, c);
    if (code == 0) return false;
    const unsigned high_bits = is_g0_double_byte(set) ? 0u : 0x80u;
    out_.push_back(static_cast<char>(code >> 8 | high_bits));
    out_.push_back(static_cast<char>((code & 0xff) | high_bits));
    return true;
  }
  void designate(Set& slot, Set set) {
    out_.append(escape_of(set));
    slot = set;
  }

  const Terms& terms_;
  Set g0_ = Set::ascii;
  Set g1_at_start_;
  Set g1_;
  std::string out_;
};

}  // namespace

std::string decode_text(std::string_view bytes, std::string_view specific_character_set, VR vr) {
  const bool plain = is_ascii(bytes);
  if (plain && bytes.find('\x1b') == std::string_view::npos) return std::string(bytes);
  const Terms terms = properties(vr).charset ? read_terms(specific_character_set) : Terms{};
  switch (terms.first()) {
    case Set::utf8:
      return decode_utf8(bytes);
    case Set::gb18030:
    case Set::gbk:
      return decode_gb(bytes, terms.first());
    case Set::unknown:
    case Set::ascii:
      if (terms.count <= 1) return decode_default(bytes);
      break;
    default:
      break;
  }
  return decode_iso2022(bytes, terms, vr);
}

std::optional<std::string> encode_text(std::string_view utf8, std::string_view specific_character_set) {
  if (is_ascii(utf8)) return std::string(utf8);
  if (!is_valid_utf8(utf8)) return std::nullopt;
  const Terms terms = read_terms(specific_character_set);
  if (terms.first() == Set::utf8) return std::string(utf8);
  if (terms.first() == Set::gb18030 || terms.first() == Set::gbk) {
    std::string out;
    if (!encode_gb(utf8, terms.first(), out)) return std::nullopt;
    return out;
  }
  Encoder encoder(terms);
  for (std::size_t at = 0; at < utf8.size();) {
    if (!encoder.append(next_utf8(utf8, at))) return std::nullopt;
  }
  return encoder.take();
}

}  // namespace cairn::dicom
