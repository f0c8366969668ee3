// JPEG baseline, extended and progressive DCT of 8 bits. Adapter of libjpeg-turbo through its libjpeg interface, whose
// errors leave by longjmp: no object with a destructor lives between setjmp and the call that may jump.
#include <csetjmp>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>

#include "codec/adapters.h"
#include "codec/jpeg_markers.h"

namespace cairn::codec {
namespace {

constexpr std::uint32_t kMaxScans = 500;
constexpr std::uint64_t kMaxScanSamples = std::uint64_t{1} << 34;  // scans times samples: what a scan bomb costs

struct Reader {
  jpeg_decompress_struct cinfo;
  jpeg_error_mgr errors;
  jpeg_source_mgr source;
  std::jmp_buf escape;
  const JOCTET* begin;
  std::size_t size;
  J_COLOR_SPACE colour;
  std::byte* out;
  std::size_t stride;
  bool damaged;
  bool rows_complete;
};

Reader& reader_of(j_common_ptr c) {
  return *static_cast<Reader*>(c->client_data);
}

void on_error(j_common_ptr c) {
  std::longjmp(reader_of(c).escape, 1);
}

void on_message(j_common_ptr c, int level) {
  if (level >= 0) return;
  switch (c->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_JPEG_EOF:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      reader_of(c).damaged = true;
      break;
    default:
      break;  // extraneous bytes, odd spectral bounds and the like
  }
}

void on_output(j_common_ptr) {}

void source_nothing(j_decompress_ptr) {}

boolean source_end(j_decompress_ptr c) {
  static constexpr JOCTET kEOI[2] = {0xFF, JPEG_EOI};
  c->src->next_input_byte = kEOI;
  c->src->bytes_in_buffer = 2;
  return TRUE;
}

void source_skip(j_decompress_ptr c, long count) {
  if (count <= 0) return;
  const auto n = static_cast<std::size_t>(count);
  if (n > c->src->bytes_in_buffer) {
    source_end(c);
    return;
  }
  c->src->next_input_byte += n;
  c->src->bytes_in_buffer -= n;
}

/// False when the library gave up. Everything it allocated is freed.
bool decompress(Reader& r) {
  if (setjmp(r.escape) != 0) {
    jpeg_destroy_decompress(&r.cinfo);
    return false;
  }
  jpeg_create_decompress(&r.cinfo);
  r.cinfo.src = &r.source;
  jpeg_read_header(&r.cinfo, TRUE);
  if (r.cinfo.num_components == 3) r.cinfo.jpeg_color_space = r.colour;
  r.cinfo.out_color_space = r.cinfo.jpeg_color_space;  // samples as stored
  r.cinfo.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&r.cinfo);
  while (r.cinfo.output_scanline < r.cinfo.output_height) {
    auto* row = reinterpret_cast<JSAMPROW>(r.out + r.stride * r.cinfo.output_scanline);
    jpeg_read_scanlines(&r.cinfo, &row, 1);
  }
  r.rows_complete = true;
  jpeg_finish_decompress(&r.cinfo);
  jpeg_destroy_decompress(&r.cinfo);
  return true;
}

/// Order of trust: Adobe's transform flag, JFIF, component names, subsampling, then the tag.
StreamColour colour_of(const JPEGHeader& header, const PixelFormat& format) {
  if (header.component_count != 3) return StreamColour::as_tagged;
  if (header.adobe) return header.adobe_transform == 0 ? StreamColour::rgb : StreamColour::ybr;
  if (header.jfif) return StreamColour::ybr;
  const auto& c = header.components;
  if (c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B') return StreamColour::rgb;
  if (c[0].horizontal > c[1].horizontal || c[0].vertical > c[1].vertical) return StreamColour::ybr;
  return format.photometric == "RGB" ? StreamColour::rgb : StreamColour::ybr;
}

}  // namespace

Result<StreamTraits> decode_jpeg_8bit(const ForeignJob& job, SampleRoom& room) {
  const PixelFormat& format = job.format;
  const Bytes coded = job.coded;
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(coded, kMaxScans));
  if (header.rows != format.rows || header.columns != format.columns) {
    return fail(Errc::mismatch, "JPEG extent is not Rows x Columns");
  }
  if (header.component_count != format.samples_per_pixel)
    return fail(Errc::mismatch, "JPEG components are not Samples per Pixel");
  if (header.scans * samples_per_frame(format) > kMaxScanSamples)
    return fail(Errc::limit_exceeded, "JPEG scans times samples");

  StreamTraits image;
  image.precision = 8;
  image.lossy = true;
  image.colour = colour_of(header, format);
  if (!header.has_eoi) image.mark(Oddity::end_marker_missing);
  CAIRN_TRY(const MutableBytes samples, room.take(samples_per_frame(format)));

  Reader r{};
  r.begin = reinterpret_cast<const JOCTET*>(coded.data());
  r.size = header.end;
  r.out = samples.data();
  r.stride = std::size_t{format.columns} * format.samples_per_pixel;
  r.colour = image.colour == StreamColour::rgb ? JCS_RGB : JCS_YCbCr;
  r.cinfo.err = jpeg_std_error(&r.errors);
  r.cinfo.client_data = &r;
  r.errors.error_exit = on_error;
  r.errors.emit_message = on_message;
  r.errors.output_message = on_output;
  r.source.init_source = source_nothing;
  r.source.fill_input_buffer = source_end;
  r.source.skip_input_data = source_skip;
  r.source.resync_to_restart = jpeg_resync_to_restart;
  r.source.term_source = source_nothing;
  r.source.next_input_byte = r.begin;
  r.source.bytes_in_buffer = r.size;
  const bool finished = decompress(r);
  const auto consumed = r.source.next_input_byte - r.begin;
  const std::uint64_t offset =
      consumed >= 0 && static_cast<std::size_t>(consumed) <= r.size ? static_cast<std::uint64_t>(consumed) : r.size;
  if (!finished && !(r.rows_complete && job.allow_partial))
    return fail(Errc::malformed, "JPEG stream refused by the decoder", offset);
  if (r.damaged) {
    if (!job.allow_partial) return fail(Errc::malformed, "JPEG entropy-coded data damaged or truncated", offset);
    image.mark(Oddity::partial);
  }
  return image;
}

}  // namespace cairn::codec
