// JPEG baseline of 8 bits, colour as YCbCr 4:2:2. Adapter of libjpeg-turbo's encoder, whose errors leave by longjmp: no
// object with a destructor lives between setjmp and a call that jumps.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <jpeglib.h>

#include "codec/encoders.h"

namespace cairn::codec {
namespace {

struct Writer {
  jpeg_compress_struct cinfo;
  jpeg_error_mgr errors;
  std::jmp_buf escape;
  unsigned char* bytes;  ///< of malloc, as jpeg_mem_dest wants it
  unsigned long size;
  const CodingInput* input;
  std::uint16_t* patterns;  ///< room for a row
  JSAMPLE* row;             ///< the same in 8 bits
  int quality;
  bool rgb;
};

void on_error(j_common_ptr c) {
  std::longjmp(static_cast<Writer*>(c->client_data)->escape, 1);
}
void on_message(j_common_ptr, int) {}
void on_output(j_common_ptr) {}

bool compress(Writer& w) {
  if (setjmp(w.escape) != 0) {
    jpeg_destroy_compress(&w.cinfo);
    return false;
  }
  jpeg_create_compress(&w.cinfo);
  jpeg_mem_dest(&w.cinfo, &w.bytes, &w.size);
  const bool colour = w.input->components == 3;
  w.cinfo.image_width = w.input->columns;
  w.cinfo.image_height = w.input->rows;
  w.cinfo.input_components = static_cast<int>(w.input->components);
  w.cinfo.in_color_space = !colour ? JCS_GRAYSCALE : w.rgb ? JCS_RGB : JCS_YCbCr;
  jpeg_set_defaults(&w.cinfo);
  jpeg_set_quality(&w.cinfo, w.quality, TRUE);
  if (colour) {
    w.cinfo.comp_info[0].h_samp_factor = 2;
    w.cinfo.comp_info[0].v_samp_factor = 1;
  }
  w.cinfo.optimize_coding = TRUE;
  jpeg_start_compress(&w.cinfo, TRUE);
  const std::size_t n = w.input->line_samples();
  while (w.cinfo.next_scanline < w.cinfo.image_height) {
    load_patterns(*w.input, w.cinfo.next_scanline, w.patterns);
    for (std::size_t i = 0; i < n; ++i) w.row[i] = static_cast<JSAMPLE>(w.patterns[i]);
    jpeg_write_scanlines(&w.cinfo, &w.row, 1);
  }
  jpeg_finish_compress(&w.cinfo);
  jpeg_destroy_compress(&w.cinfo);
  return true;
}

}  // namespace

Result<Coded> encode_jpeg_baseline(const CodingInput& input, int quality, bool rgb) {
  if (input.rows > JPEG_MAX_DIMENSION || input.columns > JPEG_MAX_DIMENSION)
    return fail(Errc::unsupported, "JPEG extent past 65500");
  std::vector<std::uint16_t> patterns(input.line_samples());
  std::vector<JSAMPLE> row(input.line_samples());
  Writer w{};
  w.input = &input;
  w.patterns = patterns.data();
  w.row = row.data();
  w.quality = quality;
  w.rgb = rgb;
  w.cinfo.err = jpeg_std_error(&w.errors);
  w.cinfo.client_data = &w;
  w.errors.error_exit = on_error;
  w.errors.emit_message = on_message;
  w.errors.output_message = on_output;
  const bool good = compress(w);
  const std::unique_ptr<unsigned char, void (*)(void*)> owner(w.bytes, std::free);
  if (!good) return fail(Errc::internal, "JPEG encoder");
  const auto* const p = reinterpret_cast<const std::byte*>(w.bytes);
  return Coded(p, p + w.size);
}

}  // namespace cairn::codec
