// What a parser must know of each value representation (PS3.5 §6.2 table 6.2-1, §7.1.2): a table indexed by the two
// letters, so that a lookup is one load. Unknown letters have no properties.
#pragma once

#include <array>
#include <cstdint>

#include "engine/dicom/tag.h"

namespace cairn::dicom {

struct VRProperties {
  bool known = false;
  bool long_length = false;  ///< explicit VR: two reserved bytes and a length of 32 bits
  bool bulk = false;         ///< long values are left out of the index (kBulkThresholdBytes)
  bool text = false;         ///< padded with spaces, and a string
  bool charset = false;      ///< governed by Specific Character Set (0008,0005)
  bool multiple = false;     ///< a string in which backslashes separate values
  std::uint8_t unit = 1;     ///< bytes that swap together when the byte order changes
};

namespace vr_detail {

constexpr std::size_t index_of(VR vr) noexcept {
  const unsigned first = static_cast<unsigned>(vr) >> 8, second = static_cast<unsigned>(vr) & 0xff;
  return first - 'A' < 26 && second - 'A' < 26 ? 1 + (first - 'A') * 26 + (second - 'A') : 0;
}

constexpr auto make_table() noexcept {
  std::array<VRProperties, 1 + 26 * 26> t{};
  // clang-format off
  //                                   known  long   bulk   text  charset multiple unit
  t[index_of(VR::AE)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::AS)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::AT)] = VRProperties{true, false, false, false, false, false, 2};
  t[index_of(VR::CS)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::DA)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::DS)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::DT)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::FD)] = VRProperties{true, false, false, false, false, false, 8};
  t[index_of(VR::FL)] = VRProperties{true, false, false, false, false, false, 4};
  t[index_of(VR::IS)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::LO)] = VRProperties{true, false, false, true, true, true, 1};
  t[index_of(VR::LT)] = VRProperties{true, false, false, true, true, false, 1};
  t[index_of(VR::OB)] = VRProperties{true, true, true, false, false, false, 1};
  t[index_of(VR::OD)] = VRProperties{true, true, true, false, false, false, 8};
  t[index_of(VR::OF)] = VRProperties{true, true, true, false, false, false, 4};
  t[index_of(VR::OL)] = VRProperties{true, true, true, false, false, false, 4};
  t[index_of(VR::OV)] = VRProperties{true, true, true, false, false, false, 8};
  t[index_of(VR::OW)] = VRProperties{true, true, true, false, false, false, 2};
  t[index_of(VR::PN)] = VRProperties{true, false, false, true, true, true, 1};
  t[index_of(VR::SH)] = VRProperties{true, false, false, true, true, true, 1};
  t[index_of(VR::SL)] = VRProperties{true, false, false, false, false, false, 4};
  t[index_of(VR::SQ)] = VRProperties{true, true, false, false, false, false, 1};
  t[index_of(VR::SS)] = VRProperties{true, false, false, false, false, false, 2};
  t[index_of(VR::ST)] = VRProperties{true, false, false, true, true, false, 1};
  t[index_of(VR::SV)] = VRProperties{true, true, false, false, false, false, 8};
  t[index_of(VR::TM)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::UC)] = VRProperties{true, true, true, true, true, true, 1};
  t[index_of(VR::UI)] = VRProperties{true, false, false, true, false, true, 1};
  t[index_of(VR::UL)] = VRProperties{true, false, false, false, false, false, 4};
  t[index_of(VR::UN)] = VRProperties{true, true, true, false, false, false, 1};
  t[index_of(VR::UR)] = VRProperties{true, true, true, true, false, false, 1};
  t[index_of(VR::US)] = VRProperties{true, false, false, false, false, false, 2};
  t[index_of(VR::UT)] = VRProperties{true, true, true, true, true, false, 1};
  t[index_of(VR::UV)] = VRProperties{true, true, false, false, false, false, 8};
  // clang-format on
  return t;
}

inline constexpr auto kTable = make_table();

}  // namespace vr_detail

constexpr const VRProperties& properties(VR vr) noexcept {
  return vr_detail::kTable[vr_detail::index_of(vr)];
}

/// True for two capital letters, whether or not the standard knows them.
constexpr bool is_vr_spelling(VR vr) noexcept {
  return vr_detail::index_of(vr) != 0;
}

}  // namespace cairn::dicom
