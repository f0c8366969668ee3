// The defined terms of Specific Character Set (PS3.3 tables C.12-2 to C.12-5) and the code tables behind them, taken
// from iconv. Internal to engine/dicom.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::dicom::charset_detail {

/// ascii: the default repertoire. Single-byte sets have their graphic characters in A0..FF (G1), IR 13 the katakana.
enum class Set : std::uint8_t {
  ascii,
  latin1,
  latin2,
  latin3,
  latin4,
  cyrillic,
  arabic,
  greek,
  hebrew,
  latin5,
  latin9,
  thai,
  katakana,
  kanji,
  supplementary_kanji,
  hangul,
  hanzi,  // ISO 2022: IR 87, 159, 149, 58
  utf8,
  gb18030,
  gbk,
  unknown,
};

constexpr bool is_single_byte(Set s) noexcept {
  return s >= Set::latin1 && s <= Set::katakana;
}
constexpr bool is_double_byte(Set s) noexcept {
  return s >= Set::kanji && s <= Set::hanzi;
}
/// Double-byte sets that are designated to G0 (7-bit bytes); the others go to G1.
constexpr bool is_g0_double_byte(Set s) noexcept {
  return s == Set::kanji || s == Set::supplementary_kanji;
}

/// The set of one defined term; spelling tolerated ("ISO-IR 100", "UTF-8", "iso_ir_192"). Empty means ascii.
Set set_of_term(std::string_view term) noexcept;

/// The escape sequence, ESC included, that designates the set; empty where none does.
std::string_view escape_of(Set set) noexcept;

/// The set that an escape sequence at the beginning of `text` designates, and its length; length 0 when none does.
struct Designation {
  Set set = Set::unknown;
  bool g0 = false;
  std::size_t length = 0;
};
Designation designation_at(std::string_view text) noexcept;

/// Code point of byte 80 + i; 0 where the set has none. Precondition: is_single_byte(set).
const std::array<char32_t, 128>& high_half(Set set);

/// Code point of a double-byte character, `first` and `second` in 21..7E; 0 where the set has none.
char32_t double_byte(Set set, std::uint8_t first, std::uint8_t second);
/// The reverse; 0 where the set has none, else first << 8 | second.
std::uint16_t double_byte_code(Set set, char32_t code_point);

/// Whole strings by iconv; invalid input becomes U+FFFD. `set` is gb18030 or gbk.
std::string decode_gb(std::string_view bytes, Set set);
/// False when `utf8` has a character outside the set.
bool encode_gb(std::string_view utf8, Set set, std::string& out);

void append_utf8(std::string& out, char32_t code_point);
/// Reads one code point and advances `at`; 0xFFFFFFFF, advancing by the invalid part, where there is no valid one.
char32_t next_utf8(std::string_view text, std::size_t& at) noexcept;
inline constexpr char32_t kInvalid = 0xffffffff;
bool is_ascii(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace cairn::dicom::charset_detail
