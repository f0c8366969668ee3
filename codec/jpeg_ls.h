// Parameters and contexts of JPEG-LS coding (ISO/IEC 14495-1 Annex A and C). Private to codec's decoder.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace cairn::codec {

/// Preset parameters (C.2.4.1.1) and what follows from them (A.2.1).
struct JPEGLSParameters {
  std::int32_t max_value = 0;
  std::int32_t near_lossless = 0;
  std::int32_t t1 = 0, t2 = 0, t3 = 0;
  std::int32_t reset = 64;
  std::int32_t range = 0;
  std::int32_t limit = 0;
  unsigned quantized_bits = 0;  ///< qbpp

  /// Fills what is 0 with its default. False where values contradict each other.
  bool complete(unsigned precision) noexcept {
    const std::int32_t most = (1 << precision) - 1;
    if (max_value == 0) max_value = most;
    if (max_value > most || near_lossless < 0 || near_lossless > std::min(255, max_value / 2)) return false;
    set_default_thresholds();
    if (reset == 0) reset = 64;
    if (t1 < near_lossless + 1 || t2 < t1 || t3 < t2 || t3 > max_value || reset < 3) return false;
    const std::int32_t step = 2 * near_lossless + 1;
    range = (max_value + 2 * near_lossless) / step + 1;
    quantized_bits = static_cast<unsigned>(std::bit_width(static_cast<std::uint32_t>(range - 1)));
    const auto bits = std::max(2, static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(max_value))));
    limit = 2 * (bits + std::max(8, bits));
    return true;
  }

 private:
  void set_default_thresholds() noexcept {
    const std::int32_t n = near_lossless;
    const auto clamp = [this](std::int32_t v, std::int32_t least) { return v > max_value || v < least ? least : v; };
    const auto choose = [&](std::int32_t& t, std::int32_t basic, std::int32_t small, std::int32_t times,
                            std::int32_t least) {
      if (t != 0) return;
      if (max_value >= 128) {
        const std::int32_t factor = (std::min(max_value, 4095) + 128) / 256;
        t = clamp(factor * (basic - small) + small + times * n, least);
      } else {
        const std::int32_t factor = 256 / (max_value + 1);
        t = clamp(std::max(small, basic / factor + times * n), least);
      }
    };
    choose(t1, 3, 2, 3, n + 1);
    choose(t2, 7, 3, 5, t1);
    choose(t3, 21, 4, 7, t2);
  }
};

/// Statistics of one context of regular mode (A.2.1, A.6).
struct JPEGLSContext {
  std::int64_t a = 0;  ///< the sum of up to `reset` errors
  std::int32_t b = 0;
  std::int32_t c = 0;
  std::int32_t n = 1;

  void update(std::int32_t error, std::int32_t step, std::int32_t reset) noexcept {
    a += error < 0 ? -error : error;
    b += error * step;
    if (n == reset) {
      a >>= 1;
      b >>= 1;  // arithmetic: the standard's -((1 - B) >> 1) for negative B
      n >>= 1;
    }
    ++n;
    if (b <= -n) {
      b = std::max(b + n, 1 - n);
      if (c > -128) --c;
    } else if (b > 0) {
      b = std::min(b - n, 0);
      if (c < 127) ++c;
    }
  }
};

/// Statistics of a run interruption (A.7.2).
struct JPEGLSRunContext {
  std::int64_t a = 0;  ///< the sum of up to `reset` errors
  std::int32_t n = 1;
  std::int32_t negative = 0;
};

/// J of A.7.1: the order of run length codes.
inline constexpr std::array<std::uint8_t, 32> kJPEGLSRunOrder{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,  2,  3,  3,  3,  3,
                                                              4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15};

}  // namespace cairn::codec
