// Streams made by foreign encoders for tests: JPEG 2000 (OpenJPEG), HTJ2K (OpenJPH).
#pragma once

#if __has_include(<openjpeg.h>)
#include <openjpeg.h>
#else
#include <openjpeg-2.5/openjpeg.h>
#endif
#include <cstdint>
#include <cstring>
#include <vector>

#include <openjph/ojph_arch.h>
#include <openjph/ojph_base.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include "engine/core/bytes.h"

namespace cairn::codec::test {

using Samples = std::vector<std::int32_t>;  ///< row by row, colour by pixel

struct J2KOptions {
  std::uint32_t rows = 0, columns = 0, components = 1;
  unsigned precision = 8;
  bool is_signed = false;
  bool transform = false;
  bool jp2 = false;
  unsigned levels = 3;
  std::uint32_t chroma_dx = 1;
};

inline std::vector<std::byte> encode_j2k(const J2KOptions& o, const Samples& samples) {
  std::vector<opj_image_cmptparm_t> comps(o.components);
  for (std::size_t k = 0; k < o.components; ++k) {
    comps[k] = {};
    comps[k].dx = k == 0 ? 1 : o.chroma_dx;
    comps[k].dy = 1;
    comps[k].w = (o.columns + comps[k].dx - 1) / comps[k].dx;
    comps[k].h = o.rows;
    comps[k].prec = o.precision;
    comps[k].sgnd = o.is_signed ? 1u : 0u;
  }
  opj_image_t* image =
      opj_image_create(o.components, comps.data(), o.components == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
  image->x1 = o.columns;
  image->y1 = o.rows;
  for (std::size_t k = 0; k < o.components; ++k) {
    for (std::uint32_t r = 0; r < o.rows; ++r) {
      for (std::uint32_t c = 0; c < comps[k].w; ++c) {
        image->comps[k].data[std::size_t{r} * comps[k].w + c] =
            samples[(std::size_t{r} * o.columns + std::size_t{c} * comps[k].dx) * o.components + k];
      }
    }
  }
  opj_cparameters_t p;
  opj_set_default_encoder_parameters(&p);
  p.tcp_numlayers = 1;
  p.cp_disto_alloc = 1;
  p.numresolution = static_cast<int>(o.levels + 1);
  p.tcp_mct = o.transform ? 1 : 0;
  opj_codec_t* codec = opj_create_compress(o.jp2 ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
  opj_setup_encoder(codec, &p, image);
  struct Sink {
    std::vector<std::byte> bytes;
    std::size_t at = 0;
  } sink;
  opj_stream_t* stream = opj_stream_create(1 << 16, OPJ_FALSE);
  opj_stream_set_user_data(stream, &sink, nullptr);
  opj_stream_set_write_function(stream, [](void* data, OPJ_SIZE_T n, void* user) -> OPJ_SIZE_T {
    auto& s = *static_cast<Sink*>(user);
    if (s.bytes.size() < s.at + n) s.bytes.resize(s.at + n);
    std::memcpy(s.bytes.data() + s.at, data, n);
    s.at += n;
    return n;
  });
  opj_stream_set_seek_function(stream, [](OPJ_OFF_T at, void* user) -> OPJ_BOOL {
    static_cast<Sink*>(user)->at = static_cast<std::size_t>(at);
    return OPJ_TRUE;
  });
  opj_stream_set_skip_function(stream, [](OPJ_OFF_T n, void* user) -> OPJ_OFF_T {
    auto& s = *static_cast<Sink*>(user);
    s.at += static_cast<std::size_t>(n);
    if (s.bytes.size() < s.at) s.bytes.resize(s.at);
    return n;
  });
  const bool good =
      opj_start_compress(codec, image, stream) && opj_encode(codec, stream) && opj_end_compress(codec, stream);
  opj_stream_destroy(stream);
  opj_destroy_codec(codec);
  opj_image_destroy(image);
  return good ? sink.bytes : std::vector<std::byte>{};
}

inline std::vector<std::byte> encode_htj2k(const J2KOptions& o, const Samples& samples) {
  ojph::mem_outfile file;
  file.open();
  ojph::codestream stream;
  ojph::param_siz siz = stream.access_siz();
  siz.set_image_extent(ojph::point(o.columns, o.rows));
  siz.set_num_components(o.components);
  for (std::uint32_t k = 0; k < o.components; ++k) siz.set_component(k, ojph::point(1, 1), o.precision, o.is_signed);
  ojph::param_cod cod = stream.access_cod();
  cod.set_reversible(true);
  cod.set_num_decomposition(o.levels);
  cod.set_progression_order("RPCL");
  cod.set_color_transform(o.transform);
  stream.set_planar(false);
  stream.write_headers(&file);
  ojph::ui32 component = 0;
  ojph::line_buf* line = stream.exchange(nullptr, component);
  for (std::uint32_t r = 0; r < o.rows; ++r) {
    for (std::uint32_t k = 0; k < o.components; ++k) {
      for (std::uint32_t c = 0; c < o.columns; ++c) {
        line->i32[c] = samples[(std::size_t{r} * o.columns + c) * o.components + component];
      }
      line = stream.exchange(line, component);
    }
  }
  stream.flush();
  const auto* const p = reinterpret_cast<const std::byte*>(file.get_data());
  std::vector<std::byte> out(p, p + file.tell());
  stream.close();
  return out;
}

}  // namespace cairn::codec::test
