// Attribute tags and value representations (PS3.5 §6.2, §7.1). Named tags carry PS3.6's keywords.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace cairn::dicom {

struct Tag {
  std::uint16_t group = 0;
  std::uint16_t element = 0;

  constexpr std::uint32_t value() const noexcept { return std::uint32_t{group} << 16 | element; }
  constexpr bool is_private() const noexcept { return (group & 1) != 0; }
  constexpr auto operator<=>(const Tag&) const noexcept = default;
};

constexpr Tag tag_of(std::uint32_t value) noexcept {
  return {static_cast<std::uint16_t>(value >> 16), static_cast<std::uint16_t>(value)};
}

std::string to_string(Tag tag);  ///< "(0010,0020)"

/// A value representation as its two characters, first one in the high byte.
enum class VR : std::uint16_t {
  none = 0,
  AE = 'A' << 8 | 'E', AS = 'A' << 8 | 'S', AT = 'A' << 8 | 'T', CS = 'C' << 8 | 'S', DA = 'D' << 8 | 'A',
  DS = 'D' << 8 | 'S', DT = 'D' << 8 | 'T', FD = 'F' << 8 | 'D', FL = 'F' << 8 | 'L', IS = 'I' << 8 | 'S',
  LO = 'L' << 8 | 'O', LT = 'L' << 8 | 'T', OB = 'O' << 8 | 'B', OD = 'O' << 8 | 'D', OF = 'O' << 8 | 'F',
  OL = 'O' << 8 | 'L', OV = 'O' << 8 | 'V', OW = 'O' << 8 | 'W', PN = 'P' << 8 | 'N', SH = 'S' << 8 | 'H',
  SL = 'S' << 8 | 'L', SQ = 'S' << 8 | 'Q', SS = 'S' << 8 | 'S', ST = 'S' << 8 | 'T', SV = 'S' << 8 | 'V',
  TM = 'T' << 8 | 'M', UC = 'U' << 8 | 'C', UI = 'U' << 8 | 'I', UL = 'U' << 8 | 'L', UN = 'U' << 8 | 'N',
  UR = 'U' << 8 | 'R', US = 'U' << 8 | 'S', UT = 'U' << 8 | 'T', UV = 'U' << 8 | 'V',
};

}  // namespace cairn::dicom
