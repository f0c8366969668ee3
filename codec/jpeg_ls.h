// Parameters and contexts of JPEG-LS coding (ISO/IEC 14495-1 Annex A and C). Private to
// codec's decoder and encoder.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

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

/// Statistics of one context of regular mode (A.2.1, A.6), and what the next code word needs of them.
struct JPEGLSContext {
  static constexpr unsigned kMaxOrder = 20;  // an order past the precision comes from damage only

  std::uint32_t a = 0;  ///< the sum of up to `reset` magnitudes, below 2^32 for errors up to 2^16
  std::int32_t b = 0;
  std::int32_t n = 1;
  std::int16_t c = 0;
  std::uint8_t k = 0;    ///< Golomb order: the smallest with n * 2^k >= a
  std::int8_t flip = 0;  ///< lossless: all ones where the order of A.5.2 runs the other way

  void update(std::int32_t error, std::int32_t step, std::int32_t reset, bool lossless) noexcept {
    const unsigned halve = n == reset ? 1 : 0;
    a = (a + static_cast<std::uint32_t>(error < 0 ? -error : error)) >> halve;
    b = (b + error * step) >> halve;  // arithmetic: the standard's -((1 - B) >> 1) for negative B
    n = (n >> halve) + 1;
    // A.6.2 without branches: at most one of the two holds, and the bounds touch no other value.
    const std::int32_t move = (b > 0 ? 1 : 0) - (b <= -n ? 1 : 0);
    b = std::clamp(b - move * n, 1 - n, 0);
    c = static_cast<std::int16_t>(std::clamp(c + move, -128, 127));
    prepare(lossless);
  }

  /// Sets k and flip from the rest.
  void prepare(bool lossless) noexcept {
    k = static_cast<std::uint8_t>(order(n, a));
    flip = lossless && k == 0 && 2 * b <= -n ? std::int8_t{-1} : std::int8_t{0};
  }

  static unsigned order(std::int32_t n, std::uint32_t a) noexcept {
    const auto count = static_cast<std::uint32_t>(n);
    const int guess = std::countl_zero(count) - std::countl_zero(a);  // of equal widths
    const auto least = static_cast<unsigned>(std::max(guess, 0));
    return std::min(least + (static_cast<std::uint64_t>(count) << least < a ? 1u : 0u), kMaxOrder);
  }
};

/// Statistics of a run interruption (A.7.2).
struct JPEGLSRunContext {
  std::uint32_t a = 0;
  std::int32_t n = 1;
  std::int32_t negative = 0;

  unsigned order(unsigned type) const noexcept {
    return JPEGLSContext::order(n, type == 0 ? a : a + static_cast<std::uint32_t>(n >> 1));
  }

  void update(std::uint32_t mapped, std::int32_t error, unsigned type, std::int32_t reset) noexcept {
    if (error < 0) ++negative;
    a += (mapped + 1 - type) >> 1;
    if (n == reset) {
      a >>= 1;
      n >>= 1;
      negative >>= 1;
    }
    ++n;
  }
};

/// J of A.7.1: the order of run length codes.
inline constexpr std::array<std::uint8_t, 32> kJPEGLSRunOrder{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,  2,  3,  3,  3,  3,
                                                              4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/// Quantized gradients (A.3.3), -4 to 4, of all differences from -MAXVAL to MAXVAL. Rows of equal values: cheap to
/// make.
class JPEGLSGradients {
 public:
  explicit JPEGLSGradients(const JPEGLSParameters& p)
      : quantized_(static_cast<std::size_t>(p.max_value) * 2 + 1, std::int8_t{4}),
        zero_(quantized_.data() + p.max_value) {
    const std::array<std::int32_t, 4> bounds{p.near_lossless + 1, p.t1, p.t2, p.t3};
    std::int8_t* at = quantized_.data();
    const auto fill = [&](std::int32_t until, int value) {  // differences below `until`
      std::int8_t* const end = quantized_.data() + p.max_value + until;
      if (end > at) at = std::fill_n(at, end - at, static_cast<std::int8_t>(value));
    };
    for (std::size_t i = 4; i-- > 0;) fill(1 - bounds[i], -static_cast<int>(i) - 1);
    for (std::size_t i = 0; i < 4; ++i) fill(std::min(bounds[i], p.max_value + 1), static_cast<int>(i));
  }

  /// Points at the value of difference 0.
  const std::int8_t* zero() const noexcept { return zero_; }

 private:
  std::vector<std::int8_t> quantized_;
  const std::int8_t* zero_;
};

}  // namespace cairn::codec
