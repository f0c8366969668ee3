// How fast is each decoder of codec on one core, on a synthetic CT slice (512 x 512, 12 bits in 16, noise of a real
// one)? Bytes per second are of decoded samples. Each stream is checked against its samples before it is timed.
#include <cmath>
#include <random>

#include <benchmark/benchmark.h>

#include "codec/decode.h"
#include "codec/image.h"
#include "codec/voi.h"
#include "tests/unit/codec/encoders.h"
#include "tests/unit/codec/jpeg_ls_encoder.h"
#include "tests/unit/codec/jpeg_writer.h"

namespace {

using namespace cairn;
using namespace cairn::codec;

constexpr std::uint32_t kSide = 512;

const codec::test::Samples& slice() {
  static const codec::test::Samples kSlice = [] {
    std::mt19937 random(7);
    std::normal_distribution<double> noise(0, 9);
    codec::test::Samples s(kSide * kSide);
    for (std::uint32_t r = 0; r < kSide; ++r) {
      for (std::uint32_t c = 0; c < kSide; ++c) {
        const double x = (c - 256.0) / 200;
        const double y = (r - 256.0) / 150;
        const double body = x * x + y * y < 1 ? 1024 + 120 * std::sin(9 * x) * std::cos(7 * y) : 24;
        s[r * kSide + c] = std::clamp(static_cast<int>(std::lround(body + noise(random))), 0, 4095);
      }
    }
    return s;
  }();
  return kSlice;
}

std::vector<std::byte> rle(const codec::test::Samples& s) {
  std::vector<std::byte> out(64);
  store_le<std::uint32_t>(out.data(), 2);
  for (unsigned plane = 0; plane < 2; ++plane) {
    store_le<std::uint32_t>(out.data() + 4 + 4 * plane, static_cast<std::uint32_t>(out.size()));
    const auto byte = [&](std::size_t i) { return static_cast<std::byte>(s[i] >> (plane == 0 ? 8 : 0)); };
    for (std::size_t i = 0; i < s.size();) {
      std::size_t run = 1;
      while (i + run < s.size() && run < 128 && byte(i + run) == byte(i)) ++run;
      if (run >= 3) {
        out.push_back(static_cast<std::byte>(257 - run));
        out.push_back(byte(i));
        i += run;
        continue;
      }
      const std::size_t begin = i;
      while (i < s.size() && i - begin < 128 && !(i + 2 < s.size() && byte(i) == byte(i + 1) && byte(i) == byte(i + 2)))
        ++i;
      out.push_back(static_cast<std::byte>(i - begin - 1));
      for (std::size_t k = begin; k < i; ++k) out.push_back(byte(k));
    }
  }
  return out;
}

void decode(benchmark::State& state, std::string_view uid, const std::vector<std::byte>& coded) {
  PixelFormat format;
  format.rows = format.columns = kSide;
  format.bits_allocated = 16;
  format.bits_stored = 12;
  const TransferSyntax& syntax = *find_transfer_syntax(uid);
  const auto first = decode_frame(syntax, format, coded);
  bool right = first.has_value();
  for (std::size_t i = 0; right && i < slice().size(); ++i) {
    right = load_le<std::uint16_t>(first.value().samples.data() + 2 * i) == slice()[i];
  }
  if (!right) {
    state.SkipWithError("wrong samples");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(decode_frame(syntax, format, coded));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(slice().size() * 2));
  state.counters["ratio"] = static_cast<double>(slice().size() * 2) / static_cast<double>(coded.size());
}

const codec::test::J2KOptions kOptions{.rows = kSide, .columns = kSide, .precision = 12, .levels = 5};

void decode_htj2k(benchmark::State& s) {
  decode(s, uids::kHTJ2KLosslessRPCL, codec::test::encode_htj2k(kOptions, slice()));
}
void decode_jpeg2000(benchmark::State& s) {
  decode(s, uids::kJPEG2000Lossless, codec::test::encode_j2k(kOptions, slice()));
}
void decode_jpeg_lossless(benchmark::State& s) {
  const std::vector<std::uint16_t> samples(slice().begin(), slice().end());
  decode(s, uids::kJPEGLosslessSV1,
         codec::test::write_jpeg_lossless({.rows = kSide, .columns = kSide, .precision = 12}, samples));
}
void decode_jpeg_ls(benchmark::State& s) {
  decode(s, uids::kJPEGLSLossless, codec::test::encode_jpeg_ls(slice(), kSide, kSide, 1, 12));
}
void decode_rle(benchmark::State& s) {
  decode(s, uids::kRLELossless, rle(slice()));
}
void decode_native(benchmark::State& s) {
  std::vector<std::byte> raw(slice().size() * 2);
  for (std::size_t i = 0; i < slice().size(); ++i)
    store_le<std::uint16_t>(raw.data() + 2 * i, static_cast<std::uint16_t>(slice()[i]));
  decode(s, uids::kExplicitVRLittleEndian, raw);
}

std::vector<std::uint8_t> rendered() {
  const std::vector<float> values(slice().begin(), slice().end());
  std::vector<std::uint8_t> out(values.size());
  apply_voi(Window{1024, 400, VOIFunction::linear}, values, out);
  return out;
}

void window_slice(benchmark::State& state) {
  const std::vector<float> values(slice().begin(), slice().end());
  std::vector<std::uint8_t> out(values.size());
  const Window window{1024, 400, static_cast<VOIFunction>(state.range(0))};
  for (auto _ : state) {
    apply_voi(window, values, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
}
void encode_png_level(benchmark::State& state) {
  const auto samples = rendered();
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = encode_png(Plane8{kSide, kSide, 1, samples}, static_cast<int>(state.range(0))).value().size();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(samples.size()));
  state.counters["bytes"] = static_cast<double>(bytes);
}
void encode_jpeg_quality(benchmark::State& state) {
  const auto samples = rendered();
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = encode_jpeg(Plane8{kSide, kSide, 1, samples}, static_cast<int>(state.range(0))).value().size();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(samples.size()));
  state.counters["bytes"] = static_cast<double>(bytes);
}

BENCHMARK(decode_htj2k);
BENCHMARK(decode_jpeg2000);
BENCHMARK(decode_jpeg_lossless);
BENCHMARK(decode_jpeg_ls);
BENCHMARK(decode_rle);
BENCHMARK(decode_native);
BENCHMARK(window_slice)->Arg(0)->Arg(1)->Arg(2);
BENCHMARK(encode_png_level)->Arg(1)->Arg(6);
BENCHMARK(encode_jpeg_quality)->Arg(75)->Arg(90);

}  // namespace
