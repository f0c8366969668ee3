// The decoders behind decode_frame(), one file each; foreign libraries appear nowhere else. Private to codec. Each
// checks the stream's own header against the format before it allocates, and reports what the stream says of its
// samples; fitting them to the format (width, sign) is decode.cpp's work. No exception and no longjmp leaves an
// adapter.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/decode.h"

namespace cairn::codec {

/// Colour of decoded samples as far as the stream itself tells.
enum class StreamColour : std::uint8_t { as_tagged, rgb, ybr };

struct RawImage {
  std::uint32_t width_bytes = 1;  ///< of a sample in `samples`: 1, 2 or 4
  std::uint32_t precision = 0;    ///< bits of a sample in the stream
  bool stream_signed = false;     ///< samples are already two's complement at `width_bytes`
  bool lossy = false;
  StreamColour colour = StreamColour::as_tagged;
  std::uint32_t oddities = 0;
  std::vector<std::byte> samples;  ///< rows * columns * samples per pixel, colour by pixel, little-endian

  void mark(Oddity o) noexcept { oddities |= static_cast<std::uint32_t>(o); }
};

// Own decoders.
Result<Frame> decode_native(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded);
Result<RawImage> decode_rle(const PixelFormat& format, Bytes coded);            // PS3.5 Annex G
Result<RawImage> decode_jpeg_lossless(const PixelFormat& format, Bytes coded);  // ISO/IEC 10918-1 Annex H
Result<RawImage> decode_jpeg_ls(const PixelFormat& format, Bytes coded);        // ISO/IEC 14495-1

// Foreign ones.
Result<RawImage> decode_jpeg_8bit(const PixelFormat& format, Bytes coded, bool allow_partial);  // libjpeg-turbo
Result<RawImage> decode_jpeg_12bit(const PixelFormat& format, Bytes coded);  // DCMTK's IJG library for 12 bits
Result<RawImage> decode_jpeg2000(const PixelFormat& format, Bytes coded, bool allow_partial);  // OpenJPEG, HTJ2K too
Result<RawImage> decode_htj2k_fast(const PixelFormat& format,
                                   Bytes coded);  // OpenJPH; unsupported, malformed: OpenJPEG may
Result<std::vector<std::byte>> inflate_exactly(Bytes coded, std::uint64_t expected_bytes);  // libdeflate

void warm_up_jpeg12();
void warm_up_htj2k();

/// 8-bit packed samples (PS3.5 §8.1.1, first sample in bit 0) into bytes 0 and 1.
std::vector<std::byte> unpack_bits(Bytes packed, std::uint64_t count);

}  // namespace cairn::codec
