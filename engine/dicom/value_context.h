// What the values of one data set or item mean depends on attributes read before them, inherited by items: Specific
// Character Set (PS3.3 §C.12.1.1.2), and Pixel Representation where implicit VR leaves "US or SS". Internal.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "engine/core/uid.h"
#include "engine/dicom/element_header.h"
#include "engine/dicom/header_scan.h"

namespace cairn::dicom::element_detail {

/// `value` without trailing spaces and NULs.
inline std::string_view trim_padding(std::string_view value) noexcept {
  while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.remove_suffix(1);
  return value;
}

/// `value` without surrounding spaces and NULs.
inline std::string_view trim_both(std::string_view value) noexcept {
  value = trim_padding(value);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value;
}

class ValueContext {
 public:
  ValueContext() {
    levels_.reserve(8);
    levels_.emplace_back();
  }

  void item_begins() { levels_.push_back(Level{levels_.back()}); }
  void item_ends() { levels_.pop_back(); }
  std::size_t depth() const noexcept { return levels_.size() - 1; }

  const std::string& character_set() const noexcept { return levels_.back().character_set; }

  /// Takes note of a value and returns its VR as it really is.
  VR note(const ElementHeader& h, Bytes value, bool big_endian) {
    if (h.tag.group == 0x0008) {
      if (h.tag == tags::SpecificCharacterSet) levels_.back().character_set = trim_both(as_text(value));
    } else if (h.tag == tags::PixelRepresentation && value.size() >= 2) {
      levels_.back().pixels_are_signed = load<std::uint16_t>(value.data(), big_endian) == 1;
    }
    return real_vr(h);
  }
  VR real_vr(const ElementHeader& h) const noexcept {
    const bool choice = h.vr_from_dictionary && h.vr == VR::US && levels_.back().pixels_are_signed;
    return choice && is_us_or_ss(h.tag) ? VR::SS : h.vr;
  }

 private:
  struct Level {
    std::string character_set;
    bool pixels_are_signed = false;
  };
  std::vector<Level> levels_;
};

/// Reverses the bytes of each `unit`; an incomplete last unit stays as it is.
inline void swap_units(std::string& value, std::size_t unit) noexcept {
  if (unit < 2) return;
  for (std::size_t at = 0; at + unit <= value.size(); at += unit) {
    std::reverse(value.begin() + static_cast<std::ptrdiff_t>(at),
                 value.begin() + static_cast<std::ptrdiff_t>(at + unit));
  }
}

}  // namespace cairn::dicom::element_detail
