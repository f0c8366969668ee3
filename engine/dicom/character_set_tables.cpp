#include "engine/dicom/character_set_tables.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>

#include <iconv.h>

#include "engine/dicom/character_set.h"

namespace cairn::dicom::charset_detail {
namespace {

struct Term {
  Set set;
  int registration;  // the number of "ISO_IR n" and "ISO 2022 IR n"
  const char* escape;
  const char* iconv_name;
};

// PS3.3 tables C.12-2 to C.12-4 and their escape sequences.
constexpr Term kTerms[] = {
    {Set::ascii, 6, "\x1b(B", nullptr},
    {Set::latin1, 100, "\x1b-A", "ISO-8859-1"},
    {Set::latin2, 101, "\x1b-B", "ISO-8859-2"},
    {Set::latin3, 109, "\x1b-C", "ISO-8859-3"},
    {Set::latin4, 110, "\x1b-D", "ISO-8859-4"},
    {Set::cyrillic, 144, "\x1b-L", "ISO-8859-5"},
    {Set::arabic, 127, "\x1b-G", "ISO-8859-6"},
    {Set::greek, 126, "\x1b-F", "ISO-8859-7"},
    {Set::hebrew, 138, "\x1b-H", "ISO-8859-8"},
    {Set::latin5, 148, "\x1b-M", "ISO-8859-9"},
    {Set::latin9, 203, "\x1b-b", "ISO-8859-15"},
    {Set::thai, 166, "\x1b-T", "TIS-620"},
    {Set::katakana, 13, "\x1b)I", nullptr},
    {Set::kanji, 87, "\x1b$B", "EUC-JP"},
    {Set::supplementary_kanji, 159, "\x1b$(D", "EUC-JP"},
    {Set::hangul, 149, "\x1b$)C", "EUC-KR"},
    {Set::hanzi, 58, "\x1b$)A", "GB2312"},
    {Set::utf8, 192, "", nullptr},
};

const Term* term_of(Set set) noexcept {
  for (const Term& t : kTerms) {
    if (t.set == set) return &t;
  }
  return nullptr;
}

// One conversion of the C library; not thread-safe, so each thread has its own.
class Converter {
 public:
  Converter(const char* to, const char* from) : handle_(iconv_open(to, from)) {}
  ~Converter() {
    if (valid()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool valid() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  // Converts as much as is valid; returns the number of input bytes consumed.
  std::size_t convert(std::string_view in, std::string& out) {
    if (!valid()) return 0;
    iconv(handle_, nullptr, nullptr, nullptr, nullptr);
    char* from = const_cast<char*>(in.data());  // POSIX's interface is not const-correct
    std::size_t left = in.size();
    for (;;) {
      char buffer[512];
      char* to = buffer;
      std::size_t room = sizeof buffer;
      const std::size_t status = iconv(handle_, &from, &left, &to, &room);
      out.append(buffer, sizeof buffer - room);
      if (status != static_cast<std::size_t>(-1) || errno != E2BIG) break;
    }
    return in.size() - left;
  }

 private:
  iconv_t handle_;
};

char32_t decode_one(Converter& converter, std::string_view bytes) {
  std::string out;
  if (converter.convert(bytes, out) != bytes.size()) return 0;
  std::size_t at = 0;
  const char32_t c = next_utf8(out, at);
  return c == kInvalid || at != out.size() ? 0 : c;
}

struct DoubleByteTable {
  std::array<char32_t, 94 * 94> forward{};
  std::unordered_map<char32_t, std::uint16_t> backward;
};

std::unique_ptr<const DoubleByteTable> make_double_byte_table(Set set) {
  auto table = std::make_unique<DoubleByteTable>();
  Converter converter("UTF-8", term_of(set)->iconv_name);
  for (unsigned row = 0; row < 94; ++row) {
    for (unsigned cell = 0; cell < 94; ++cell) {
      std::string code;
      if (set == Set::supplementary_kanji) code.push_back('\x8f');  // EUC-JP's code set 3
      code.push_back(static_cast<char>(0xa1 + row));
      code.push_back(static_cast<char>(0xa1 + cell));
      const char32_t c = decode_one(converter, code);
      table->forward[row * 94 + cell] = c;
      if (c != 0) table->backward.emplace(c, static_cast<std::uint16_t>((0x21 + row) << 8 | (0x21 + cell)));
    }
  }
  return table;
}

// Made when first used (some ms), then shared.
const DoubleByteTable& double_byte_table(Set set) {
  switch (set) {
    case Set::kanji: {
      static const auto table = make_double_byte_table(Set::kanji);
      return *table;
    }
    case Set::supplementary_kanji: {
      static const auto table = make_double_byte_table(Set::supplementary_kanji);
      return *table;
    }
    case Set::hangul: {
      static const auto table = make_double_byte_table(Set::hangul);
      return *table;
    }
    default: {
      static const auto table = make_double_byte_table(Set::hanzi);
      return *table;
    }
  }
}

std::array<char32_t, 128> make_high_half(Set set) {
  std::array<char32_t, 128> table{};
  if (set == Set::katakana) {  // JIS X 0201: A1..DF are U+FF61 and on
    for (unsigned i = 0x21; i <= 0x5f; ++i) table[i] = 0xff61 + i - 0x21;
    return table;
  }
  Converter converter("UTF-8", term_of(set)->iconv_name);
  for (unsigned i = 0x20; i < 0x80; ++i) {
    const char byte = static_cast<char>(0x80 + i);
    table[i] = decode_one(converter, std::string_view(&byte, 1));
  }
  return table;
}

const char* gb_name(Set set) {
  return set == Set::gbk ? "GBK" : "GB18030";
}

}  // namespace

Set set_of_term(std::string_view term) noexcept {
  std::array<char, 24> letters{};
  std::size_t size = 0;
  for (const char c : term) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if ((upper >= 'A' && upper <= 'Z') || (upper >= '0' && upper <= '9')) {
      if (size == letters.size()) return Set::unknown;
      letters[size++] = upper;
    }
  }
  std::string_view t(letters.data(), size);
  if (t.empty()) return Set::ascii;
  if (t == "GB18030") return Set::gb18030;
  if (t == "GBK" || t == "GB2312") return Set::gbk;
  if (t == "UTF8") return Set::utf8;
  for (const std::string_view prefix : {"ISO2022IR", "ISOIR"}) {
    if (!t.starts_with(prefix)) continue;
    int number = 0;
    for (const char c : t.substr(prefix.size())) {
      if (c < '0' || c > '9' || number > 999) return Set::unknown;
      number = number * 10 + (c - '0');
    }
    for (const Term& entry : kTerms) {
      if (entry.registration == number) return entry.set;
    }
  }
  return Set::unknown;
}

std::string_view escape_of(Set set) noexcept {
  const Term* term = term_of(set);
  return term == nullptr ? std::string_view() : std::string_view(term->escape);
}

Designation designation_at(std::string_view text) noexcept {
  for (const Term& t : kTerms) {
    const std::string_view escape = t.escape;
    if (!escape.empty() && text.starts_with(escape)) {
      return {t.set, t.set == Set::ascii || is_g0_double_byte(t.set), escape.size()};
    }
  }
  if (text.starts_with("\x1b(J")) return {Set::ascii, true, 3};  // JIS X 0201 romaji: ASCII but for two characters
  if (text.starts_with("\x1b$@")) return {Set::kanji, true, 3};  // the 1978 edition
  return {};
}

const std::array<char32_t, 128>& high_half(Set set) {
  static const auto tables = [] {
    std::array<std::array<char32_t, 128>, 12> all{};
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = make_high_half(static_cast<Set>(static_cast<std::size_t>(Set::latin1) + i));
    }
    return all;
  }();
  return tables[static_cast<std::size_t>(set) - static_cast<std::size_t>(Set::latin1)];
}

char32_t double_byte(Set set, std::uint8_t first, std::uint8_t second) {
  if (first < 0x21 || first > 0x7e || second < 0x21 || second > 0x7e) return 0;
  return double_byte_table(set).forward[static_cast<std::size_t>((first - 0x21) * 94 + (second - 0x21))];
}

std::uint16_t double_byte_code(Set set, char32_t code_point) {
  const auto& backward = double_byte_table(set).backward;
  const auto found = backward.find(code_point);
  return found == backward.end() ? std::uint16_t{0} : found->second;
}

std::string decode_gb(std::string_view bytes, Set set) {
  thread_local Converter gb18030("UTF-8", "GB18030");
  thread_local Converter gbk("UTF-8", "GBK");
  Converter& converter = set == Set::gbk ? gbk : gb18030;
  std::string out;
  while (!bytes.empty()) {
    bytes.remove_prefix(converter.convert(bytes, out));
    if (bytes.empty()) break;
    append_utf8(out, 0xfffd);
    bytes.remove_prefix(1);
  }
  return out;
}

bool encode_gb(std::string_view utf8, Set set, std::string& out) {
  Converter converter(gb_name(set), "UTF-8");
  return converter.convert(utf8, out) == utf8.size();
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
    return;
  }
  if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
  } else {
    if (c < 0x10000) {
      out.push_back(static_cast<char>(0xe0 | c >> 12));
    } else {
      out.push_back(static_cast<char>(0xf0 | c >> 18));
      out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
    }
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
  }
  out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
}

char32_t next_utf8(std::string_view text, std::size_t& at) noexcept {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at++);
  if (lead < 0x80) return lead;
  const unsigned count = lead >= 0xc2 && lead <= 0xdf   ? 1u
                         : lead >= 0xe0 && lead <= 0xef ? 2u
                         : lead >= 0xf0 && lead <= 0xf4 ? 3u
                                                        : 0u;
  if (count == 0) return kInvalid;
  char32_t c = lead & (0x3fu >> count);
  for (unsigned i = 0; i < count; ++i) {
    if (at >= text.size()) return kInvalid;
    const unsigned next = byte(at);
    // The second byte's range excludes overlong forms, surrogates and what lies past U+10FFFF.
    const unsigned low = i != 0 ? 0x80u : lead == 0xe0 ? 0xa0u : lead == 0xf0 ? 0x90u : 0x80u;
    const unsigned high = i != 0 ? 0xbfu : lead == 0xed ? 0x9fu : lead == 0xf4 ? 0x8fu : 0xbfu;
    if (next < low || next > high) return kInvalid;
    c = c << 6 | (next & 0x3f);
    ++at;
  }
  return c;
}

bool is_ascii(std::string_view text) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + i, 8);
    if ((eight & 0x8080808080808080ull) != 0) return false;
  }
  for (; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  }
  return true;
}

bool is_valid_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    if (next_utf8(text, at) == kInvalid) return false;
  }
  return true;
}

}  // namespace cairn::dicom::charset_detail

namespace cairn::dicom {

std::vector<std::string> character_set_terms() {
  using namespace charset_detail;
  std::vector<std::string> alone, extended;
  for (const Term& t : kTerms) {
    const std::string number = std::to_string(t.registration);
    if (t.set != Set::ascii && !is_double_byte(t.set)) alone.push_back("ISO_IR " + number);
    if (t.set != Set::utf8) extended.push_back("ISO 2022 IR " + number);
  }
  alone.insert(alone.end(), {"GB18030", "GBK"});
  alone.insert(alone.end(), extended.begin(), extended.end());
  return alone;
}

}  // namespace cairn::dicom
