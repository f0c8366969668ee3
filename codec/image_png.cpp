// PNG written by hand (ISO/IEC 15948): one filter, one IDAT chunk, deflated by libdeflate, which takes half the time of
// libpng over zlib.
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include <libdeflate.h>

#include "codec/image.h"

namespace cairn::codec {
namespace {

constexpr std::uint32_t kMaxExtent = 65535;
constexpr std::uint8_t kNone = 0, kSub = 1;
constexpr std::size_t kMaxChunkBytes = 0x7fffffff;

void put(std::vector<std::byte>& out, std::uint32_t number) {
  const std::size_t at = out.size();
  out.resize(at + 4);
  store_be(out.data() + at, number);
}

/// Begins a chunk; end_chunk() with what it returned fills in its length and checksum.
std::size_t begin_chunk(std::vector<std::byte>& out, std::string_view type) {
  put(out, 0);
  const Bytes name = as_bytes(type);
  out.insert(out.end(), name.begin(), name.end());
  return out.size();
}
void end_chunk(std::vector<std::byte>& out, std::size_t begin) {
  store_be(out.data() + begin - 8, static_cast<std::uint32_t>(out.size() - begin));
  put(out, libdeflate_crc32(0, out.data() + begin - 4, out.size() - begin + 4));
}

/// Each line behind its filter type; Sub: the difference to the sample before, byte by byte. None where nothing is
/// compressed.
std::vector<std::uint8_t> filtered(const std::uint8_t* samples, std::size_t stride, std::size_t rows, std::size_t unit,
                                   bool sub) {
  std::vector<std::uint8_t> out((stride + 1) * rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint8_t* from = samples + row * stride;
    std::uint8_t* to = out.data() + row * (stride + 1);
    *to++ = sub ? kSub : kNone;
    std::memcpy(to, from, sub ? unit : stride);
    for (std::size_t i = unit; sub && i < stride; ++i) to[i] = static_cast<std::uint8_t>(from[i] - from[i - unit]);
  }
  return out;
}

struct CompressorDeleter {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

Result<> append_deflated(std::vector<std::byte>& out, const std::vector<std::uint8_t>& lines, int level) {
  const std::unique_ptr<libdeflate_compressor, CompressorDeleter> compressor(libdeflate_alloc_compressor(level));
  if (!compressor) return fail(Errc::out_of_memory, "PNG");
  const std::size_t bound = libdeflate_zlib_compress_bound(compressor.get(), lines.size()), at = out.size();
  out.resize(at + bound);
  const std::size_t size =
      libdeflate_zlib_compress(compressor.get(), lines.data(), lines.size(), out.data() + at, bound);
  if (size == 0) return fail(Errc::internal, "PNG encoder");
  if (size > kMaxChunkBytes) return fail(Errc::limit_exceeded, "PNG size");
  out.resize(at + size);
  return outcome::success();
}

Result<std::vector<std::byte>> encode(std::uint32_t rows, std::uint32_t columns, std::uint32_t channels, unsigned depth,
                                      std::size_t count, const std::uint8_t* samples, int level) {
  if (rows == 0 || columns == 0 || rows > kMaxExtent || columns > kMaxExtent)
    return fail(Errc::limit_exceeded, "PNG extent");
  if (channels != 1 && channels != 3) return fail(Errc::unsupported, "PNG samples per pixel");
  if (level < 0 || level > 9) return fail(Errc::malformed, "PNG compression level");
  if (count != std::uint64_t{rows} * columns * channels) return fail(Errc::mismatch, "PNG samples");
  try {
    const std::size_t unit = std::size_t{channels} * (depth / 8);
    const auto lines = filtered(samples, columns * unit, rows, unit, level > 0);
    constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
    const Bytes signature = as_bytes(kSignature);
    std::vector<std::byte> out(signature.begin(), signature.end());
    std::size_t chunk = begin_chunk(out, "IHDR");
    put(out, columns);
    put(out, rows);
    constexpr std::byte kGrey{0}, kRGB{2};
    // Depth, colour type, and the only compression, filter method and interlace that we write.
    for (const std::byte b :
         {static_cast<std::byte>(depth), channels == 1 ? kGrey : kRGB, std::byte{0}, std::byte{0}, std::byte{0}}) {
      out.push_back(b);
    }
    end_chunk(out, chunk);
    chunk = begin_chunk(out, "IDAT");
    CAIRN_TRYV(append_deflated(out, lines, level));
    end_chunk(out, chunk);
    end_chunk(out, begin_chunk(out, "IEND"));
    return out;
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "PNG");
  }
}

}  // namespace

Result<std::vector<std::byte>> encode_png(const Plane8& plane, int level) {
  return encode(plane.rows, plane.columns, plane.samples_per_pixel, 8, plane.samples.size(), plane.samples.data(),
                level);
}

Result<std::vector<std::byte>> encode_png(const Plane16& plane, int level) {
  try {
    // Samples are big-endian in a PNG.
    std::vector<std::uint8_t> bytes(plane.samples.size() * 2);
    for (std::size_t i = 0; i < plane.samples.size(); ++i) {
      store_be(reinterpret_cast<std::byte*>(bytes.data()) + 2 * i, plane.samples[i]);
    }
    return encode(plane.rows, plane.columns, 1, 16, plane.samples.size(), bytes.data(), level);
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "PNG");
  }
}

}  // namespace cairn::codec
