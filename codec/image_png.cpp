// Adapter of libpng, whose errors leave by longjmp: no object with a destructor lives between setjmp and a call that
// jumps.
#include <bit>
#include <csetjmp>
#include <new>

#include <png.h>

#include "codec/image.h"

namespace cairn::codec {
namespace {

constexpr std::uint32_t kMaxExtent = 65535;

struct Sink {
  std::vector<std::byte> bytes;
  bool out_of_memory = false;
};

void on_write(png_structp png, png_bytep data, png_size_t size) {
  auto& sink = *static_cast<Sink*>(png_get_io_ptr(png));
  try {
    const auto* const p = reinterpret_cast<const std::byte*>(data);
    sink.bytes.insert(sink.bytes.end(), p, p + size);
  } catch (const std::bad_alloc&) {
    sink.out_of_memory = true;
  }
  if (sink.out_of_memory) png_error(png, "memory");
}
void on_flush(png_structp) {}
void on_error(png_structp png, png_const_charp) {
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

bool write_png(Sink& sink, std::uint32_t rows, std::uint32_t columns, int depth, int colour, int level, bool filter,
               const std::byte* samples, std::size_t stride) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, on_error, on_warning);
  if (png == nullptr) return false;
  png_infop info = png_create_info_struct(png);
  if (info == nullptr || setjmp(png_jmpbuf(png)) != 0) {
    png_destroy_write_struct(&png, info == nullptr ? nullptr : &info);
    return false;
  }
  png_set_write_fn(png, &sink, on_write, on_flush);
  png_set_compression_level(png, level);
  png_set_filter(png, 0, filter ? PNG_FILTER_SUB : PNG_FILTER_NONE);
  png_set_IHDR(png, info, columns, rows, depth, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  if (depth == 16 && std::endian::native == std::endian::little) png_set_swap(png);
  for (std::uint32_t row = 0; row < rows; ++row) {
    png_write_row(png, reinterpret_cast<png_const_bytep>(samples + row * stride));
  }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return true;
}

Result<std::vector<std::byte>> encode(std::uint32_t rows, std::uint32_t columns, std::uint32_t channels, int depth,
                                      std::size_t count, const void* samples, int level) {
  if (rows == 0 || columns == 0 || rows > kMaxExtent || columns > kMaxExtent)
    return fail(Errc::limit_exceeded, "PNG extent");
  if (channels != 1 && channels != 3) return fail(Errc::unsupported, "PNG samples per pixel");
  if (level < 0 || level > 9) return fail(Errc::malformed, "PNG compression level");
  if (count != std::uint64_t{rows} * columns * channels) return fail(Errc::mismatch, "PNG samples");
  Sink sink;
  const std::size_t stride = std::size_t{columns} * channels * static_cast<unsigned>(depth / 8);
  const int colour = channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
  if (!write_png(sink, rows, columns, depth, colour, level, level > 0, static_cast<const std::byte*>(samples),
                 stride)) {
    return sink.out_of_memory ? fail(Errc::out_of_memory, "PNG") : fail(Errc::internal, "PNG encoder");
  }
  return std::move(sink.bytes);
}

}  // namespace

Result<std::vector<std::byte>> encode_png(const Plane8& plane, int level) {
  return encode(plane.rows, plane.columns, plane.samples_per_pixel, 8, plane.samples.size(), plane.samples.data(),
                level);
}

Result<std::vector<std::byte>> encode_png(const Plane16& plane, int level) {
  return encode(plane.rows, plane.columns, 1, 16, plane.samples.size(), plane.samples.data(), level);
}

}  // namespace cairn::codec
