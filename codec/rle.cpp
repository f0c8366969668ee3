// RLE Lossless (PS3.5 Annex G): a header of 16 little-endian words, then one PackBits segment for each byte of each
// sample, most significant byte first.
#include <algorithm>
#include <array>

#include "codec/adapters.h"

namespace cairn::codec {
namespace {

constexpr std::size_t kHeaderBytes = 64;
constexpr std::uint32_t kMaxSegments = 15;
constexpr std::uint64_t kMaxExpansion = 64;  // two bytes make at most 128

/// Writes `count` bytes at `out`, `stride` apart. The segment may go on with padding; it may not end early.
Result<> unpack_segment(Bytes segment, std::uint64_t origin, std::byte* out, std::size_t count, std::size_t stride) {
  std::size_t at = 0;
  std::size_t done = 0;
  while (done < count) {
    if (at >= segment.size()) return fail(Errc::truncated, "RLE segment shorter than its plane", origin + at);
    const unsigned control = std::to_integer<unsigned>(segment[at++]);
    if (control == 128) continue;
    if (control < 128) {
      const std::size_t literal = control + 1;
      if (literal > segment.size() - at) {
        if (segment.size() - at < count - done) return fail(Errc::truncated, "RLE literal run", origin + at);
      }
      const std::size_t n = std::min({literal, count - done, segment.size() - at});
      const std::byte* from = segment.data() + at;
      std::byte* to = out + done * stride;
      if (stride == 1) {
        std::memcpy(to, from, n);
      } else {
        for (std::size_t i = 0; i < n; ++i) to[i * stride] = from[i];
      }
      done += n;
      at += std::min(literal, segment.size() - at);
    } else {
      if (at >= segment.size()) return fail(Errc::truncated, "RLE repeat run", origin + at);
      const std::size_t n = std::min<std::size_t>(257 - control, count - done);
      const std::byte value = segment[at++];
      std::byte* to = out + done * stride;
      if (stride == 1) {
        std::memset(to, std::to_integer<int>(value), n);
      } else {
        for (std::size_t i = 0; i < n; ++i) to[i * stride] = value;
      }
      done += n;
    }
  }
  return outcome::success();
}

struct Header {
  std::uint32_t segments = 0;
  std::array<std::uint32_t, kMaxSegments + 1> offsets{};  ///< one past the last is the end
};

Result<Header> read_header(Bytes coded, std::uint64_t expected) {
  if (coded.size() < kHeaderBytes) return fail(Errc::truncated, "RLE header", coded.size());
  if (coded.size() > 0xFFFFFFFFu) return fail(Errc::limit_exceeded, "RLE frame size");
  Header header;
  header.segments = load_le<std::uint32_t>(coded.data());
  if (header.segments == 0 || header.segments > kMaxSegments) return fail(Errc::malformed, "RLE number of segments");
  if (header.segments != expected) return fail(Errc::mismatch, "RLE segments are not samples times bytes");
  for (std::uint32_t i = 0; i < header.segments; ++i) {
    const std::uint32_t offset = load_le<std::uint32_t>(coded.data() + 4 + i * 4);
    const std::uint32_t least = i == 0 ? std::uint32_t{kHeaderBytes} : header.offsets[i - 1];
    if (offset < least || offset > coded.size()) return fail(Errc::malformed, "RLE segment offset", 4 + i * 4);
    header.offsets[i] = offset;
  }
  header.offsets[header.segments] = static_cast<std::uint32_t>(coded.size());
  return header;
}

}  // namespace

Result<RawImage> decode_rle(const PixelFormat& format, Bytes coded) {
  const std::uint64_t samples = samples_per_frame(format);
  const bool bits = format.bits_allocated == 1;
  if (bits && format.samples_per_pixel != 1) return fail(Errc::unsupported, "RLE of 1-bit colour");
  const std::uint32_t width = bits ? 1 : format.bits_allocated / 8u;
  CAIRN_TRY(const Header header, read_header(coded, std::uint64_t{format.samples_per_pixel} * width));
  const std::uint64_t plane = bits ? (samples + 7) / 8 : samples / format.samples_per_pixel;
  if (plane > coded.size() * kMaxExpansion)
    return fail(Errc::truncated, "RLE frame too small for its extent", coded.size());

  RawImage image;
  image.width_bytes = width;
  image.precision = format.bits_allocated;
  image.stream_signed = format.is_signed;
  const std::size_t pixel_bytes = std::size_t{format.samples_per_pixel} * width;
  std::vector<std::byte> out(plane * pixel_bytes);
  for (std::uint32_t i = 0; i < header.segments; ++i) {
    const std::uint32_t begin = header.offsets[i];
    const Bytes segment = coded.subspan(begin, header.offsets[i + 1] - begin);
    const std::size_t sample = i / width;
    const std::size_t byte = width - 1 - i % width;
    CAIRN_TRYV(unpack_segment(segment, begin, out.data() + sample * width + byte, plane, pixel_bytes));
  }
  image.samples = bits ? unpack_bits(out, samples) : std::move(out);
  return image;
}

}  // namespace cairn::codec
