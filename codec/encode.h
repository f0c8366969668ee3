// Samples into the coded frames of a transfer syntax (PS3.5 §8.2, Annexes A, F, G): what decode_frame() gave, coded
// anew. An object is planned once, which says what its attributes become, and then coded frame by frame, in any order
// and on any thread. Pure functions; each foreign library sits behind one adapter file (encoders.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/decode.h"
#include "codec/pixel_format.h"
#include "codec/transfer_syntax.h"
#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

struct EncodeOptions {
  Limits limits;
  bool verify = true;     ///< decode each frame again: every bit the same, or within NEAR; not for DCT and wavelet loss
  int jpeg_quality = 90;  ///< JPEG baseline: 1 to 100
  int near_lossless = 2;  ///< JPEG-LS near-lossless: the most that a sample may differ, 0 to 255
  double jpeg2000_ratio = 10;  ///< JPEG 2000, not "Lossless Only": native bytes to coded bytes; 1 or less is lossless
};

/// How the frames of one object are coded, and what its data set says afterwards.
struct Encoding {
  const TransferSyntax* syntax = nullptr;
  PixelFormat source;             ///< of the samples that encode_frame() takes
  PixelFormat format;             ///< the Image Pixel attributes of the coded object
  bool lossy = false;             ///< Lossy Image Compression (0028,2110) becomes 01, and the instance a new one
  std::string_view lossy_method;  ///< Lossy Image Compression Method (0028,2114), or empty
  EncodeOptions options;
};

struct EncodedFrame {
  /// One fragment of even length, padded as its coding wants it. Native: the frame as it is in Pixel Data, of which
  /// 1-bit samples fill the last byte with zeros; NativeJoiner makes the value of several.
  std::vector<std::byte> bytes;
  std::uint64_t coded_bytes = 0;  ///< without what was added behind the coded data (Extended Offset Table Lengths)
};

/// The format of a decoded frame's samples: the data set's, but for what decoding changed.
PixelFormat decoded_format(const PixelFormat& data_set, const Frame& frame);

/// `source`: of samples as decode_frame() gives them (decoded_format()). Errors: those of validate(); unsupported
/// (the syntax has no encoder here, or its standard does not allow such samples; named); malformed (an option out of
/// range).
Result<Encoding> plan_encoding(const TransferSyntax& syntax, const PixelFormat& source,
                               const EncodeOptions& options = {});

/// Codes one frame: little-endian samples, in the allocated width, colour by pixel; 1-bit samples a byte each. Errors:
/// mismatch (samples are not a frame of encoding.source; a frame that does not decode to what it was made from),
/// unsupported (an extent that the coding cannot have), limit_exceeded (a frame past 2^32 - 2 bytes), out_of_memory.
Result<EncodedFrame> encode_frame(const Encoding& encoding, Bytes samples);

/// Lossy Image Compression Ratio (0028,2112) as a DS of at most 16 characters: native bytes to coded bytes.
std::string lossy_ratio(std::uint64_t native_bytes, std::uint64_t coded_bytes);

}  // namespace cairn::codec
