// How the bytes of a data set are laid out (PS3.5 §7, Annex A): what a parser must know of a transfer syntax.
#pragma once

#include <string_view>

namespace cairn::dicom {

struct Encoding {
  bool explicit_vr = true;
  bool big_endian = false;
  bool deflated = false;  ///< the data set after the File Meta Information is one raw DEFLATE stream (PS3.5 §A.5)
  bool operator==(const Encoding&) const noexcept = default;
};

/// The encoding under a transfer syntax UID; unknown and private ones are explicit VR little endian, as PS3.5 §A.4 and
/// custom have it. The GE private syntax 1.2.840.113619.5.2 is implicit VR little endian.
Encoding encoding_of(std::string_view transfer_syntax_uid) noexcept;

}  // namespace cairn::dicom
