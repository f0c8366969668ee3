// Frames for tests of the encoders: sizes, depths, signs and contents that decoders have been wrong about.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "codec/pixel_format.h"
#include "engine/core/bytes.h"

namespace cairn::codec::test {

enum class Content { constant, ramp, noise, extremes, photo, runs };

inline constexpr Content kContents[] = {Content::constant, Content::ramp,  Content::noise,
                                        Content::extremes, Content::photo, Content::runs};

inline PixelFormat format_of(std::uint32_t rows, std::uint32_t columns, unsigned stored, bool is_signed = false,
                             unsigned samples = 1) {
  PixelFormat f;
  f.rows = rows;
  f.columns = columns;
  f.samples_per_pixel = static_cast<std::uint16_t>(samples);
  f.bits_allocated = stored > 8 ? 16 : 8;
  f.bits_stored = static_cast<std::uint16_t>(stored);
  f.high_bit = static_cast<std::uint16_t>(stored - 1);
  f.is_signed = is_signed;
  f.photometric = samples == 3 ? "RGB" : "MONOCHROME2";
  return f;
}

inline PixelFormat bits_format(std::uint32_t rows, std::uint32_t columns) {
  PixelFormat f = format_of(rows, columns, 1);
  f.bits_allocated = 1;
  return f;
}

/// Samples as decode_frame() would give them, every bit pattern of Bits Stored possible, sign-extended.
inline std::vector<std::byte> frame_of(const PixelFormat& f, Content content, unsigned seed = 1) {
  std::mt19937 random(seed);
  const unsigned width = f.bits_allocated <= 8 ? 1 : f.bits_allocated / 8;
  std::vector<std::byte> out(decoded_frame_bytes(f));
  const std::int64_t low = f.is_signed ? -(std::int64_t{1} << (f.bits_stored - 1)) : 0;
  const std::int64_t high = low + (std::int64_t{1} << f.bits_stored) - 1;
  std::size_t i = 0;
  std::int64_t run = low;
  for (std::uint32_t r = 0; r < f.rows; ++r) {
    for (std::uint32_t c = 0; c < f.columns; ++c) {
      for (unsigned k = 0; k < f.samples_per_pixel; ++k, ++i) {
        std::int64_t v = 0;
        switch (content) {
          case Content::constant:
            v = high / 3;
            break;
          case Content::ramp:
            v = low + static_cast<std::int64_t>(r * 3 + c * 5 + k * 7) % (high - low + 1);
            break;
          case Content::noise:
            v = low + static_cast<std::int64_t>(random()) % (high - low + 1);
            break;
          case Content::extremes:
            v = random() % 2 == 0 ? low : high;
            break;
          case Content::photo:
            v = std::llround(static_cast<double>(low) +
                             static_cast<double>(high - low) *
                                 (0.5 + 0.4 * std::sin(0.13 * r + 0.4 * k) * std::cos(0.09 * c))) +
                static_cast<std::int64_t>(random() % 3);
            break;
          case Content::runs:
            if (random() % 23 == 0) run = low + static_cast<std::int64_t>(random()) % (high - low + 1);
            v = run;
            break;
        }
        v = std::min(std::max(v, low), high);
        for (unsigned b = 0; b < width; ++b) out[i * width + b] = static_cast<std::byte>(v >> (8 * b));
      }
    }
  }
  return out;
}

}  // namespace cairn::codec::test
