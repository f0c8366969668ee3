// Native samples (PS3.5 §8.1.1, §8.2): byte order, colour by plane, 4:2:2 and 1-bit packing.
#include <algorithm>

#include "codec/adapters.h"

namespace cairn::codec {
namespace {

template <class T>
void copy_swapped(Bytes from, MutableBytes into) {
  for (std::size_t i = 0; i + sizeof(T) <= into.size(); i += sizeof(T)) {
    store_le<T>(into.data() + i, load_be<T>(from.data() + i));
  }
}

void copy_ordered(Bytes from, MutableBytes into, unsigned width_bytes, bool big_endian) {
  if (!big_endian || width_bytes == 1) {
    std::copy_n(from.begin(), into.size(), into.begin());
  } else if (width_bytes == 2) {
    copy_swapped<std::uint16_t>(from, into);
  } else if (width_bytes == 4) {
    copy_swapped<std::uint32_t>(from, into);
  } else {
    copy_swapped<std::uint64_t>(from, into);
  }
}

template <class T>
void interleave(const std::byte* planes, std::byte* into, std::size_t pixels, std::size_t samples) {
  for (std::size_t s = 0; s < samples; ++s) {
    const std::byte* from = planes + s * pixels * sizeof(T);
    for (std::size_t i = 0; i < pixels; ++i) {
      std::memcpy(into + (i * samples + s) * sizeof(T), from + i * sizeof(T), sizeof(T));
    }
  }
}

// Y1 Y2 Cb Cr for each pair of pixels of a row; chrominance is repeated, no value is made up.
template <class T>
void expand_422(const std::byte* from, std::byte* into, std::size_t rows, std::size_t columns) {
  const auto copy = [](std::byte* to, const std::byte* sample) { std::memcpy(to, sample, sizeof(T)); };
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; c += 2, from += 4 * sizeof(T)) {
      for (std::size_t k = 0; k < 2 && c + k < columns; ++k, into += 3 * sizeof(T)) {
        copy(into, from + k * sizeof(T));
        copy(into + sizeof(T), from + 2 * sizeof(T));
        copy(into + 2 * sizeof(T), from + 3 * sizeof(T));
      }
    }
  }
}

}  // namespace

std::vector<std::byte> unpack_bits(Bytes packed, std::uint64_t count) {
  std::vector<std::byte> out(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::byte>(std::to_integer<unsigned>(packed[i / 8]) >> (i % 8) & 1u);
  }
  return out;
}

Result<Frame> decode_native(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded) {
  Frame frame;
  frame.photometric = format.photometric;
  const std::uint64_t samples = samples_per_frame(format);
  bool subsampled = is_subsampled_422(format);
  const std::uint64_t full_bytes = (samples * format.bits_allocated + 7) / 8;
  if (subsampled && coded.size() >= full_bytes && full_bytes * 8 > native_frame_bits(format)) {
    subsampled = false;
    frame.oddities |= static_cast<std::uint32_t>(Oddity::not_subsampled);
  }
  const std::uint64_t needed = subsampled ? (native_frame_bits(format) + 7) / 8 : full_bytes;
  if (coded.size() < needed) return fail(Errc::truncated, "native frame", coded.size());
  if (coded.size() > needed + 1) frame.oddities |= static_cast<std::uint32_t>(Oddity::trailing_bytes);
  coded = coded.first(needed);

  if (format.bits_allocated == 1) {
    if (subsampled) return fail(Errc::unsupported, "1-bit samples of 4:2:2");
    if (format.samples_per_pixel > 1 && format.planar_configuration == 1) {
      return fail(Errc::unsupported, "1-bit samples by plane");
    }
    frame.samples = unpack_bits(coded, samples);
    return frame;
  }
  const unsigned width = format.bits_allocated / 8u;
  std::vector<std::byte> ordered(coded.size());
  copy_ordered(coded, ordered, width, syntax.big_endian_pixels);
  if (subsampled) {
    frame.samples.resize(decoded_frame_bytes(format));
    if (width == 1) {
      expand_422<std::uint8_t>(ordered.data(), frame.samples.data(), format.rows, format.columns);
    } else if (width == 2) {
      expand_422<std::uint16_t>(ordered.data(), frame.samples.data(), format.rows, format.columns);
    } else {
      return fail(Errc::unsupported, "4:2:2 samples wider than 16 bits");
    }
    frame.photometric = format.photometric == "YBR_FULL_422" ? "YBR_FULL" : "YBR_PARTIAL";
    return frame;
  }
  if (frame.has(Oddity::not_subsampled)) frame.photometric = "YBR_FULL";
  if (format.samples_per_pixel > 1 && format.planar_configuration == 1) {
    frame.samples.resize(ordered.size());
    const std::size_t pixels = samples / format.samples_per_pixel;
    const auto run = [&]<class T>(T) {
      interleave<T>(ordered.data(), frame.samples.data(), pixels, format.samples_per_pixel);
    };
    if (width == 1) run(std::uint8_t{});
    if (width == 2) run(std::uint16_t{});
    if (width == 4) run(std::uint32_t{});
    if (width == 8) run(std::uint64_t{});
    return frame;
  }
  frame.samples = std::move(ordered);
  return frame;
}

}  // namespace cairn::codec
