// What a compressed stream says of itself in its first bytes: which transfer syntax it is, and the Image Pixel
// attributes that have to agree with it (PS3.5 §8.2, PS3.18 §10.5.1). For pixels that come without a data set that
// could be trusted. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "codec/byte_source.h"
#include "codec/transfer_syntax.h"
#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

struct Codestream {
  const TransferSyntax* syntax = nullptr;  ///< never null
  std::uint32_t rows = 0, columns = 0;
  std::uint16_t samples_per_pixel = 1;
  std::uint16_t bits_stored = 8;
  bool is_signed = false;
  bool lossy = false;
  std::string_view lossy_method;  ///< Lossy Image Compression Method (0028,2114), or empty
  std::string photometric;        ///< Photometric Interpretation that fits
  std::uint64_t offset = 0;       ///< of the codestream in the bytes: behind the boxes of a JP2 file
  std::uint64_t length = 0;       ///< from there to the end of the bytes
  std::uint64_t frames = 1;       ///< of a video, where its container says; 0: unknown
};

/// A picture: JPEG, JPEG-LS, JPEG 2000 or HTJ2K. `head`: the whole, or its beginning of `size` bytes (what tells
/// nothing of a stream that is cut off early is truncated). Errors: malformed, truncated, unsupported (a stream that no
/// transfer syntax has).
Result<Codestream> inspect_picture(Bytes head, std::uint64_t size);

/// A video: an MPEG-2 stream, elementary or in a transport or program stream, or MPEG-4 AVC or HEVC in an MP4 file
/// (ISO/IEC 14496-12). Its syntax is the first in the standard of that coding; level and profile are not looked at.
/// Errors: as above, those of the source.
Result<Codestream> inspect_video(ByteSource& source);

}  // namespace cairn::codec
