// JPEG Lossless, process 14, all predictors (ISO/IEC 10918-1 Annex H): precision 2 to 16, one to four components in one
// or several scans, restart intervals, point transform. Differences wrap modulo 2^16 (H.1.2.1); values are then kept to
// the precision, which also undoes encoders that wrap at the precision.
#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "codec/adapters.h"
#include "codec/jpeg_bits.h"
#include "codec/jpeg_markers.h"

namespace cairn::codec {
namespace {

unsigned octet(Bytes b, std::size_t i) {
  return std::to_integer<unsigned>(b[i]);
}

template <class Sample>
class LosslessDecoder {
 public:
  LosslessDecoder(const JPEGHeader& header, Bytes coded, RawImage& image)
      : header_(header),
        coded_(coded),
        image_(image),
        rows_(header.rows),
        columns_(header.columns),
        components_(header.component_count),
        tables_(std::make_unique<std::array<JPEGHuffmanTable, 4>>()) {}

  Result<> run() {
    out_.resize(std::size_t{rows_} * columns_ * components_ * sizeof(Sample));
    std::size_t at = header_.begin + 2;
    while (done_ != (1u << components_) - 1) {
      at = next_marker(at);
      if (coded_.size() - at < 4) break;
      const unsigned marker = octet(coded_, at + 1);
      at += 2;
      if (marker == 0xD9) break;
      if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;
      const std::size_t length = load_be<std::uint16_t>(coded_.data() + at);
      if (length < 2 || length > coded_.size() - at) return fail(Errc::truncated, "JPEG segment", at);
      const Bytes segment = coded_.subspan(at + 2, length - 2);
      if (marker == 0xC4) {
        CAIRN_TRYV(read_tables(segment, at));
      }
      if (marker == 0xDD) {
        if (segment.size() < 2) return fail(Errc::truncated, "JPEG restart interval", at);
        restart_interval_ = load_be<std::uint16_t>(segment.data());
      }
      at += length;
      if (marker == 0xDA) {
        CAIRN_TRY(at, read_scan(segment, at));
      }
    }
    if (done_ != (1u << components_) - 1) return fail(Errc::truncated, "JPEG lossless component without a scan", at);
    image_.samples = std::move(out_);
    return outcome::success();
  }

 private:
  struct Channel {
    const JPEGHuffmanTable* table = nullptr;
    std::uint32_t component = 0;  ///< in the frame header's order
  };

  /// The next FF followed by a marker code; the end where there is none.
  std::size_t next_marker(std::size_t at) const {
    while (at + 1 < coded_.size() &&
           !(octet(coded_, at) == 0xFF && octet(coded_, at + 1) != 0 && octet(coded_, at + 1) != 0xFF)) {
      ++at;
    }
    return std::min(at, coded_.size());
  }

  Result<> read_tables(Bytes segment, std::size_t origin) {
    while (!segment.empty()) {
      if (segment.size() < 17) return fail(Errc::truncated, "JPEG Huffman table", origin);
      const unsigned id = octet(segment, 0);
      std::size_t count = 0;
      for (std::size_t i = 1; i <= 16; ++i) count += octet(segment, i);
      if (count > 256 || segment.size() < 17 + count) return fail(Errc::malformed, "JPEG Huffman table", origin);
      if (id < 4) {  // an AC table has no use here
        CAIRN_TRYV((*tables_)[id].build(segment.subspan(1, 16), segment.subspan(17, count), header_.precision == 16));
        if ((*tables_)[id].overflows()) image_.mark(Oddity::huffman_table_overflow);
      }
      segment = segment.subspan(17 + count);
    }
    return outcome::success();
  }

  Result<std::size_t> read_scan(Bytes segment, std::size_t at) {
    if (segment.empty()) return fail(Errc::truncated, "JPEG scan header", at);
    const unsigned count = octet(segment, 0);
    if (count == 0 || count > components_) return fail(Errc::malformed, "JPEG scan components", at);
    if (segment.size() < 4 + 2 * count) return fail(Errc::truncated, "JPEG scan header", at);
    std::array<Channel, 4> channels;
    for (unsigned i = 0; i < count; ++i) {
      const unsigned id = octet(segment, 1 + 2 * i);
      const unsigned table = octet(segment, 2 + 2 * i) >> 4;
      const auto known = header_.components.begin() + components_;
      const auto found =
          std::find_if(header_.components.begin(), known, [id](const JPEGComponent& c) { return c.id == id; });
      if (found == known) return fail(Errc::malformed, "JPEG scan names an unknown component", at);
      channels[i].component = static_cast<std::uint32_t>(found - header_.components.begin());
      if (table > 3 || !(*tables_)[table].is_built())
        return fail(Errc::malformed, "JPEG scan without its Huffman table", at);
      if (done_ >> channels[i].component & 1u) return fail(Errc::malformed, "JPEG component coded twice", at);
      done_ |= 1u << channels[i].component;
      channels[i].table = &(*tables_)[table];
    }
    predictor_ = octet(segment, 1 + 2 * count);
    point_transform_ = octet(segment, 3 + 2 * count) & 15u;
    if (predictor_ == 0 || predictor_ > 7) return fail(Errc::unsupported, "JPEG lossless predictor", at);
    if (point_transform_ >= header_.precision) return fail(Errc::malformed, "JPEG point transform", at);
    if (point_transform_ > 0) image_.lossy = true;
    if (restart_interval_ != 0 && restart_interval_ % columns_ != 0) {
      return fail(Errc::unsupported, "JPEG lossless restart interval inside a row", at);
    }
    return decode_scan(std::span<const Channel>(channels).first(count), at);
  }

  Result<std::size_t> decode_scan(std::span<const Channel> channels, std::size_t at) {
    JPEGBitReader bits(coded_, at);
    const std::uint32_t rows_between = restart_interval_ / columns_;
    std::uint32_t until_restart = rows_between;
    unsigned restart = 0;
    bool first = true;
    for (std::uint32_t row = 0; row < rows_; ++row) {
      if (rows_between != 0 && until_restart == 0) {
        if (!bits.next_restart(restart)) return fail(Errc::malformed, "JPEG restart marker", bits.position());
        restart = (restart + 1) % 8;
        until_restart = rows_between;
        first = true;
      }
      const bool good = decode_row(bits, channels, row, first);
      if (!good) return fail(Errc::malformed, "JPEG lossless Huffman code", bits.position());
      if (bits.overrun()) return fail(Errc::truncated, "JPEG lossless scan", bits.position());
      first = false;
      --until_restart;
    }
    if (point_transform_ > 0) scale(channels);
    return bits.position();
  }

  bool decode_row(JPEGBitReader& bits, std::span<const Channel> channels, std::uint32_t row, bool first) {
    if (first) return decode_row_with<0>(bits, channels, row);
    switch (predictor_) {
      case 1:
        return decode_row_with<1>(bits, channels, row);
      case 2:
        return decode_row_with<2>(bits, channels, row);
      case 3:
        return decode_row_with<3>(bits, channels, row);
      case 4:
        return decode_row_with<4>(bits, channels, row);
      case 5:
        return decode_row_with<5>(bits, channels, row);
      case 6:
        return decode_row_with<6>(bits, channels, row);
      default:
        return decode_row_with<7>(bits, channels, row);
    }
  }

  /// Predictor 0 is the first row of a scan or restart interval: from the left, and a constant for the first sample.
  template <unsigned kPredictor>
  bool decode_row_with(JPEGBitReader& bits, std::span<const Channel> channels, std::uint32_t row) {
    if (channels.size() == 1) return decode_samples<kPredictor, 1>(bits, channels, row);
    if (channels.size() == 3) return decode_samples<kPredictor, 3>(bits, channels, row);
    return decode_samples<kPredictor, 0>(bits, channels, row);
  }

  template <unsigned kPredictor, std::size_t kChannels>
  bool decode_samples(JPEGBitReader& bits_in_memory, std::span<const Channel> all, std::uint32_t row) {
    const std::size_t channels = kChannels != 0 ? kChannels : all.size();
    const std::size_t step = components_;
    const std::size_t stride = std::size_t{columns_} * step;
    auto* const line = reinterpret_cast<Sample*>(out_.data()) + row * stride;
    const std::uint32_t mask = (1u << (header_.precision - point_transform_)) - 1;
    JPEGBitReader bits = bits_in_memory;  // in registers
    std::array<std::uint32_t, 4> left{};
    std::array<std::uint32_t, 4> corner{};
    unsigned bad = 0;
    for (std::uint32_t column = 0; column < columns_; ++column) {
      for (std::size_t k = 0; k < channels; ++k) {
        const std::size_t component = all[k].component;
        Sample* const p = line + column * step + component;
        bits.refill();
        const unsigned category = all[k].table->decode(bits);
        std::uint32_t difference = 0;
        if (category - 1u < 15u) {
          bits.refill();
          const std::uint32_t value = bits.peek(category);
          bits.skip(category);
          // F.2.2.1 EXTEND: the upper half is positive as it is, the lower half counts up from -(2^n - 1).
          difference = value - ((value >> (category - 1)) == 0 ? (1u << category) - 1 : 0u);
        } else if (category == 16) {
          difference = 32768;
        } else {
          bad |= category;
        }
        std::uint32_t predicted = 0;
        if constexpr (kPredictor == 0) {
          predicted = column == 0 ? 1u << (header_.precision - point_transform_ - 1) : left[k];
        } else {
          const std::uint32_t above = *(p - stride);
          predicted = column == 0 ? above : predict<kPredictor>(left[k], above, corner[k]);
          corner[k] = above;
        }
        left[k] = (predicted + difference) & mask;
        *p = static_cast<Sample>(left[k]);
      }
    }
    bits_in_memory = bits;
    return bad == 0;
  }

  /// Table H.1: Ra left, Rb above, Rc above left.
  template <unsigned kPredictor>
  static std::uint32_t predict(std::uint32_t a, std::uint32_t b, std::uint32_t c) noexcept {
    const auto half = [](std::uint32_t v) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(v) >> 1); };
    if constexpr (kPredictor == 1) return a;
    if constexpr (kPredictor == 2) return b;
    if constexpr (kPredictor == 3) return c;
    if constexpr (kPredictor == 4) return a + b - c;
    if constexpr (kPredictor == 5) return a + half(b - c);
    if constexpr (kPredictor == 6) return b + half(a - c);
    return (a + b) >> 1;
  }

  void scale(std::span<const Channel> channels) {
    auto* const samples = reinterpret_cast<Sample*>(out_.data());
    const std::size_t pixels = std::size_t{rows_} * columns_;
    for (const Channel& channel : channels) {
      for (std::size_t i = 0; i < pixels; ++i) {
        Sample& s = samples[i * components_ + channel.component];
        s = static_cast<Sample>(s << point_transform_);
      }
    }
  }

  const JPEGHeader& header_;
  Bytes coded_;
  RawImage& image_;
  std::uint32_t rows_;
  std::uint32_t columns_;
  std::uint32_t components_;
  std::unique_ptr<std::array<JPEGHuffmanTable, 4>> tables_;
  std::vector<std::byte> out_;
  std::uint32_t restart_interval_ = 0;
  unsigned predictor_ = 1;
  unsigned point_transform_ = 0;
  unsigned done_ = 0;  ///< components that had their scan
};

}  // namespace

Result<RawImage> decode_jpeg_lossless(const PixelFormat& format, Bytes coded) {
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(coded));
  if (!header.is_lossless()) return fail(Errc::unsupported, "JPEG process is not lossless Huffman");
  if (header.precision < 2 || header.precision > 16) return fail(Errc::malformed, "JPEG lossless precision");
  if (header.rows != format.rows || header.columns != format.columns) {
    return fail(Errc::mismatch, "JPEG extent is not Rows x Columns");
  }
  if (header.component_count != format.samples_per_pixel)
    return fail(Errc::mismatch, "JPEG components are not Samples per Pixel");
  for (std::size_t i = 1; i < header.component_count; ++i) {
    if (header.components[i].horizontal != header.components[0].horizontal ||
        header.components[i].vertical != header.components[0].vertical) {
      return fail(Errc::unsupported, "subsampled JPEG lossless");
    }
  }
  // Each sample costs a bit at least.
  if (samples_per_frame(format) / 8 > coded.size())
    return fail(Errc::truncated, "JPEG lossless frame too small for its extent", coded.size());

  RawImage image;
  image.precision = header.precision;
  image.width_bytes = header.precision <= 8 ? 1 : 2;
  if (!header.has_eoi) image.mark(Oddity::end_marker_missing);
  // Process 14 has no colour transform: components are what the tag says, subsampled tags aside.
  if (format.photometric == "YBR_FULL_422" || format.photometric == "YBR_PARTIAL_422")
    image.mark(Oddity::not_subsampled);
  if (image.width_bytes == 1) {
    CAIRN_TRYV(LosslessDecoder<std::uint8_t>(header, coded, image).run());
  } else {
    CAIRN_TRYV(LosslessDecoder<std::uint16_t>(header, coded, image).run());
  }
  return image;
}

}  // namespace cairn::codec
