// Numbers of a value: binary ones in little endian, and the decimal and integer strings DS and IS (PS3.5 §6.2).
// Internal to engine/dicom.
#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "engine/dicom/value_context.h"
#include "engine/dicom/vr.h"

namespace cairn::dicom::element_detail {

/// Value `index` of a backslashed string; nullopt past the last.
inline std::optional<std::string_view> nth_value(std::string_view text, std::size_t index) noexcept {
  for (; index > 0; --index) {
    const std::size_t end = text.find('\\');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\\'));
}

/// A decimal string, spaces around it and a plus sign tolerated; infinities and the like are unreadable.
inline std::optional<double> parse_decimal(std::string_view text) noexcept {
  text = trim_both(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !((text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '.')) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Bytes of one number of a binary VR; 0 for the others (OB and kin included: they are no numbers).
constexpr std::size_t number_size(VR vr) noexcept {
  switch (vr) {
    case VR::US:
    case VR::SS:
      return 2;
    case VR::UL:
    case VR::SL:
    case VR::FL:
      return 4;
    case VR::FD:
    case VR::SV:
    case VR::UV:
      return 8;
    default:
      return 0;
  }
}

/// Calls `use` with the number at `p` in its own type. Precondition: number_size(vr) != 0 bytes there.
template <class Use>
void with_number(VR vr, const std::byte* p, Use&& use) {
  switch (vr) {
    case VR::US:
      use(load_le<std::uint16_t>(p));
      break;
    case VR::SS:
      use(static_cast<std::int16_t>(load_le<std::uint16_t>(p)));
      break;
    case VR::UL:
      use(load_le<std::uint32_t>(p));
      break;
    case VR::SL:
      use(static_cast<std::int32_t>(load_le<std::uint32_t>(p)));
      break;
    case VR::FL:
      use(std::bit_cast<float>(load_le<std::uint32_t>(p)));
      break;
    case VR::FD:
      use(std::bit_cast<double>(load_le<std::uint64_t>(p)));
      break;
    case VR::SV:
      use(static_cast<std::int64_t>(load_le<std::uint64_t>(p)));
      break;
    case VR::UV:
      use(load_le<std::uint64_t>(p));
      break;
    default:
      break;
  }
}

}  // namespace cairn::dicom::element_detail
