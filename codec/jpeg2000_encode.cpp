// JPEG 2000, one tile, one layer, LRCP: reversible, or irreversible to a ratio. Adapter of OpenJPEG's encoder.
#include <algorithm>
#include <bit>
#include <cstring>

#include "codec/assertion_trap.h"
#include "codec/encoders.h"
#include "codec/openjpeg_handles.h"

namespace cairn::codec {
namespace {

constexpr unsigned kMaxLevels = 5;

struct Sink {
  Coded bytes;
  std::size_t at = 0;
  bool full = false;  ///< out of memory: no exception may pass the library

  bool reach(std::size_t end) noexcept {
    try {
      if (bytes.size() < end) bytes.resize(end);
      return true;
    } catch (const std::bad_alloc&) {
      full = true;
      return false;
    }
  }
};

OPJ_SIZE_T sink_write(void* from, OPJ_SIZE_T count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (!sink.reach(sink.at + count)) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(sink.bytes.data() + sink.at, from, count);
  sink.at += count;
  return count;
}
OPJ_OFF_T sink_skip(OPJ_OFF_T count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (count < 0 || !sink.reach(sink.at + static_cast<std::size_t>(count))) return -1;
  sink.at += static_cast<std::size_t>(count);
  return count;
}
OPJ_BOOL sink_seek(OPJ_OFF_T offset, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (offset < 0 || !sink.reach(static_cast<std::size_t>(offset))) return OPJ_FALSE;
  sink.at = static_cast<std::size_t>(offset);
  return OPJ_TRUE;
}

OpenJPEGImage image_of(const CodingInput& input) {
  std::vector<opj_image_cmptparm_t> components(input.components);
  for (auto& c : components) {
    c = {};
    c.dx = c.dy = 1;
    c.w = input.columns;
    c.h = input.rows;
    c.prec = input.precision;
    c.sgnd = input.is_signed ? 1 : 0;
  }
  OpenJPEGImage image(
      opj_image_create(input.components, components.data(), input.components == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY));
  if (!image) return image;
  image->x1 = input.columns;
  image->y1 = input.rows;
  std::vector<std::int32_t> line(input.line_samples());
  for (std::uint32_t row = 0; row < input.rows; ++row) {
    load_values(input, row, line.data());
    for (std::size_t k = 0; k < input.components; ++k) {
      OPJ_INT32* const into = image->comps[k].data + std::size_t{row} * input.columns;
      for (std::size_t x = 0; x < input.columns; ++x) into[x] = line[x * input.components + k];
    }
  }
  return image;
}

struct Job {
  opj_codec_t* codec;
  opj_image_t* image;
  opj_stream_t* stream;
  opj_cparameters_t parameters;
  bool good;
};

void encode_step(void* context) {
  auto& job = *static_cast<Job*>(context);
  job.good = opj_setup_encoder(job.codec, &job.parameters, job.image) &&
             opj_start_compress(job.codec, job.image, job.stream) && opj_encode(job.codec, job.stream) &&
             opj_end_compress(job.codec, job.stream);
}

}  // namespace

Result<Coded> encode_jpeg2000(const CodingInput& input, bool transform, double ratio) {
  const OpenJPEGImage image = image_of(input);
  const OpenJPEGCodec codec(opj_create_compress(OPJ_CODEC_J2K));
  const OpenJPEGStream stream(opj_stream_create(std::size_t{1} << 16, OPJ_FALSE));
  if (!image || !codec || !stream) return fail(Errc::out_of_memory, "JPEG 2000 encoder");
  silence(codec.get());
  Sink sink;
  opj_stream_set_user_data(stream.get(), &sink, nullptr);
  opj_stream_set_write_function(stream.get(), sink_write);
  opj_stream_set_skip_function(stream.get(), sink_skip);
  opj_stream_set_seek_function(stream.get(), sink_seek);

  Job job{codec.get(), image.get(), stream.get(), {}, false};
  opj_cparameters_t& p = job.parameters;
  opj_set_default_encoder_parameters(&p);
  p.tcp_numlayers = 1;
  p.cp_disto_alloc = 1;
  p.tcp_rates[0] = ratio > 1 ? static_cast<float>(ratio) : 0;  // 0 keeps everything
  p.irreversible = ratio > 1 ? 1 : 0;
  p.tcp_mct = transform ? 1 : 0;
  // No more resolutions than the shorter side can be halved.
  const auto halvings = static_cast<unsigned>(std::bit_width(std::min(input.rows, input.columns)) - 1);
  p.numresolution = static_cast<int>(std::min(halvings, kMaxLevels) + 1);
  const bool survived = run_trapping_assertions(encode_step, &job);
  if (sink.full) return fail(Errc::out_of_memory, "JPEG 2000 stream");
  if (!survived || !job.good) return fail(Errc::internal, "JPEG 2000 encoder");
  return std::move(sink.bytes);
}

}  // namespace cairn::codec
