// Adapter of libjpeg-turbo's encoder, whose errors leave by longjmp: no object with a destructor lives between setjmp
// and a call that jumps.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "codec/image.h"

namespace cairn::codec {
namespace {

constexpr std::uint32_t kMaxExtent = 65500;  // JPEG_MAX_DIMENSION

struct Writer {
  jpeg_compress_struct cinfo;
  jpeg_error_mgr errors;
  std::jmp_buf escape;
  unsigned char* bytes;  ///< of malloc, as jpeg_mem_dest wants it
  unsigned long size;
};

void on_error(j_common_ptr c) {
  std::longjmp(static_cast<Writer*>(c->client_data)->escape, 1);
}
void on_message(j_common_ptr, int) {}
void on_output(j_common_ptr) {}

bool compress(Writer& w, const Plane8& plane, int quality, Chroma chroma) {
  if (setjmp(w.escape) != 0) {
    jpeg_destroy_compress(&w.cinfo);
    return false;
  }
  jpeg_create_compress(&w.cinfo);
  jpeg_mem_dest(&w.cinfo, &w.bytes, &w.size);
  w.cinfo.image_width = plane.columns;
  w.cinfo.image_height = plane.rows;
  w.cinfo.input_components = static_cast<int>(plane.samples_per_pixel);
  w.cinfo.in_color_space = plane.samples_per_pixel == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&w.cinfo);
  jpeg_set_quality(&w.cinfo, quality, TRUE);
  if (plane.samples_per_pixel == 3) {
    w.cinfo.comp_info[0].h_samp_factor = chroma == Chroma::half_420 ? 2 : 1;
    w.cinfo.comp_info[0].v_samp_factor = chroma == Chroma::half_420 ? 2 : 1;
  }
  jpeg_start_compress(&w.cinfo, TRUE);
  const std::size_t stride = std::size_t{plane.columns} * plane.samples_per_pixel;
  while (w.cinfo.next_scanline < w.cinfo.image_height) {
    auto* row = const_cast<JSAMPROW>(plane.samples.data() + w.cinfo.next_scanline * stride);  // read only
    jpeg_write_scanlines(&w.cinfo, &row, 1);
  }
  jpeg_finish_compress(&w.cinfo);
  jpeg_destroy_compress(&w.cinfo);
  return true;
}

}  // namespace

Result<std::vector<std::byte>> encode_jpeg(const Plane8& plane, int quality, Chroma chroma) {
  if (plane.rows == 0 || plane.columns == 0 || plane.rows > kMaxExtent || plane.columns > kMaxExtent) {
    return fail(Errc::limit_exceeded, "JPEG extent");
  }
  if (plane.samples_per_pixel != 1 && plane.samples_per_pixel != 3)
    return fail(Errc::unsupported, "JPEG samples per pixel");
  if (plane.samples.size() != std::uint64_t{plane.rows} * plane.columns * plane.samples_per_pixel) {
    return fail(Errc::mismatch, "JPEG samples");
  }
  if (quality < 1 || quality > 100) return fail(Errc::malformed, "JPEG quality");
  Writer w{};
  w.cinfo.err = jpeg_std_error(&w.errors);
  w.cinfo.client_data = &w;
  w.errors.error_exit = on_error;
  w.errors.emit_message = on_message;
  w.errors.output_message = on_output;
  if (!compress(w, plane, quality, chroma)) {
    std::free(w.bytes);
    return fail(Errc::internal, "JPEG encoder");
  }
  const auto* const p = reinterpret_cast<const std::byte*>(w.bytes);
  std::vector<std::byte> out(p, p + w.size);
  std::free(w.bytes);
  return out;
}

}  // namespace cairn::codec
