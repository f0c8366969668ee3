// The encoders behind encode_frame(), one file each; foreign libraries appear nowhere else. Private to codec. They get
// samples that encode.cpp has checked; no exception but bad_alloc and no longjmp leaves them.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/encode.h"

namespace cairn::codec {

/// One frame as an encoder takes it.
struct CodingInput {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t components = 1;
  unsigned width_bytes = 1;  ///< 1 or 2; other widths only for RLE
  unsigned precision = 8;    ///< bits that hold every sample; of signed ones, sign-extended above
  bool is_signed = false;
  Bytes samples;  ///< colour by pixel, little-endian

  std::size_t line_samples() const noexcept { return std::size_t{columns} * components; }
};

/// Row `row` as bit patterns of `precision` bits. `into` has line_samples() entries.
void load_patterns(const CodingInput& input, std::uint32_t row, std::uint16_t* into) noexcept;
/// Row `row` as values.
void load_values(const CodingInput& input, std::uint32_t row, std::int32_t* into) noexcept;

using Coded = std::vector<std::byte>;

// Own encoders.
Coded encode_rle(const CodingInput& input);                                  // PS3.5 Annex G; even
Coded encode_rle_bits(Bytes packed);                                         // the same of packed 1-bit samples
Coded encode_jpeg_lossless(const CodingInput& input);                        // process 14, selection value 1
Coded encode_jpeg_ls(const CodingInput& input, std::int32_t near_lossless);  // default parameters

// Foreign ones.
Result<Coded> deflate_raw(Bytes plain);                                               // libdeflate
Result<Coded> encode_jpeg_baseline(const CodingInput& input, int quality, bool rgb);  // libjpeg-turbo; colour as 4:2:2
Result<Coded> encode_jpeg2000(const CodingInput& input, bool transform, double ratio);  // OpenJPEG; 1 is lossless
/// OpenJPH, lossless, RPCL, one tile-part a resolution, TLM. Unsupported: an extent with a side of 1.
Result<Coded> encode_htj2k(const CodingInput& input, bool transform);

/// Puts a fill byte before the last marker of a JPEG stream of odd length (PS3.5 §A.4.1, §A.4.3).
void make_jpeg_even(Coded& stream);

/// First sample in bit 0 (PS3.5 §8.1.1). `samples` are bytes of 0 and 1; false where another is found.
bool pack_bits(Bytes samples, std::vector<std::byte>& packed);

}  // namespace cairn::codec
