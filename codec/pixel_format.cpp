#include "codec/pixel_format.h"

namespace cairn::codec {

namespace {

// Rows and Columns are US; larger values can come only from a broken reader or a wrong VR.
constexpr std::uint32_t kMaxExtent = 65535;
constexpr std::uint16_t kMaxSamplesPerPixel = 4;

}  // namespace

Result<> validate(const PixelFormat& format, const Limits& limits) {
  if (format.rows == 0) return fail(Errc::missing, "Rows");
  if (format.columns == 0) return fail(Errc::missing, "Columns");
  if (format.bits_allocated == 0) return fail(Errc::missing, "Bits Allocated");
  if (format.rows > kMaxExtent) return fail(Errc::malformed, "Rows past 65535");
  if (format.columns > kMaxExtent) return fail(Errc::malformed, "Columns past 65535");
  if (format.samples_per_pixel == 0 || format.samples_per_pixel > kMaxSamplesPerPixel) {
    return fail(Errc::unsupported, "Samples per Pixel");
  }
  switch (format.bits_allocated) {
    case 1:
    case 8:
    case 16:
    case 32:
    case 64:
      break;
    default:
      return fail(Errc::unsupported, "Bits Allocated other than 1, 8, 16, 32, 64");
  }
  if (format.kind == SampleKind::floating && format.bits_allocated != 32 && format.bits_allocated != 64) {
    return fail(Errc::malformed, "float Pixel Data must have 32 or 64 Bits Allocated");
  }
  if (format.bits_stored > format.bits_allocated) return fail(Errc::malformed, "Bits Stored exceeds Bits Allocated");
  if (decoded_frame_bytes(format) > limits.max_frame_bytes) return fail(Errc::limit_exceeded, "decoded frame size");
  return outcome::success();
}

std::uint64_t samples_per_frame(const PixelFormat& format) noexcept {
  return std::uint64_t{format.rows} * format.columns * format.samples_per_pixel;
}

std::uint64_t decoded_frame_bytes(const PixelFormat& format) noexcept {
  const std::uint64_t width = format.bits_allocated < 8 ? 1 : format.bits_allocated / 8u;
  return samples_per_frame(format) * width;
}

std::uint64_t native_frame_bits(const PixelFormat& format) noexcept {
  if (is_subsampled_422(format)) {
    const std::uint64_t pairs = (std::uint64_t{format.columns} + 1) / 2;
    return std::uint64_t{format.rows} * pairs * 4 * format.bits_allocated;
  }
  return samples_per_frame(format) * format.bits_allocated;
}

bool is_subsampled_422(const PixelFormat& format) noexcept {
  return format.samples_per_pixel == 3 &&
         (format.photometric == "YBR_FULL_422" || format.photometric == "YBR_PARTIAL_422");
}

}  // namespace cairn::codec
