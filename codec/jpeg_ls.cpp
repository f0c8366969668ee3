// JPEG-LS, lossless and near-lossless (ISO/IEC 14495-1): one to four components, no, line or sample interleaving,
// preset parameters. Not: mapping tables, restart intervals, point transforms, the colour transforms of some encoders.
// Our own since CharLS 2.4 loops without end on damaged data.
#include "codec/jpeg_ls.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "codec/adapters.h"
#include "codec/jpeg_ls_bits.h"
#include "codec/jpeg_markers.h"
#include "codec/target_bmi.h"

namespace cairn::codec {
namespace {

unsigned octet(Bytes b, std::size_t i) {
  return std::to_integer<unsigned>(b[i]);
}

/// Decodes the lines of one scan. Line buffers hold a sample before and one after the line. `kPlain`: NEAR 0 and MAXVAL
/// 2^P - 1, where reconstruction is a mask.
template <bool kPlain>
class ScanDecoder {
 public:
  ScanDecoder(const JPEGLSParameters& p, const JPEGLSScanBits& bits, std::uint32_t columns)
      : p_(p),
        gradients_(p),
        bits_(bits),
        size_bits_(bits.size_bits()),
        columns_(columns),
        step_(2 * p.near_lossless + 1),
        span_(p.range * step_) {
    const auto a = static_cast<std::uint32_t>(std::max(2, (p.range + 32) / 64));
    for (auto& context : contexts_) {
      context.a = a;
      context.prepare(p.near_lossless == 0);
    }
    for (auto& context : runs_) context.a = a;
  }

  /// `current` and `previous` point at the first sample. False on damage.
  bool line(std::uint16_t* current, std::uint16_t* previous, std::uint32_t& run_index) {
    return has_bmi() ? line_bmi(current, previous, run_index) : line_with(current, previous, run_index);
  }

  /// Sample interleaving: a pixel's components share the run mode.
  bool pixel_line(std::span<std::uint16_t*> current, std::span<std::uint16_t*> previous, std::uint32_t& run_index) {
    return has_bmi() ? pixel_line_bmi(current, previous, run_index) : pixel_line_with(current, previous, run_index);
  }

  std::uint64_t at_bits() const noexcept { return bits_.at_bits(); }

 private:
  CAIRN_BMI bool line_bmi(std::uint16_t* current, std::uint16_t* previous, std::uint32_t& run_index) {
    return line_with(current, previous, run_index);
  }
  CAIRN_BMI bool pixel_line_bmi(std::span<std::uint16_t*> current, std::span<std::uint16_t*> previous,
                                std::uint32_t& run_index) {
    return pixel_line_with(current, previous, run_index);
  }

  CAIRN_INLINE bool line_with(std::uint16_t* current, std::uint16_t* previous, std::uint32_t& run_index) {
    JPEGLSBitReader bits = bits_;  // in registers
    const std::int8_t* const g = gradients_.zero();
    current[-1] = previous[0];
    previous[columns_] = previous[columns_ - 1];
    std::int32_t a = current[-1];
    std::int32_t c = previous[-1];
    std::int32_t b = previous[0];
    for (std::uint32_t x = 0; x < columns_;) {
      const std::int32_t d = previous[x + 1];
      const std::int32_t q = 81 * g[d - b] + 9 * g[b - c] + g[c - a];
      if (q != 0) [[likely]] {
        if (!regular(bits, q, a, b, c, a)) return false;
        current[x++] = static_cast<std::uint16_t>(a);
        c = b;
        b = d;
        continue;
      }
      std::uint32_t length = 0;
      if (!run_length(bits, columns_ - x, run_index, length)) return false;
      std::fill_n(current + x, length, static_cast<std::uint16_t>(a));
      x += length;
      if (x == columns_) break;
      b = previous[x];
      const bool same = near(a, b);
      std::int32_t error = 0;
      if (!interruption(bits, same ? 1 : 0, run_index, error)) return false;
      a = reconstruct(same ? a : b, !same && a > b ? -error : error);
      current[x++] = static_cast<std::uint16_t>(a);
      if (run_index > 0) --run_index;
      c = b;
      b = previous[x];
    }
    bits_ = bits;
    return bits.at_bits() <= size_bits_;
  }

  CAIRN_INLINE bool pixel_line_with(std::span<std::uint16_t*> current, std::span<std::uint16_t*> previous,
                                    std::uint32_t& run_index) {
    JPEGLSBitReader bits = bits_;
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
          const std::uint16_t* const above = previous[k] + x;
          std::int32_t value = 0;
          if (!regular(bits, q[k], current[k][std::ptrdiff_t{x} - 1], above[0], above[-1], value)) return false;
          current[k][x] = static_cast<std::uint16_t>(value);
        }
        ++x;
        continue;
      }
      std::uint32_t length = 0;
      if (!run_length(bits, columns_ - x, run_index, length)) return false;
      for (std::size_t k = 0; k < components; ++k)
        std::fill_n(current[k] + x, length, current[k][std::ptrdiff_t{x} - 1]);
      x += length;
      if (x == columns_) break;
      for (std::size_t k = 0; k < components; ++k) {
        const std::int32_t value = current[k][std::ptrdiff_t{x} - 1];
        const std::int32_t above = previous[k][x];
        std::int32_t error = 0;
        if (!interruption(bits, 0, run_index, error)) return false;
        current[k][x] = static_cast<std::uint16_t>(reconstruct(above, value > above ? -error : error));
      }
      ++x;
      if (run_index > 0) --run_index;
    }
    bits_ = bits;
    return bits.at_bits() <= size_bits_;
  }

  bool near(std::int32_t a, std::int32_t b) const { return (a > b ? a - b : b - a) <= p_.near_lossless; }

  /// -364 to 364; 0 is run mode.
  CAIRN_INLINE std::int32_t context_of(const std::uint16_t* current, const std::uint16_t* above) const {
    const std::int8_t* const g = gradients_.zero();
    return 81 * g[above[1] - above[0]] + 9 * g[above[0] - above[-1]] + g[above[-1] - current[-1]];
  }

  CAIRN_INLINE std::int32_t reconstruct(std::int32_t predicted, std::int32_t error) const {
    if constexpr (kPlain) return (predicted + error) & p_.max_value;
    std::int32_t v = predicted + error * step_;
    if (v < -p_.near_lossless) {
      v += span_;
    } else if (v > p_.max_value + p_.near_lossless) {
      v -= span_;
    }
    return std::clamp(v, 0, p_.max_value);
  }

  /// Limited-length Golomb code (A.5.3), `k` at most 20. False for what no encoder writes.
  CAIRN_INLINE bool golomb(JPEGLSBitReader& bits, unsigned k, std::int32_t limit, std::uint32_t& value) {
    const std::uint64_t window = bits.window();
    const auto prefix = static_cast<unsigned>(std::countl_zero(window));
    if (prefix < static_cast<unsigned>(std::min(kEasyPrefix, limit - 1 - static_cast<int>(p_.quantized_bits))))
        [[likely]] {
      const auto low = static_cast<std::uint32_t>(window << prefix << 1 >> 1 >> (63 - k));
      bits.skip(prefix + 1 + k);
      value = (prefix << k) + low;
      return value <= 2 * static_cast<std::uint32_t>(p_.range);
    }
    return long_golomb(bits, k, limit, value);
  }

  static constexpr int kEasyPrefix = 36;  // with its code, the bit after it and 20 more it fits a window

  [[gnu::noinline]] bool long_golomb(JPEGLSBitReader& bits, unsigned k, std::int32_t limit, std::uint32_t& value) {
    const std::uint32_t most = static_cast<std::uint32_t>(limit) - p_.quantized_bits - 1;
    const auto prefix = static_cast<std::uint32_t>(std::countl_zero(bits.window()));
    if (prefix > most) return false;
    bits.skip(prefix + 1);
    value = prefix < most ? (prefix << k) + bits.read(k) : bits.read(p_.quantized_bits) + 1;
    return value <= 2 * static_cast<std::uint32_t>(p_.range);
  }

  CAIRN_INLINE bool regular(JPEGLSBitReader& bits, std::int32_t q, std::int32_t a, std::int32_t b, std::int32_t c,
                            std::int32_t& value) {
    const std::int32_t sign = q >> 31;
    JPEGLSContext& context = contexts_[static_cast<std::size_t>((q ^ sign) - sign)];
    const std::int32_t median = std::max(std::min(a, b), std::min(std::max(a, b), a + b - c));
    const std::int32_t predicted = std::clamp(median + ((context.c ^ sign) - sign), 0, p_.max_value);
    std::uint32_t mapped = 0;
    if (!golomb(bits, context.k, p_.limit, mapped)) [[unlikely]]
      return false;
    const std::int32_t error =
        static_cast<std::int32_t>(mapped >> 1) ^ -static_cast<std::int32_t>(mapped & 1u) ^ context.flip;
    value = reconstruct(predicted, (error ^ sign) - sign);
    context.update(error, kPlain ? 1 : step_, p_.reset, kPlain || p_.near_lossless == 0);
    return true;
  }

  bool run_length(JPEGLSBitReader& bits, std::uint32_t room, std::uint32_t& run_index, std::uint32_t& length) {
    length = 0;
    while (bits.read(1) != 0) {
      const std::uint32_t whole = 1u << kJPEGLSRunOrder[run_index];
      if (whole > room - length) {
        length = room;
        return true;
      }
      length += whole;
      if (run_index < 31) ++run_index;
      if (length == room) return true;
    }
    length += bits.read(kJPEGLSRunOrder[run_index]);
    return length < room;  // something interrupts it inside the line
  }

  bool interruption(JPEGLSBitReader& bits, unsigned type, std::uint32_t run_index, std::int32_t& error) {
    JPEGLSRunContext& context = runs_[type];
    const unsigned k = context.order(type);
    std::uint32_t mapped = 0;
    if (!golomb(bits, k, p_.limit - kJPEGLSRunOrder[run_index] - 1, mapped)) return false;
    const std::uint32_t twice = mapped + type;
    const auto magnitude = static_cast<std::int32_t>((twice + 1) / 2);
    const bool usual = k != 0 || 2 * context.negative >= context.n;
    error = ((twice & 1u) != 0) == usual ? -magnitude : magnitude;
    context.update(mapped, error, type, p_.reset);
    return true;
  }

  const JPEGLSParameters p_;
  const JPEGLSGradients gradients_;
  JPEGLSBitReader bits_;
  const std::uint64_t size_bits_;
  const std::uint32_t columns_;
  const std::int32_t step_;
  const std::int32_t span_;
  std::array<JPEGLSContext, 365> contexts_;
  std::array<JPEGLSRunContext, 2> runs_;
};

class FrameDecoder {
 public:
  FrameDecoder(const JPEGHeader& header, Bytes coded, RawImage& image)
      : header_(header), coded_(coded), image_(image) {}

  Result<> run() {
    std::size_t at = header_.begin + 2;
    while (done_ != (1u << header_.component_count) - 1) {
      at = next_marker(at);
      if (coded_.size() - at < 4) return fail(Errc::truncated, "JPEG-LS component without a scan", at);
      const unsigned marker = octet(coded_, at + 1);
      at += 2;
      if (marker == 0xD9) return fail(Errc::truncated, "JPEG-LS component without a scan", at);
      if (marker >= 0xD0 && marker <= 0xD8) continue;
      const std::size_t length = load_be<std::uint16_t>(coded_.data() + at);
      if (length < 2 || length > coded_.size() - at) return fail(Errc::truncated, "JPEG-LS segment", at);
      const Bytes segment = coded_.subspan(at + 2, length - 2);
      if (marker == 0xF8) {
        CAIRN_TRYV(read_preset(segment, at));
      } else if (marker == 0xDD) {
        if (std::any_of(segment.begin(), segment.end(), [](std::byte b) { return b != std::byte{0}; })) {
          return fail(Errc::unsupported, "JPEG-LS restart interval", at);
        }
      } else if (marker == 0xE8 && segment.size() == 5 && as_text(segment.first(4)) == "mrfx" &&
                 octet(segment, 4) != 0) {
        return fail(Errc::unsupported, "JPEG-LS colour transform", at);
      }
      at += length;
      if (marker == 0xDA) {
        CAIRN_TRY(at, read_scan(segment, at));
      }
    }
    return outcome::success();
  }

 private:
  std::size_t next_marker(std::size_t at) const {
    while (at + 1 < coded_.size() &&
           !(octet(coded_, at) == 0xFF && octet(coded_, at + 1) >= 0x80 && octet(coded_, at + 1) != 0xFF)) {
      ++at;
    }
    return std::min(at, coded_.size());
  }

  Result<> read_preset(Bytes s, std::size_t at) {
    if (s.empty()) return fail(Errc::truncated, "JPEG-LS preset parameters", at);
    switch (octet(s, 0)) {
      case 1:
        break;
      case 2:
      case 3:
        return fail(Errc::unsupported, "JPEG-LS mapping table", at);
      default:
        return fail(Errc::unsupported, "JPEG-LS preset parameters of this type", at);
    }
    if (s.size() < 11) return fail(Errc::truncated, "JPEG-LS preset parameters", at);
    preset_.max_value = load_be<std::uint16_t>(s.data() + 1);
    preset_.t1 = load_be<std::uint16_t>(s.data() + 3);
    preset_.t2 = load_be<std::uint16_t>(s.data() + 5);
    preset_.t3 = load_be<std::uint16_t>(s.data() + 7);
    preset_.reset = load_be<std::uint16_t>(s.data() + 9);
    return outcome::success();
  }

  Result<std::size_t> read_scan(Bytes s, std::size_t at) {
    const unsigned count = s.empty() ? 0 : octet(s, 0);
    if (count == 0 || count > header_.component_count) return fail(Errc::malformed, "JPEG-LS scan components", at);
    if (s.size() < 4 + 2 * count) return fail(Errc::truncated, "JPEG-LS scan header", at);
    std::array<std::uint32_t, 4> components{};
    for (unsigned i = 0; i < count; ++i) {
      const auto known = header_.components.begin() + header_.component_count;
      const auto found = std::find_if(header_.components.begin(), known,
                                      [&](const JPEGComponent& c) { return c.id == octet(s, 1 + 2 * i); });
      if (found == known) return fail(Errc::malformed, "JPEG-LS scan names an unknown component", at);
      components[i] = static_cast<std::uint32_t>(found - header_.components.begin());
      if (done_ >> components[i] & 1u) return fail(Errc::malformed, "JPEG-LS component coded twice", at);
      done_ |= 1u << components[i];
      if (octet(s, 2 + 2 * i) != 0) return fail(Errc::unsupported, "JPEG-LS mapping table", at);
    }
    JPEGLSParameters parameters = preset_;
    parameters.near_lossless = static_cast<std::int32_t>(octet(s, 1 + 2 * count));
    const unsigned interleave = octet(s, 2 + 2 * count);
    if (octet(s, 3 + 2 * count) != 0) return fail(Errc::unsupported, "JPEG-LS point transform", at);
    if (interleave > 2 || (interleave == 0) != (count == 1))
      return fail(Errc::malformed, "JPEG-LS interleave mode", at);
    if (!parameters.complete(header_.precision)) return fail(Errc::malformed, "JPEG-LS preset parameters", at);
    if (parameters.near_lossless > 0) image_.lossy = true;
    return decode_scan(parameters, std::span<const std::uint32_t>(components).first(count), interleave == 2, at);
  }

  Result<std::size_t> decode_scan(const JPEGLSParameters& p, std::span<const std::uint32_t> components, bool by_sample,
                                  std::size_t at) {
    const JPEGLSScanBits bits(coded_, at);
    const bool plain = p.near_lossless == 0 && (p.max_value & (p.max_value + 1)) == 0;
    return plain ? decode_lines<true>(p, bits, components, by_sample)
                 : decode_lines<false>(p, bits, components, by_sample);
  }

  template <bool kPlain>
  Result<std::size_t> decode_lines(const JPEGLSParameters& p, const JPEGLSScanBits& bits,
                                   std::span<const std::uint32_t> components, bool by_sample) {
    const auto scan = std::make_unique<ScanDecoder<kPlain>>(p, bits, header_.columns);
    const std::size_t width = std::size_t{header_.columns} + 2;
    std::vector<std::uint16_t> lines(2 * components.size() * width);
    std::array<std::uint16_t*, 4> current{};
    std::array<std::uint16_t*, 4> previous{};
    for (std::size_t k = 0; k < components.size(); ++k) {
      current[k] = lines.data() + 2 * k * width + 1;
      previous[k] = current[k] + width;
    }
    const auto currents = std::span(current).first(components.size());
    const auto previouses = std::span(previous).first(components.size());
    std::array<std::uint32_t, 4> run_index{};
    for (std::uint32_t row = 0; row < header_.rows; ++row) {
      bool good = true;
      if (by_sample) {
        good = scan->pixel_line(currents, previouses, run_index[0]);
      } else {
        for (std::size_t k = 0; good && k < components.size(); ++k)
          good = scan->line(current[k], previous[k], run_index[k]);
      }
      if (!good) {
        const bool over = scan->at_bits() > bits.size_bits();
        return fail(over ? Errc::truncated : Errc::malformed, "JPEG-LS entropy-coded data damaged or truncated",
                    bits.end());
      }
      for (std::size_t k = 0; k < components.size(); ++k) store(current[k], row, components[k]);
      std::swap(current, previous);
    }
    return bits.end();
  }

  void store(const std::uint16_t* line, std::uint32_t row, std::uint32_t component) {
    const std::size_t step = header_.component_count;
    std::byte* out =
        image_.samples.data() + (std::size_t{row} * header_.columns * step + component) * image_.width_bytes;
    if (image_.width_bytes == 1) {
      for (std::uint32_t x = 0; x < header_.columns; ++x, out += step) *out = static_cast<std::byte>(line[x]);
    } else {
      for (std::uint32_t x = 0; x < header_.columns; ++x, out += 2 * step) store_le<std::uint16_t>(out, line[x]);
    }
  }

  const JPEGHeader& header_;
  Bytes coded_;
  RawImage& image_;
  JPEGLSParameters preset_;
  unsigned done_ = 0;  ///< components that had their scan
};

}  // namespace

Result<RawImage> decode_jpeg_ls(const PixelFormat& format, Bytes coded) {
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(coded));
  if (!header.is_jpeg_ls()) return fail(Errc::unsupported, "JPEG process is not JPEG-LS");
  if (header.rows != format.rows || header.columns != format.columns) {
    return fail(Errc::mismatch, "JPEG-LS extent is not Rows x Columns");
  }
  if (header.component_count != format.samples_per_pixel)
    return fail(Errc::mismatch, "JPEG-LS components are not Samples per Pixel");
  if (header.precision < 2 || header.precision > 16) return fail(Errc::malformed, "JPEG-LS precision");
  for (std::size_t i = 0; i < header.component_count; ++i) {
    if (header.components[i].horizontal != 1 || header.components[i].vertical != 1) {
      return fail(Errc::unsupported, "subsampled JPEG-LS");
    }
  }
  // A line costs a bit at least.
  if (format.rows / 8 > coded.size())
    return fail(Errc::truncated, "JPEG-LS frame too small for its extent", coded.size());

  RawImage image;
  image.precision = header.precision;
  image.width_bytes = header.precision <= 8 ? 1 : 2;
  if (!header.has_eoi) image.mark(Oddity::end_marker_missing);
  if (format.photometric == "YBR_FULL_422" || format.photometric == "YBR_PARTIAL_422")
    image.mark(Oddity::not_subsampled);
  image.samples.resize(samples_per_frame(format) * image.width_bytes);
  CAIRN_TRYV(FrameDecoder(header, coded, image).run());
  return image;
}

}  // namespace cairn::codec
