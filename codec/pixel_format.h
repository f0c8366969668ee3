// The attributes of the Image Pixel Module that say how samples lie in Pixel Data (PS3.3 §C.7.6.3.1, PS3.5 §8), and the
// limits that decoding keeps. Values come from a data set and are hostile until validate() accepted them.
#pragma once

#include <cstdint>
#include <string>

#include "engine/core/result.h"

namespace cairn::codec {

enum class SampleKind : std::uint8_t {
  integer,
  floating
};  ///< floating: Float / Double Float Pixel Data, 32 / 64 bits

struct PixelFormat {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint16_t samples_per_pixel = 1;
  std::uint16_t bits_allocated = 0;  ///< 1, 8, 16, 32 or 64
  std::uint16_t bits_stored = 0;
  std::uint16_t high_bit = 0;
  bool is_signed = false;                   ///< Pixel Representation 1
  std::uint16_t planar_configuration = 0;   ///< 1: colour by plane
  std::string photometric = "MONOCHROME2";  ///< Photometric Interpretation, without padding
  std::uint64_t number_of_frames = 1;       ///< as announced; absent or 0 is 1
  SampleKind kind = SampleKind::integer;
  bool ow = true;  ///< VR of Pixel Data is OW; matters only for 1- and 8-bit samples in big endian (PS3.5 §8.1.2)
};

struct Limits {
  std::uint64_t max_frame_bytes = std::uint64_t{1} << 30;  ///< of one decoded frame
};

/// Accepts a format that can be decoded. Errors: missing (rows, columns or bits are 0), malformed (contradictions),
/// unsupported (bits allocated of another width), limit_exceeded (a frame larger than the limit).
Result<> validate(const PixelFormat& format, const Limits& limits = {});

/// Samples a frame: rows * columns * samples per pixel. Precondition: validated.
std::uint64_t samples_per_frame(const PixelFormat& format) noexcept;

/// Bytes of a decoded frame: 1-bit samples take a byte each once decoded. Precondition: validated.
std::uint64_t decoded_frame_bytes(const PixelFormat& format) noexcept;

/// Bits of a frame in native Pixel Data; YBR_FULL_422 and YBR_PARTIAL_422 are subsampled 2:1 (PS3.3 §C.7.6.3.1.2).
std::uint64_t native_frame_bits(const PixelFormat& format) noexcept;

/// True when the photometric interpretation means two luminance samples for each pair of chrominance samples.
bool is_subsampled_422(const PixelFormat& format) noexcept;

}  // namespace cairn::codec
