// HTJ2K, lossless, in RPCL order with a tile-part for each resolution and TLM (PS3.5 §10.18). Adapter of OpenJPH's
// encoder; version 0.9 writes one tile-part and no TLM, which htj2k_tile_parts.cpp mends.
#include <algorithm>
#include <bit>
#include <exception>
#include <new>

#include <openjph/ojph_arch.h>
#include <openjph/ojph_base.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include "codec/assertion_trap.h"
#include "codec/encoders.h"
#include "codec/htj2k_tile_parts.h"

namespace cairn::codec {
namespace {

constexpr unsigned kUsualLevels = 5;
constexpr unsigned kMaxBase = 64;  // of the width or height of the lowest resolution

class Sink final : public ojph::outfile_base {
 public:
  std::size_t write(const void* data, std::size_t size) override {
    const auto* const p = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), p, p + size);
    return size;
  }
  ojph::si64 tell() override { return static_cast<ojph::si64>(bytes.size()); }

  Coded bytes;
};

/// Halvings of the shorter side until at most 64 remain, and some more where at least two remain: OpenJPH 0.9 makes
/// streams of other samples where the lowest resolution is a single row or column.
unsigned levels_of(const CodingInput& input) {
  const std::uint32_t side = std::min(input.rows, input.columns);
  const unsigned most = side < 2 ? 0 : static_cast<unsigned>(std::bit_width(side)) - 2;  // side >= 2 << most
  unsigned levels = std::min(most, kUsualLevels);
  while (((side - 1) >> levels) + 1 > kMaxBase) ++levels;
  return levels;
}

struct Job {
  ojph::codestream* stream;
  Sink* sink;
  const CodingInput* input;
  std::int32_t* line;
  bool transform;
  Errc cause;
  bool good;
};

void push_lines(Job& job) {
  const CodingInput& input = *job.input;
  ojph::ui32 component = 0;
  ojph::line_buf* line = job.stream->exchange(nullptr, component);
  for (std::uint32_t row = 0; row < input.rows; ++row) {
    if (input.components == 1) {  // component 0 always
      load_values(input, row, line->i32);
      line = job.stream->exchange(line, component);
      continue;
    }
    load_values(input, row, job.line);
    for (std::size_t k = 0; k < input.components; ++k) {
      const std::int32_t* const from = job.line + component;
      for (std::size_t x = 0; x < input.columns; ++x) line->i32[x] = from[x * input.components];
      line = job.stream->exchange(line, component);
    }
  }
}

void encode_step(void* context) {
  auto& job = *static_cast<Job*>(context);
  const CodingInput& input = *job.input;
  try {
    ojph::param_siz siz = job.stream->access_siz();
    siz.set_image_extent(ojph::point(input.columns, input.rows));
    siz.set_num_components(input.components);
    for (ojph::ui32 k = 0; k < input.components; ++k)
      siz.set_component(k, ojph::point(1, 1), input.precision, input.is_signed);
    ojph::param_cod cod = job.stream->access_cod();
    cod.set_reversible(true);
    cod.set_num_decomposition(levels_of(input));
    cod.set_progression_order("RPCL");
    cod.set_color_transform(job.transform);
    job.stream->set_planar(false);
    job.stream->write_headers(job.sink);
    push_lines(job);
    job.stream->flush();
    job.good = true;
  } catch (const std::bad_alloc&) {
    job.cause = Errc::out_of_memory;
  } catch (const std::exception&) {
    job.cause = Errc::internal;
  } catch (const char*) {  // what its allocator throws
    job.cause = Errc::out_of_memory;
  }
}

}  // namespace

Result<Coded> encode_htj2k(const CodingInput& input, bool transform) {
  std::vector<std::int32_t> line(input.line_samples());
  Sink sink;
  sink.bytes.reserve(input.samples.size() / 2 + 4096);
  {
    ojph::codestream stream;
    Job job{&stream, &sink, &input, line.data(), transform, Errc::internal, false};
    const bool survived = run_trapping_assertions(encode_step, &job);
    if (survived) stream.close();
    if (!survived || !job.good) return fail(job.cause, "HTJ2K encoder");
  }
  return add_tile_parts(sink.bytes);
}

}  // namespace cairn::codec
