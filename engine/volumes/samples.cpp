#include "engine/volumes/samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cairn::volumes {
namespace {

using recon::VoxelType;

// PS3.5 8.1.1: the value lies below High Bit; what is above or below it in the word is not part of it.
template <class U, class S>
void place_bits(Bytes from, MutableBytes into, unsigned stored, unsigned shift, bool is_signed) {
  const unsigned width = 8 * sizeof(U), unused = width - stored;
  for (std::size_t i = 0; i + sizeof(U) <= from.size(); i += sizeof(U)) {
    U word;
    std::memcpy(&word, from.data() + i, sizeof word);
    // Up to the top of the word first, so that the way down extends the sign.
    word = static_cast<U>(static_cast<U>(word >> shift) << unused);
    word = is_signed ? static_cast<U>(static_cast<S>(static_cast<S>(word) >> unused)) : static_cast<U>(word >> unused);
    std::memcpy(into.data() + i, &word, sizeof word);
  }
}

void place_integers(const codec::Frame& frame, const codec::PixelFormat& format, bool native_samples,
                    MutableBytes into) {
  const unsigned width = frame.bits_allocated;
  const unsigned stored = std::clamp<unsigned>(frame.bits_stored, 1, width);
  unsigned shift = 0;
  if (native_samples && format.high_bit + 1u > stored && format.high_bit < width) shift = format.high_bit + 1u - stored;
  if (stored == width && shift == 0) {
    std::memcpy(into.data(), frame.samples.data(), into.size());
  } else if (width == 8) {
    place_bits<std::uint8_t, std::int8_t>(frame.samples, into, stored, shift, frame.is_signed);
  } else if (width == 16) {
    place_bits<std::uint16_t, std::int16_t>(frame.samples, into, stored, shift, frame.is_signed);
  } else {
    place_bits<std::uint32_t, std::int32_t>(frame.samples, into, stored, shift, frame.is_signed);
  }
}

template <class From>
void to_float(Bytes from, MutableBytes into) {
  for (std::size_t i = 0; i < into.size() / sizeof(float); ++i) {
    From x;
    std::memcpy(&x, from.data() + i * sizeof x, sizeof x);
    const auto y = static_cast<float>(x);
    std::memcpy(into.data() + i * sizeof y, &y, sizeof y);
  }
}

std::uint8_t clamp8(double x) {
  return static_cast<std::uint8_t>(std::clamp(std::floor(x + 0.5), 0.0, 255.0));
}

// PS3.3 C.7.6.3.1.2: full-range YCbCr as JPEG has it.
void store_colour(Bytes samples, bool ybr, MutableBytes r, MutableBytes g, MutableBytes b) {
  for (std::size_t i = 0; i < r.size(); ++i) {
    const auto s0 = std::to_integer<std::uint8_t>(samples[3 * i]),
               s1 = std::to_integer<std::uint8_t>(samples[3 * i + 1]),
               s2 = std::to_integer<std::uint8_t>(samples[3 * i + 2]);
    if (!ybr) {
      r[i] = std::byte{s0};
      g[i] = std::byte{s1};
      b[i] = std::byte{s2};
      continue;
    }
    const double y = s0, cb = s1 - 128.0, cr = s2 - 128.0;
    r[i] = std::byte{clamp8(y + 1.402 * cr)};
    g[i] = std::byte{clamp8(y - 0.344136 * cb - 0.714136 * cr)};
    b[i] = std::byte{clamp8(y + 1.772 * cb)};
  }
}

}  // namespace

Result<VoxelType> voxel_type(const codec::PixelFormat& f) {
  if (f.kind == codec::SampleKind::floating) return VoxelType::float32;
  if (f.bits_allocated <= 8) return f.is_signed ? VoxelType::int8 : VoxelType::uint8;
  if (f.bits_allocated == 16) return f.is_signed ? VoxelType::int16 : VoxelType::uint16;
  if (f.bits_allocated == 32) return f.is_signed ? VoxelType::int32 : VoxelType::float32;
  return fail(Errc::unsupported, "volume of 64-bit integer samples");
}

Result<> store_slice(const codec::Frame& frame, const codec::PixelFormat& format, bool native_samples,
                     recon::Volume& volume, std::uint32_t slice) {
  const std::size_t pixels = std::size_t{frame.rows} * frame.columns;
  const MutableBytes into = volume.slice(0, slice);
  const std::size_t voxels = into.size() / recon::size_of(volume.type());
  if (pixels != voxels || frame.samples_per_pixel != volume.components() ||
      frame.samples.size() != pixels * frame.samples_per_pixel * (frame.bits_allocated / 8u)) {
    return fail(Errc::mismatch, "decoded frame and volume");
  }
  if (volume.components() == 3) {
    if (frame.bits_allocated != 8) return fail(Errc::unsupported, "colour volume of other than 8 bits");
    const bool rgb = frame.photometric == "RGB";
    const bool ybr = frame.photometric == "YBR_FULL" || frame.photometric == "YBR_FULL_422";
    if (!rgb && !ybr) return fail(Errc::unsupported, "colour space of a volume");
    store_colour(frame.samples, ybr, into, volume.slice(1, slice), volume.slice(2, slice));
    return outcome::success();
  }
  if (volume.type() != VoxelType::float32) {
    if (frame.bits_allocated != 8 * recon::size_of(volume.type()))
      return fail(Errc::mismatch, "decoded frame and volume");
    place_integers(frame, format, native_samples, into);
  } else if (frame.kind == codec::SampleKind::floating && frame.bits_allocated == 64) {
    to_float<double>(frame.samples, into);
  } else if (frame.kind == codec::SampleKind::floating) {
    std::memcpy(into.data(), frame.samples.data(), into.size());
  } else {
    std::vector<std::byte> placed(frame.samples.size());
    place_integers(frame, format, native_samples, placed);
    to_float<std::uint32_t>(placed, into);
  }
  return outcome::success();
}

}  // namespace cairn::volumes
