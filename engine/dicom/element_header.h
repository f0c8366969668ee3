// The bytes before a value (PS3.5 §7.1, §7.5): one interpretation for the streaming scan and the parser in memory, so
// that what the one accepts the other reads. Internal to engine/dicom.
//
// Deviations of the field that are read the same way everywhere:
//  - letters that are no VR: two capital letters have the long form, anything else the short one; the VR is then UN;
//  - UN of defined length for an attribute that the dictionary knows takes the dictionary's VR (PS3.5 §6.2.2), but
//    stays opaque when that is SQ, and in big endian;
//  - a data set or item that is implicit VR where explicit was announced, or the reverse, is recognised at its first
//    element (probe()).
#pragma once

#include "engine/core/bytes.h"
#include "engine/dicom/dictionary.h"
#include "engine/dicom/encoding.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"

namespace cairn::dicom::element_detail {

inline constexpr std::uint32_t kUndefinedLength = 0xffffffff;
inline constexpr std::size_t kShortHeader = 8;
inline constexpr std::size_t kLongHeader = 12;

struct ElementHeader {
  Tag tag;
  VR vr = VR::none;
  std::uint32_t length = 0;
  bool vr_from_dictionary = false;  ///< the stream does not say it
};

/// How a value is to be walked.
enum class Form { value, sequence, fragments, invalid };

template <std::unsigned_integral T>
T load(const std::byte* p, bool big_endian) noexcept {
  return big_endian ? load_be<T>(p) : load_le<T>(p);
}

inline Tag load_tag(const std::byte* p, bool big_endian) noexcept {
  return {load<std::uint16_t>(p, big_endian), load<std::uint16_t>(p + 2, big_endian)};
}

inline VR load_vr(const std::byte* p) noexcept {
  return static_cast<VR>(load_be<std::uint16_t>(p));
}

/// Size of the header that begins with these 8 bytes.
inline std::size_t header_size(const std::byte* p, Encoding e) noexcept {
  if (!e.explicit_vr || load<std::uint16_t>(p, e.big_endian) == 0xfffe) return kShortHeader;
  const VR vr = load_vr(p + 4);
  const VRProperties& vp = properties(vr);
  return vp.known ? (vp.long_length ? kLongHeader : kShortHeader) : (is_vr_spelling(vr) ? kLongHeader : kShortHeader);
}

/// Decodes header_size() bytes. Items and delimiters (group FFFE) have VR::none.
inline ElementHeader decode_header(const std::byte* p, Encoding e) noexcept {
  ElementHeader h;
  h.tag = load_tag(p, e.big_endian);
  if (h.tag.group == 0xfffe) {
    h.length = load<std::uint32_t>(p + 4, e.big_endian);
    return h;
  }
  if (!e.explicit_vr) {
    h.vr = vr_of(h.tag);
    h.vr_from_dictionary = true;
    h.length = load<std::uint32_t>(p + 4, e.big_endian);
    return h;
  }
  h.vr = load_vr(p + 4);
  const VRProperties& vp = properties(h.vr);
  const bool long_form = vp.known ? vp.long_length : is_vr_spelling(h.vr);
  h.length = long_form ? load<std::uint32_t>(p + 8, e.big_endian) : load<std::uint16_t>(p + 6, e.big_endian);
  if (!vp.known) h.vr = VR::UN;
  if (h.vr == VR::UN && h.length != kUndefinedLength && !e.big_endian && !h.tag.is_private()) {
    const VR known = vr_of(h.tag);
    if (known != VR::SQ && known != VR::none) {
      h.vr = known;
      h.vr_from_dictionary = true;
    }
  }
  return h;
}

inline bool is_pixel_data(Tag tag) noexcept {
  return tag == tags::PixelData || tag == tags::FloatPixelData || tag == tags::DoubleFloatPixelData;
}

/// PS3.5 §7.5, §A.4: a value of undefined length is fragments under a binary VR and for Pixel Data, else a sequence
/// (of implicit VR little endian when the VR is UN, §6.2.2 note 3).
inline Form form_of(const ElementHeader& h, Encoding e) noexcept {
  if (h.vr == VR::SQ) return Form::sequence;
  if (h.length != kUndefinedLength) return Form::value;
  if (is_pixel_data(h.tag)) return Form::fragments;
  if (!e.explicit_vr || h.vr == VR::UN) return Form::sequence;
  return h.vr == VR::OB || h.vr == VR::OW ? Form::fragments : Form::invalid;
}

/// The encoding of the items of a sequence with this header.
inline Encoding item_encoding(const ElementHeader& h, Encoding e) noexcept {
  return h.vr == VR::UN && e.explicit_vr ? Encoding{false, false, false} : e;
}

/// The encoding that the 8 bytes of a data set's or item's first element speak for, given the announced one. Flips
/// between explicit and implicit only where the other reading makes no sense.
inline Encoding probe(const std::byte* p, Encoding announced) noexcept {
  const Tag tag = load_tag(p, announced.big_endian);
  if (tag.group == 0xfffe) return announced;
  const VR vr = load_vr(p + 4);
  Encoding other = announced;
  if (announced.explicit_vr) {
    // Implicit little endian: the place of the VR holds the low half of a length below 64 KiB.
    const bool implicit = !announced.big_endian && !is_vr_spelling(vr) && load_le<std::uint16_t>(p + 6) == 0 &&
                          load_le<std::uint16_t>(p + 4) != 0 && vr_of(tag) != VR::UN;
    if (implicit) other.explicit_vr = false;
  } else if (properties(vr).known && vr_of(tag) == vr) {
    // Read as a length, the letters of a VR say 16 KiB at the very least, and just those letters.
    other.explicit_vr = true;
  }
  return other;
}

}  // namespace cairn::dicom::element_detail
