// Rendered planes as PNG (ISO/IEC 15948) and JPEG (ISO/IEC 10918-1) for viewers and DICOMweb's rendered resources
// (PS3.18 §8.7.4). Pure functions, thread-safe; the caller keeps the samples alive during the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

/// 8-bit samples, row by row, colour by pixel, no padding between rows.
struct Plane8 {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t samples_per_pixel = 1;  ///< 1 grey, 3 RGB
  std::span<const std::uint8_t> samples;
};

/// 16-bit grey in the machine's byte order, row by row.
struct Plane16 {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::span<const std::uint16_t> samples;
};

enum class Chroma : std::uint8_t { full_444, half_420 };

/// `level` 0 to 9 as in zlib; 1 is fast, and fast is what a rendered plane needs. Errors: mismatch (samples are not
/// rows x columns x samples per pixel), unsupported (neither grey nor RGB), limit_exceeded (an extent of 0 or past
/// 65535), out_of_memory.
Result<std::vector<std::byte>> encode_png(const Plane8& plane, int level = 1);
Result<std::vector<std::byte>> encode_png(const Plane16& plane, int level = 1);

/// `quality` 1 to 100. Errors: as above, and malformed for a quality out of range.
Result<std::vector<std::byte>> encode_jpeg(const Plane8& plane, int quality = 90, Chroma chroma = Chroma::full_444);

}  // namespace cairn::codec
