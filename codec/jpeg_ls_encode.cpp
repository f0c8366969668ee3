// JPEG-LS, the writing side (ISO/IEC 14495-1 Annex A): default parameters, one scan, colour interleaved by sample.
#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "codec/encoders.h"
#include "codec/jpeg_ls.h"
#include "codec/jpeg_ls_bits.h"
#include "codec/target_bmi.h"

namespace cairn::codec {
namespace {

/// Codes the lines of one scan. A line buffer holds a sample before and one after the line: what the line decodes to.
/// `kPlain`: NEAR 0 and MAXVAL 2^P - 1.
template <bool kPlain>
class ScanEncoder {
 public:
  ScanEncoder(const JPEGLSParameters& p, JPEGLSBitWriter& bits, std::uint32_t columns)
      : p_(p), gradients_(p), bits_(bits), columns_(columns), step_(2 * p.near_lossless + 1) {
    const auto a = static_cast<std::uint32_t>(std::max(2, (p.range + 32) / 64));
    for (auto& context : contexts_) {
      context.a = a;
      context.prepare(p.near_lossless == 0);
    }
    for (auto& context : runs_) context.a = a;
  }

  /// `current` holds the samples and, when near-lossless, is overwritten by what they decode to.
  void line(std::uint16_t* current, std::uint16_t* previous, std::uint32_t& run_index) {
    bits_.reserve(std::size_t{columns_} * kMaxCodeBits);
    if (has_bmi()) {
      line_bmi(current, previous, run_index);
    } else {
      line_with(current, previous, run_index);
    }
  }

  /// The same of all components at once.
  void pixel_line(std::span<std::uint16_t*> current, std::span<std::uint16_t*> previous, std::uint32_t& run_index) {
    bits_.reserve(std::size_t{columns_} * current.size() * kMaxCodeBits);
    if (has_bmi()) {
      pixel_line_bmi(current, previous, run_index);
    } else {
      pixel_line_with(current, previous, run_index);
    }
  }

 private:
  static constexpr std::size_t kMaxCodeBits = 96;  // a code of 64 bits, and the run that it interrupts

  CAIRN_BMI void line_bmi(std::uint16_t* current, std::uint16_t* previous, std::uint32_t& run_index) {
    line_with(current, previous, run_index);
  }
  CAIRN_BMI void pixel_line_bmi(std::span<std::uint16_t*> current, std::span<std::uint16_t*> previous,
                                std::uint32_t& run_index) {
    pixel_line_with(current, previous, run_index);
  }

  CAIRN_INLINE void line_with(std::uint16_t* current, std::uint16_t* previous, std::uint32_t& run_index) {
    JPEGLSBitWriter::Cursor bits(bits_);  // in registers
    current[-1] = previous[0];
    previous[columns_] = previous[columns_ - 1];
    for (std::uint32_t x = 0; x < columns_;) {
      std::uint16_t* const here = current + x;
      const std::uint16_t* const above = previous + x;
      const std::int32_t q = context_of(here, above);
      if (q != 0) [[likely]] {
        *here = static_cast<std::uint16_t>(regular(bits, q, here[0], here[-1], above[0], above[-1]));
        ++x;
        continue;
      }
      const std::uint16_t value = here[-1];
      std::uint32_t length = 0;
      const std::uint32_t room = columns_ - x;
      while (length < room && near(here[length], value)) here[length++] = value;
      x += length;
      run(bits, length, x == columns_, run_index);
      if (x == columns_) break;
      const std::int32_t b = previous[x];
      const bool same = near(value, b);
      current[x] = static_cast<std::uint16_t>(interruption(bits, same ? 1 : 0, run_index, current[x], value, b));
      ++x;
      if (run_index > 0) --run_index;
    }
    bits.store();
  }

  CAIRN_INLINE void pixel_line_with(std::span<std::uint16_t*> current, std::span<std::uint16_t*> previous,
                                    std::uint32_t& run_index) {
    JPEGLSBitWriter::Cursor bits(bits_);
    const std::size_t components = current.size();
    for (std::size_t k = 0; k < components; ++k) {
      current[k][-1] = previous[k][0];
      previous[k][columns_] = previous[k][columns_ - 1];
    }
    std::array<std::int32_t, 4> q{};
    for (std::uint32_t x = 0; x < columns_;) {
      std::int32_t any = 0;
      for (std::size_t k = 0; k < components; ++k) {
        q[k] = context_of(current[k] + x, previous[k] + x);
        any |= q[k];
      }
      if (any != 0) {
        for (std::size_t k = 0; k < components; ++k) {
          std::uint16_t* const here = current[k] + x;
          const std::uint16_t* const above = previous[k] + x;
          *here = static_cast<std::uint16_t>(regular(bits, q[k], here[0], here[-1], above[0], above[-1]));
        }
        ++x;
        continue;
      }
      std::uint32_t length = 0;
      const std::uint32_t room = columns_ - x;
      const std::ptrdiff_t left = std::ptrdiff_t{x} - 1;
      const auto goes_on = [&] {
        for (std::size_t k = 0; k < components; ++k) {
          if (!near(current[k][x + length], current[k][left])) return false;
        }
        return true;
      };
      while (length < room && goes_on()) {
        for (std::size_t k = 0; k < components; ++k) current[k][x + length] = current[k][left];
        ++length;
      }
      x += length;
      run(bits, length, x == columns_, run_index);
      if (x == columns_) break;
      for (std::size_t k = 0; k < components; ++k) {
        const std::int32_t a = current[k][std::ptrdiff_t{x} - 1];
        current[k][x] = static_cast<std::uint16_t>(interruption(bits, 0, run_index, current[k][x], a, previous[k][x]));
      }
      ++x;
      if (run_index > 0) --run_index;
    }
    bits.store();
  }

  bool near(std::int32_t a, std::int32_t b) const { return (a > b ? a - b : b - a) <= p_.near_lossless; }

  CAIRN_INLINE std::int32_t context_of(const std::uint16_t* current, const std::uint16_t* above) const {
    const std::int8_t* const g = gradients_.zero();
    return 81 * g[above[1] - above[0]] + 9 * g[above[0] - above[-1]] + g[above[-1] - current[-1]];
  }

  /// A.4.4: by NEAR, and what the decoder will make of it.
  std::int32_t quantized(std::int32_t error) const {
    return error > 0 ? (error + p_.near_lossless) / step_ : -((p_.near_lossless - error) / step_);
  }
  std::int32_t decoded(std::int32_t predicted, std::int32_t error) const {
    return std::clamp(predicted + error * step_, 0, p_.max_value);
  }
  /// A.4.5: into [-RANGE / 2, RANGE / 2).
  CAIRN_INLINE std::int32_t reduced(std::int32_t error) const {
    if constexpr (kPlain) {
      const int shift = 32 - static_cast<int>(p_.quantized_bits);
      return static_cast<std::int32_t>(static_cast<std::uint32_t>(error) << shift) >> shift;
    }
    if (error < 0) error += p_.range;
    return error >= (p_.range + 1) / 2 ? error - p_.range : error;
  }

  CAIRN_INLINE void golomb(JPEGLSBitWriter::Cursor& bits, std::uint32_t value, unsigned k, std::int32_t limit) {
    const std::uint32_t prefix = value >> k;
    const std::uint32_t most = static_cast<std::uint32_t>(limit) - p_.quantized_bits - 1;
    if (prefix + 1 + k <= 32 && prefix < most) [[likely]] {
      bits.put(1u << k | (value & ((1u << k) - 1)), prefix + 1 + k);
    } else if (prefix < most) {
      zeros(bits, prefix);
      bits.put(1u << k | (value & ((1u << k) - 1)), 1 + k);
    } else {
      zeros(bits, most);
      bits.put(1, 1);
      bits.put(value - 1, p_.quantized_bits);
    }
  }
  static void zeros(JPEGLSBitWriter::Cursor& bits, std::uint32_t count) {
    for (; count > 32; count -= 32) bits.put(0, 32);
    bits.put(0, count);
  }

  /// Returns what the sample decodes to.
  CAIRN_INLINE std::int32_t regular(JPEGLSBitWriter::Cursor& bits, std::int32_t q, std::int32_t value, std::int32_t a,
                                    std::int32_t b, std::int32_t c) {
    const std::int32_t sign = q >> 31;
    JPEGLSContext& context = contexts_[static_cast<std::size_t>((q ^ sign) - sign)];
    const std::int32_t median = std::max(std::min(a, b), std::min(std::max(a, b), a + b - c));
    const std::int32_t predicted = std::clamp(median + ((context.c ^ sign) - sign), 0, p_.max_value);
    std::int32_t error = ((value - predicted) ^ sign) - sign;
    if constexpr (!kPlain) {
      error = quantized(error);
      value = decoded(predicted, (error ^ sign) - sign);
    }
    error = reduced(error);
    const std::int32_t flipped = error ^ context.flip;
    golomb(bits, static_cast<std::uint32_t>(flipped << 1 ^ flipped >> 31), context.k, p_.limit);
    context.update(error, kPlain ? 1 : step_, p_.reset, kPlain || p_.near_lossless == 0);
    return value;
  }

  void run(JPEGLSBitWriter::Cursor& bits, std::uint32_t length, bool to_the_end, std::uint32_t& run_index) {
    while (length >= 1u << kJPEGLSRunOrder[run_index]) {
      bits.put(1, 1);
      length -= 1u << kJPEGLSRunOrder[run_index];
      if (run_index < 31) ++run_index;
    }
    if (!to_the_end) {
      bits.put(length, 1u + kJPEGLSRunOrder[run_index]);
    } else if (length > 0) {
      bits.put(1, 1);
    }
  }

  std::int32_t interruption(JPEGLSBitWriter::Cursor& bits, unsigned type, std::uint32_t run_index, std::int32_t value,
                            std::int32_t a, std::int32_t b) {
    JPEGLSRunContext& context = runs_[type];
    const std::int32_t predicted = type == 1 ? a : b;
    const std::int32_t sign = type == 0 && a > b ? -1 : 0;
    std::int32_t error = ((value - predicted) ^ sign) - sign;
    if constexpr (!kPlain) {
      error = quantized(error);
      value = decoded(predicted, (error ^ sign) - sign);
    }
    error = reduced(error);
    const unsigned k = context.order(type);
    const bool mostly_negative = 2 * context.negative >= context.n;
    const bool map = error > 0 ? k == 0 && !mostly_negative : error < 0 && (k != 0 || mostly_negative);
    const auto magnitude = static_cast<std::uint32_t>(error < 0 ? -error : error);
    const std::uint32_t mapped = 2 * magnitude - type - (map ? 1 : 0);
    golomb(bits, mapped, k, p_.limit - kJPEGLSRunOrder[run_index] - 1);
    context.update(mapped, error, type, p_.reset);
    return value;
  }

  const JPEGLSParameters p_;
  const JPEGLSGradients gradients_;
  JPEGLSBitWriter& bits_;
  const std::uint32_t columns_;
  const std::int32_t step_;
  std::array<JPEGLSContext, 365> contexts_;
  std::array<JPEGLSRunContext, 2> runs_;
};

template <bool kPlain>
void encode_lines(const CodingInput& input, const JPEGLSParameters& p, Coded& out) {
  JPEGLSBitWriter bits;
  const auto scan = std::make_unique<ScanEncoder<kPlain>>(p, bits, input.columns);
  const std::size_t width = std::size_t{input.columns} + 2;
  std::vector<std::uint16_t> lines(2 * input.components * width);
  std::vector<std::uint16_t> pixels(input.line_samples());
  std::array<std::uint16_t*, 4> current{};
  std::array<std::uint16_t*, 4> previous{};
  for (std::size_t k = 0; k < input.components; ++k) {
    current[k] = lines.data() + 2 * k * width + 1;
    previous[k] = current[k] + width;
  }
  std::uint32_t run_index = 0;
  for (std::uint32_t row = 0; row < input.rows; ++row) {
    if (input.components == 1) {
      load_patterns(input, row, current[0]);
      scan->line(current[0], previous[0], run_index);
    } else {
      load_patterns(input, row, pixels.data());
      for (std::size_t k = 0; k < input.components; ++k) {
        for (std::size_t x = 0; x < input.columns; ++x) current[k][x] = pixels[x * input.components + k];
      }
      scan->pixel_line(std::span(current).first(input.components), std::span(previous).first(input.components),
                       run_index);
    }
    std::swap(current, previous);
  }
  bits.finish(out);
}

}  // namespace

Coded encode_jpeg_ls(const CodingInput& input, std::int32_t near_lossless) {
  JPEGLSParameters p;
  p.near_lossless = std::min(near_lossless, ((1 << input.precision) - 1) / 2);
  p.complete(input.precision);
  Coded out;
  const auto put = [&out](unsigned v) { out.push_back(static_cast<std::byte>(v)); };
  const auto put16 = [&put](unsigned v) {
    put(v >> 8);
    put(v & 255);
  };
  const unsigned components = input.components;
  put16(0xFFD8);
  put16(0xFFF7);
  put16(8 + 3 * components);
  put(input.precision);
  put16(input.rows);
  put16(input.columns);
  put(components);
  for (unsigned k = 1; k <= components; ++k) {
    put(k);
    put(0x11);
    put(0);
  }
  put16(0xFFDA);
  put16(6 + 2 * components);
  put(components);
  for (unsigned k = 1; k <= components; ++k) {
    put(k);
    put(0);
  }
  put(static_cast<unsigned>(p.near_lossless));
  put(components == 1 ? 0 : 2);  // interleaved by sample
  put(0);
  if (p.near_lossless == 0) {
    encode_lines<true>(input, p, out);
  } else {
    encode_lines<false>(input, p, out);
  }
  put16(0xFFD9);
  return out;
}

}  // namespace cairn::codec
