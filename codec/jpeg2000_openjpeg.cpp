// JPEG 2000, and HTJ2K streams outside the guarded profile. Adapter of OpenJPEG 2.5: one thread a frame, strict first.
#include <algorithm>

#include "codec/adapters.h"
#include "codec/assertion_trap.h"
#include "codec/j2k_header.h"
#include "codec/openjpeg_handles.h"

namespace cairn::codec {
namespace {

struct Source {
  Bytes bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T source_read(void* into, OPJ_SIZE_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  const std::size_t n = std::min<std::size_t>(count, source.bytes.size() - source.at);
  if (n == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(into, source.bytes.data() + source.at, n);
  source.at += n;
  return n;
}

OPJ_OFF_T source_skip(OPJ_OFF_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (count < 0) return -1;
  const std::size_t n = std::min<std::size_t>(static_cast<std::size_t>(count), source.bytes.size() - source.at);
  source.at += n;
  return static_cast<OPJ_OFF_T>(n);
}

OPJ_BOOL source_seek(OPJ_OFF_T offset, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (offset < 0 || static_cast<std::size_t>(offset) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<std::size_t>(offset);
  return OPJ_TRUE;
}

/// Everything the guarded step works on; the objects belong to decode_once().
struct Step {
  opj_stream_t* stream;
  opj_codec_t* codec;
  opj_image_t* image;
  bool strict;
  bool good;
};

void decode_step(void* context) {
  auto& job = *static_cast<Step*>(context);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(job.codec, &parameters)) return;
  if (!opj_decoder_set_strict_mode(job.codec, job.strict ? OPJ_TRUE : OPJ_FALSE)) return;
  if (!opj_read_header(job.stream, job.codec, &job.image) || job.image == nullptr) return;
  if (!opj_decode(job.codec, job.stream, job.image)) return;
  job.good = opj_end_decompress(job.codec, job.stream) || !job.strict;
}

OpenJPEGImage decode_once(Bytes codestream, bool strict) {
  Source source{codestream};
  const OpenJPEGStream stream(opj_stream_create(std::size_t{1} << 20, OPJ_TRUE));
  const OpenJPEGCodec codec(opj_create_decompress(OPJ_CODEC_J2K));
  if (!stream || !codec) return nullptr;
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), codestream.size());
  opj_stream_set_read_function(stream.get(), source_read);
  opj_stream_set_skip_function(stream.get(), source_skip);
  opj_stream_set_seek_function(stream.get(), source_seek);
  silence(codec.get());
  Step step{stream.get(), codec.get(), nullptr, strict, false};
  const bool survived = run_trapping_assertions(decode_step, &step);
  OpenJPEGImage image(step.image);
  return survived && step.good ? std::move(image) : nullptr;
}

template <class T>
void store_component(const opj_image_comp_t& c, std::size_t k, const PixelFormat& format, const J2KComponent& coded,
                     std::byte* out) {
  const std::size_t step = format.samples_per_pixel;
  const std::int64_t low = coded.is_signed ? -(std::int64_t{1} << (coded.precision - 1)) : 0;
  const std::int64_t high = (std::int64_t{1} << (coded.precision - (coded.is_signed ? 1 : 0))) - 1;
  for (std::uint32_t row = 0; row < format.rows; ++row) {
    const std::size_t from_row = std::min<std::size_t>(row / coded.dy, c.h - 1);
    const OPJ_INT32* const line = c.data + from_row * c.w;
    std::byte* into = out + (std::size_t{row} * format.columns * step + k) * sizeof(T);
    for (std::uint32_t column = 0; column < format.columns; ++column, into += step * sizeof(T)) {
      const std::size_t from = coded.dx == 1 ? column : std::min<std::size_t>(column / coded.dx, c.w - 1);
      store_le<T>(into, static_cast<T>(std::clamp<std::int64_t>(line[from], low, high)));
    }
  }
}

Result<> store(const opj_image_t& decoded, const PixelFormat& format, const J2KHeader& header,
               std::uint32_t width_bytes, std::byte* into) {
  if (decoded.numcomps != format.samples_per_pixel)
    return fail(Errc::mismatch, "JPEG 2000 decoder gave other components");
  for (std::size_t k = 0; k < decoded.numcomps; ++k) {
    const opj_image_comp_t& c = decoded.comps[k];
    const J2KComponent& coded = header.components[k];
    const std::uint64_t w = (std::uint64_t{format.columns} + coded.dx - 1) / coded.dx;
    const std::uint64_t h = (std::uint64_t{format.rows} + coded.dy - 1) / coded.dy;
    // With an image offset a subsampled component may be one sample narrower.
    if (c.data == nullptr || c.w == 0 || c.h == 0 || c.w > w || c.h > h || c.w + 1 < w || c.h + 1 < h ||
        (coded.dx == 1 && c.w != w) || (coded.dy == 1 && c.h != h)) {
      return fail(Errc::mismatch, "JPEG 2000 decoder gave another extent");
    }
    if (width_bytes == 1) store_component<std::uint8_t>(c, k, format, coded, into);
    if (width_bytes == 2) store_component<std::uint16_t>(c, k, format, coded, into);
    if (width_bytes == 4) store_component<std::uint32_t>(c, k, format, coded, into);
  }
  return outcome::success();
}

/// The transform is undone by the decoder, so its presence means RGB, whatever the tag. Without it, samples are what
/// was coded: YBR when subsampled or tagged so, RGB under a tag that wrongly names a transform.
StreamColour colour_of(const J2KHeader& header) {
  if (header.components.size() != 3) return StreamColour::as_tagged;
  if (header.multi_component_transform) return StreamColour::rgb;
  if (header.components[1].dx > 1 || header.components[1].dy > 1) return StreamColour::ybr;
  return StreamColour::as_tagged;
}

}  // namespace

Result<StreamTraits> decode_jpeg2000(const ForeignJob& job, SampleRoom& room) {
  const PixelFormat& format = job.format;
  const Bytes coded = job.coded;
  const bool allow_partial = job.allow_partial;
  CAIRN_TRY(const Bytes codestream, find_codestream(coded));
  CAIRN_TRY(const J2KHeader header, read_j2k_header(codestream));
  CAIRN_TRYV(check_j2k_format(header, format));
  CAIRN_TRYV(check_j2k_cost(header, codestream, allow_partial));

  StreamTraits image;
  const J2KComponent& component = header.components[0];
  image.precision = component.precision;
  image.width_bytes = component.precision <= 8 ? 1 : component.precision <= 16 ? 2 : 4;
  image.stream_signed = component.is_signed;
  image.lossy = !header.style.reversible;
  image.colour = colour_of(header);
  if (codestream.data() != coded.data()) image.mark(Oddity::jp2_boxes);
  if (component.is_signed != format.is_signed) image.mark(Oddity::sign_differs);

  OpenJPEGImage decoded = decode_once(codestream.first(header.end), true);
  if (!decoded && !header.ends_with_eoc) {
    // Complete but for its last marker?
    std::vector<std::byte> closed(codestream.begin(), codestream.end());
    closed.insert(closed.end(), {std::byte{0xFF}, std::byte{0xD9}});
    decoded = decode_once(closed, true);
    if (decoded) image.mark(Oddity::end_marker_missing);
    if (!decoded && allow_partial) {
      decoded = decode_once(closed, false);
      if (decoded) image.mark(Oddity::partial);
    }
    if (!decoded) return fail(Errc::truncated, "JPEG 2000 stream", codestream.size());
  }
  if (!decoded && allow_partial) {
    decoded = decode_once(codestream.first(header.end), false);
    if (decoded) image.mark(Oddity::partial);
  }
  if (!decoded) return fail(Errc::malformed, "JPEG 2000 stream refused by the decoder", header.first_tile_part);
  CAIRN_TRY(const MutableBytes samples, room.take(samples_per_frame(format) * image.width_bytes));
  CAIRN_TRYV(store(*decoded, format, header, image.width_bytes, samples.data()));
  return image;
}

}  // namespace cairn::codec
