// How fast is each coding on one core, beside the libraries' own, on real frames (CT, MR, radiograph, ultrasound)?
// Bytes per second are of samples, CPU time; `ratio` is samples to coded bytes. Each stream is checked against its
// samples before it is timed. Rows that name a library call it without us: CharLS, OpenJPH, OpenJPEG, DCMTK. Encoding
// is timed without the verification that is on by default; "verified" is with it. Without the data folder a synthetic
// CT slice stands in. What windows and pictures cost is at the end. "decode apart" is through a decoder process, as the
// server does it with foreign libraries; ours stay where they are called. Its `cpu_ms` is of both processes.
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include <benchmark/benchmark.h>
#include <charls/charls.h>
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dcrlerp.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrplol.h>
#include <unistd.h>

#include "codec/encode.h"
#include "codec/frame_index.h"
#include "codec/image.h"
#include "codec/voi.h"
#include "engine/sandbox/decoder_processes.h"
#include "engine/sandbox/zygote.h"
#include "tests/unit/codec/encoders.h"
#include "tests/unit/codec/test_dataset.h"

namespace {

using namespace cairn;
using namespace cairn::codec;

struct Image {
  std::string name;
  PixelFormat format;
  std::vector<std::byte> samples;
};

Image synthetic() {
  constexpr std::uint32_t kSide = 512;
  Image image{"synthetic", {}, {}};
  image.format.rows = image.format.columns = kSide;
  image.format.bits_allocated = 16;
  image.format.bits_stored = 12;
  image.format.high_bit = 11;
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0, 9);
  image.samples.resize(std::size_t{kSide} * kSide * 2);
  for (std::uint32_t r = 0; r < kSide; ++r) {
    for (std::uint32_t c = 0; c < kSide; ++c) {
      const double x = (c - 256.0) / 200;
      const double y = (r - 256.0) / 150;
      const double body = x * x + y * y < 1 ? 1024 + 120 * std::sin(9 * x) * std::cos(7 * y) : 24;
      const int v = std::clamp(static_cast<int>(std::lround(body + noise(random))), 0, 4095);
      store_le<std::uint16_t>(image.samples.data() + 2 * (std::size_t{r} * kSide + c), static_cast<std::uint16_t>(v));
    }
  }
  return image;
}

/// The first frame of a file.
bool load(const std::string& name, const std::filesystem::path& path, std::vector<Image>& images) {
  if (!std::filesystem::exists(path)) return false;
  codec::test::Dataset d = codec::test::read_dataset(path);
  const TransferSyntax* const syntax = find_transfer_syntax(d.syntax_uid);
  SpanSource source(d.bytes);
  const auto index = FrameIndex::build(source, d.pixels, *syntax, d.format);
  if (!index.has_value()) return false;
  auto frame = decode_frame(*syntax, d.format, index.value().read(source, 0).value());
  if (!frame.has_value()) return false;
  images.push_back({name, decoded_format(d.format, frame.value()), std::move(frame.value().samples)});
  return true;
}

const std::vector<Image>& images() {
  static const std::vector<Image> kImages = [] {
    std::vector<Image> out{synthetic()};
    const auto data = codec::test::data_dir();
    load("CT1", data / "syntaxes/htj2k-nema/CT1_unc.dcm", out);
    load("MR4", data / "syntaxes/htj2k-nema/MR4_unc.dcm", out);
    load("CR", data / "modalities/cr-dx/cr_chest_mono1.dcm", out);
    load("US1", data / "syntaxes/htj2k-nema/US1_unc.dcm", out);
    return out;
  }();
  return kImages;
}

void report(benchmark::State& state, const Image& image, std::size_t coded_bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(image.samples.size()));
  state.counters["ratio"] = static_cast<double>(image.samples.size()) / static_cast<double>(coded_bytes);
}

// --- ours ---

void encode(benchmark::State& state, const Image& image, std::string_view uid, bool verify) {
  EncodeOptions options;
  options.verify = true;
  const auto checked = plan_encoding(*find_transfer_syntax(uid), image.format, options);
  if (!checked.has_value()) return state.SkipWithError(checked.error().where);
  const auto first = encode_frame(checked.value(), image.samples);
  if (!first.has_value()) return state.SkipWithError(first.error().where);
  Encoding plan = checked.value();
  plan.options.verify = verify;
  for (auto _ : state) benchmark::DoNotOptimize(encode_frame(plan, image.samples));
  report(state, image, first.value().bytes.size());
}

void decode(benchmark::State& state, const Image& image, std::string_view uid) {
  const TransferSyntax& syntax = *find_transfer_syntax(uid);
  const auto plan = plan_encoding(syntax, image.format);
  if (!plan.has_value()) return state.SkipWithError(plan.error().where);
  const auto coded = encode_frame(plan.value(), image.samples);
  if (!coded.has_value()) return state.SkipWithError(coded.error().where);
  for (auto _ : state) benchmark::DoNotOptimize(decode_frame(syntax, plan.value().format, coded.value().bytes));
  report(state, image, coded.value().bytes.size());
}

/// Of this process, its decoder processes, and those that ended, which the process they are forked from has waited for.
double cpu_seconds() {
  double ticks = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "stat");
    std::string line;
    if (!std::getline(in, line)) continue;
    const std::string name = line.substr(line.find('(') + 1, line.rfind(')') - line.find('(') - 1);
    const bool zygote = name == "decoders";
    if (!zygote && name != "decoder" && entry.path().filename() != std::to_string(::getpid())) continue;
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double used[4] = {};  // user, system, the same of children that were waited for
    for (double& u : used) fields >> u;
    ticks += used[0] + used[1] + (zygote ? used[2] + used[3] : 0);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// Here and apart in turns, so that a machine whose speed changes does not favour one: `here_ms`, `apart_ms` on the
/// clock, `cpu_here_ms`, `cpu_apart_ms` of all processes.
void decode_apart(benchmark::State& state, const Image& image, std::string_view uid) {
  static const auto kProcesses = sandbox::DecoderProcesses::start({.processes = 1}).value();
  const TransferSyntax& syntax = *find_transfer_syntax(uid);
  const auto plan = plan_encoding(syntax, image.format);
  if (!plan.has_value()) return state.SkipWithError(plan.error().where);
  const auto coded = encode_frame(plan.value(), image.samples);
  if (!coded.has_value()) return state.SkipWithError(coded.error().where);
  const auto turn = static_cast<int>(std::clamp<std::size_t>((8u << 20) / image.samples.size(), 1, 16));  // frames
  double seconds[2] = {}, cpu[2] = {};
  for (auto _ : state) {
    for (const int apart : {0, 1}) {
      set_foreign_runner(apart ? kProcesses.get() : nullptr);
      const double cpu_before = cpu_seconds();
      const auto begun = std::chrono::steady_clock::now();
      for (int i = 0; i < turn; ++i) {
        const auto frame = decode_frame(syntax, plan.value().format, coded.value().bytes);
        if (!frame.has_value()) return state.SkipWithError(frame.error().where);
        benchmark::DoNotOptimize(frame.value().samples.data());
      }
      seconds[apart] += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      cpu[apart] += cpu_seconds() - cpu_before;
    }
  }
  set_foreign_runner(nullptr);
  const double frames = static_cast<double>(state.iterations()) * turn;
  state.counters["here_ms"] = 1e3 * seconds[0] / frames;
  state.counters["apart_ms"] = 1e3 * seconds[1] / frames;
  state.counters["cpu_here_ms"] = 1e3 * cpu[0] / frames;
  state.counters["cpu_apart_ms"] = 1e3 * cpu[1] / frames;
}

// --- the libraries' own ---

charls::jpegls_encoder charls_encoder(const Image& image) {
  charls::jpegls_encoder encoder;
  encoder
      .frame_info(
          {image.format.columns, image.format.rows, image.format.bits_allocated, image.format.samples_per_pixel})
      .interleave_mode(image.format.samples_per_pixel == 1 ? charls::interleave_mode::none
                                                           : charls::interleave_mode::sample);
  return encoder;
}

std::vector<std::byte> charls_encode(const Image& image) {
  charls::jpegls_encoder encoder = charls_encoder(image);
  std::vector<std::byte> out(encoder.estimated_destination_size() + 1024);
  encoder.destination(out.data(), out.size());
  out.resize(encoder.encode(image.samples.data(), image.samples.size()));
  return out;
}

std::vector<std::byte> charls_decode(const std::vector<std::byte>& coded) {
  charls::jpegls_decoder decoder;
  decoder.source(coded.data(), coded.size());
  decoder.read_header();
  std::vector<std::byte> out(decoder.destination_size());
  decoder.decode(out.data(), out.size());
  return out;
}

codec::test::Samples wide(const Image& image) {
  codec::test::Samples out(samples_per_frame(image.format));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (image.format.bits_allocated == 8) {
      out[i] = std::to_integer<int>(image.samples[i]);
    } else {
      const auto v = load_le<std::uint16_t>(image.samples.data() + 2 * i);
      out[i] = image.format.is_signed ? static_cast<std::int16_t>(v) : v;
    }
  }
  return out;
}

codec::test::J2KOptions wavelet(const Image& image) {
  return {.rows = image.format.rows,
          .columns = image.format.columns,
          .components = image.format.samples_per_pixel,
          .precision = image.format.bits_stored,
          .is_signed = image.format.is_signed,
          .transform = image.format.photometric == "RGB",
          .levels = 5};
}

codec::test::Samples openjph_decode(const Image& image, const std::vector<std::byte>& coded) {
  codec::test::Samples out(samples_per_frame(image.format));
  ojph::mem_infile file;
  file.open(reinterpret_cast<const ojph::ui8*>(coded.data()), coded.size());
  ojph::codestream stream;
  stream.read_headers(&file);
  stream.set_planar(false);
  stream.create();
  const std::size_t step = image.format.samples_per_pixel;
  for (std::size_t line = 0; line < image.format.rows * step; ++line) {
    ojph::ui32 component = 0;
    const ojph::line_buf* const from = stream.pull(component);
    ojph::si32* const into = out.data() + line / step * image.format.columns * step + component;
    for (std::size_t x = 0; x < image.format.columns; ++x) into[x * step] = from->i32[x];
  }
  stream.close();
  return out;
}

void set_up_dcmtk() {
  static const bool kOnce = [] {
    DJEncoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs(EDC_never);
    DcmRLEEncoderRegistration::registerCodecs();
    DcmRLEDecoderRegistration::registerCodecs();
    return true;
  }();
  benchmark::DoNotOptimize(kOnce);
}

std::unique_ptr<DcmDataset> dcmtk_dataset(const Image& image) {
  auto d = std::make_unique<DcmDataset>();
  const PixelFormat& f = image.format;
  d->putAndInsertString(DCM_SOPClassUID, "1.2.840.10008.5.1.4.1.1.7");
  d->putAndInsertString(DCM_SOPInstanceUID, "1.2.3");
  d->putAndInsertUint16(DCM_SamplesPerPixel, f.samples_per_pixel);
  d->putAndInsertString(DCM_PhotometricInterpretation, f.photometric.c_str());
  if (f.samples_per_pixel > 1) d->putAndInsertUint16(DCM_PlanarConfiguration, 0);
  d->putAndInsertUint16(DCM_Rows, static_cast<Uint16>(f.rows));
  d->putAndInsertUint16(DCM_Columns, static_cast<Uint16>(f.columns));
  d->putAndInsertUint16(DCM_BitsAllocated, f.bits_allocated);
  d->putAndInsertUint16(DCM_BitsStored, f.bits_stored);
  d->putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(f.bits_stored - 1));
  d->putAndInsertUint16(DCM_PixelRepresentation, f.is_signed ? 1 : 0);
  const auto* const p = reinterpret_cast<const Uint8*>(image.samples.data());
  if (f.bits_allocated == 8) {
    d->putAndInsertUint8Array(DCM_PixelData, p, image.samples.size());
  } else {
    d->putAndInsertUint16Array(DCM_PixelData, reinterpret_cast<const Uint16*>(p), image.samples.size() / 2);
  }
  return d;
}

/// One representation into another; setting up the data set is not timed.
void dcmtk(benchmark::State& state, const Image& image, E_TransferSyntax syntax, bool decoding) {
  set_up_dcmtk();
  const DJ_RPLossless lossless;
  const DcmRLERepresentationParameter rle;
  const DcmRepresentationParameter* parameter = &lossless;
  if (syntax == EXS_RLELossless) parameter = &rle;
  const auto native = dcmtk_dataset(image);
  const auto coded = dcmtk_dataset(image);
  if (coded->chooseRepresentation(syntax, parameter).bad()) return state.SkipWithError("DCMTK's encoder");
  coded->removeAllButCurrentRepresentations();
  DcmPixelSequence* sequence = nullptr;
  DcmElement* element = nullptr;
  std::size_t bytes = 1;
  const DcmRepresentationParameter* used = nullptr;
  E_TransferSyntax current = syntax;
  if (coded->findAndGetElement(DCM_PixelData, element).good()) {
    auto* const pixels = OFstatic_cast(DcmPixelData*, element);
    pixels->getCurrentRepresentationKey(current, used);
    if (pixels->getEncapsulatedRepresentation(current, used, sequence).good())
      bytes = sequence->getLength(syntax, EET_ExplicitLength);
  }
  for (auto _ : state) {
    state.PauseTiming();
    const std::unique_ptr<DcmDataset> d(OFstatic_cast(DcmDataset*, (decoding ? coded : native)->clone()));
    state.ResumeTiming();
    const OFCondition done = decoding ? d->chooseRepresentation(EXS_LittleEndianExplicit, nullptr)
                                      : d->chooseRepresentation(syntax, parameter);
    if (done.bad()) return state.SkipWithError("DCMTK");
  }
  report(state, image, bytes);
}

// --- pictures ---

const Image& first_image() {
  return images().front();
}

std::vector<float> values() {
  const auto samples = wide(first_image());
  return {samples.begin(), samples.end()};
}

std::vector<std::uint8_t> rendered() {
  const auto v = values();
  std::vector<std::uint8_t> out(v.size());
  apply_voi(Window{1024, 400, VOIFunction::linear}, v, out);
  return out;
}

void window_slice(benchmark::State& state) {
  const auto v = values();
  std::vector<std::uint8_t> out(v.size());
  const Window window{1024, 400, static_cast<VOIFunction>(state.range(0))};
  for (auto _ : state) {
    apply_voi(window, v, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(v.size()));
}
void encode_png_level(benchmark::State& state) {
  const auto samples = rendered();
  const PixelFormat& f = first_image().format;
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = encode_png(Plane8{f.rows, f.columns, 1, samples}, static_cast<int>(state.range(0))).value().size();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(samples.size()));
  state.counters["bytes"] = static_cast<double>(bytes);
}
void encode_jpeg_quality(benchmark::State& state) {
  const auto samples = rendered();
  const PixelFormat& f = first_image().format;
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = encode_jpeg(Plane8{f.rows, f.columns, 1, samples}, static_cast<int>(state.range(0))).value().size();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(samples.size()));
  state.counters["bytes"] = static_cast<double>(bytes);
}

BENCHMARK(window_slice)->Arg(0)->Arg(1)->Arg(2);
BENCHMARK(encode_png_level)->Arg(1)->Arg(6);
BENCHMARK(encode_jpeg_quality)->Arg(75)->Arg(90);

struct Row {
  const char* name;
  std::string_view uid;
};
constexpr Row kRows[] = {{"native", uids::kExplicitVRLittleEndian},
                         {"RLE", uids::kRLELossless},
                         {"deflated frame", uids::kDeflatedImageFrame},
                         {"JPEG lossless", uids::kJPEGLosslessSV1},
                         {"JPEG-LS", uids::kJPEGLSLossless},
                         {"JPEG-LS near 2", uids::kJPEGLSNearLossless},
                         {"JPEG 2000", uids::kJPEG2000Lossless},
                         {"HTJ2K RPCL", uids::kHTJ2KLosslessRPCL},
                         {"JPEG baseline", uids::kJPEGBaseline}};

template <class F>
void add(const std::string& name, F f) {
  benchmark::RegisterBenchmark(name.c_str(), f);
}

void add_image(const Image& image) {
  for (const Row& row : kRows) {
    const auto plan = plan_encoding(*find_transfer_syntax(row.uid), image.format);
    if (!plan.has_value()) continue;  // as signed samples in near-lossless
    const std::string name = image.name + '/' + row.name + '/';
    add(name + "encode", [&image, row](benchmark::State& s) { encode(s, image, row.uid, false); });
    if (!plan.value().lossy)
      add(name + "encode verified", [&image, row](benchmark::State& s) { encode(s, image, row.uid, true); });
    add(name + "decode", [&image, row](benchmark::State& s) { decode(s, image, row.uid); });
    add(name + "decode apart", [&image, row](benchmark::State& s) { decode_apart(s, image, row.uid); });
  }
  const std::string name = image.name + '/';
  add(name + "RLE of DCMTK/encode", [&image](benchmark::State& s) { dcmtk(s, image, EXS_RLELossless, false); });
  add(name + "RLE of DCMTK/decode", [&image](benchmark::State& s) { dcmtk(s, image, EXS_RLELossless, true); });
  add(name + "JPEG lossless of DCMTK/encode",
      [&image](benchmark::State& s) { dcmtk(s, image, EXS_JPEGProcess14SV1, false); });
  add(name + "JPEG lossless of DCMTK/decode",
      [&image](benchmark::State& s) { dcmtk(s, image, EXS_JPEGProcess14SV1, true); });
  add(name + "JPEG-LS of CharLS/encode", [&image](benchmark::State& s) {
    const auto coded = charls_encode(image);
    if (charls_decode(coded) != image.samples) return s.SkipWithError("wrong samples");
    for (auto _ : s) benchmark::DoNotOptimize(charls_encode(image));
    report(s, image, coded.size());
  });
  add(name + "JPEG-LS of CharLS/decode", [&image](benchmark::State& s) {
    const auto coded = charls_encode(image);
    for (auto _ : s) benchmark::DoNotOptimize(charls_decode(coded));
    report(s, image, coded.size());
  });
  add(name + "JPEG 2000 of OpenJPEG/encode", [&image](benchmark::State& s) {
    const auto samples = wide(image);
    std::size_t bytes = 1;
    for (auto _ : s) bytes = codec::test::encode_j2k(wavelet(image), samples).size();
    report(s, image, bytes);
  });
  add(name + "HTJ2K of OpenJPH/encode", [&image](benchmark::State& s) {
    const auto samples = wide(image);
    std::size_t bytes = 1;
    for (auto _ : s) bytes = codec::test::encode_htj2k(wavelet(image), samples).size();
    report(s, image, bytes);
  });
  add(name + "HTJ2K of OpenJPH/decode", [&image](benchmark::State& s) {
    const auto samples = wide(image);
    const auto coded = codec::test::encode_htj2k(wavelet(image), samples);
    if (openjph_decode(image, coded) != samples) return s.SkipWithError("wrong samples");
    for (auto _ : s) benchmark::DoNotOptimize(openjph_decode(image, coded));
    report(s, image, coded.size());
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto status = cairn::sandbox::run_if_zygote(argc, argv)) return *status;
  for (const Image& image : images()) add_image(image);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
