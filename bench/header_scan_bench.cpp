// What the header scan costs an instance, and the JSON of a series its request: a CT header as scanners write it (about
// 3 KB before 512 KB of pixels, made here), and a real file where there is one. Fed as the network feeds it, in pieces
// of 16 KiB, and whole. Before timing, the scan's answer is checked.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/json.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"

namespace cairn::dicom {
namespace {

constexpr std::size_t kPixelBytes = 512 * 512 * 2;

std::string synthetic_ct(Encoding encoding, std::string_view transfer_syntax) {
  DataSet set;
  set.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100");
  set.set_text(tags::ImageType, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL\\CT_SOM5 SPI");
  set.set_text(tags::SOPClassUID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
  set.set_text(tags::SOPInstanceUID, VR::UI, "2.25.307540374622958403331796203207513381001");
  set.set_text(tags::StudyInstanceUID, VR::UI, "2.25.307540374622958403331796203207513381002");
  set.set_text(tags::SeriesInstanceUID, VR::UI, "2.25.307540374622958403331796203207513381003");
  set.set_text(tags::PatientName, VR::PN, "Phantom^Made");
  set.set_text(tags::ImagePositionPatient, VR::DS, "-125.2548828125\\-284.7548828125\\-604.5");
  set.set_text(tags::ImageOrientationPatient, VR::DS, "1\\0\\0\\0\\1\\0");
  set.set_text(tags::PixelSpacing, VR::DS, "0.490234375\\0.490234375");
  for (const Tag tag : {tags::Rows, tags::Columns, tags::BitsAllocated, tags::BitsStored, tags::HighBit})
    set.set_us(tag, 512);
  DataSet code;
  code.set_text(tags::CodeValue, VR::SH, "RPID2345");
  code.set_text(tags::CodingSchemeDesignator, VR::SH, "RadLex");
  code.set_text(tags::CodeMeaning, VR::LO, "CT THORAX WITH CONTRAST");
  set.set({tags::ProcedureCodeSequence, VR::SQ, {}, {code}, std::nullopt});
  set.set({tags::ReferencedStudySequence, VR::SQ, {}, {code, code}, std::nullopt});
  for (std::uint16_t i = 0; i < 40; ++i) {
    set.set_text({0x0019, static_cast<std::uint16_t>(0x1000 + i)}, VR::SH, "a technical value");
    set.set_text({0x0029, static_cast<std::uint16_t>(0x1000 + i)}, VR::DS, "0.12345678");
  }
  set.set({tags::PixelData, VR::OW, std::string(kPixelBytes, 'p'), {}, std::nullopt});
  return make_file_meta("1.2.840.10008.5.1.4.1.1.2", "2.25.1", transfer_syntax, "SCANNER") + set.encode(encoding);
}

std::string real_ct() {
  const char* dir = std::getenv("DICOM_TEST_DATA_DIR");
  if (dir == nullptr) return {};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(dir) + "/volumes")) {
    if (!entry.is_regular_file() || entry.file_size() < kPixelBytes || entry.file_size() > kPixelBytes + 100000)
      continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    HeaderScanner scanner;
    if (scanner.feed(as_bytes(bytes)) && scanner.finish() && scanner.pixel_data().length == kPixelBytes) return bytes;
  }
  return {};
}

void scan(benchmark::State& state, const std::string& stream) {
  if (stream.empty()) return state.SkipWithError("no real file: set DICOM_TEST_DATA_DIR");
  const auto piece =
      static_cast<std::size_t>(state.range(0) == 0 ? static_cast<std::int64_t>(stream.size()) : state.range(0));
  std::size_t header_bytes = 0;
  for (auto _ : state) {
    HeaderScanner scanner;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      if (!scanner.feed(as_bytes(stream).subspan(at, std::min(piece, stream.size() - at))))
        return state.SkipWithError("scan");
    }
    if (!scanner.finish() || scanner.pixel_data().length != kPixelBytes) return state.SkipWithError("scan");
    header_bytes = scanner.take_header().bytes.size();
  }
  state.counters["header_bytes"] = static_cast<double>(header_bytes);
  state.SetItemsProcessed(state.iterations());
}

void BM_ScanExplicit(benchmark::State& state) {
  scan(state, synthetic_ct({true, false, false}, "1.2.840.10008.1.2.1"));
}
void BM_ScanImplicit(benchmark::State& state) {
  scan(state, synthetic_ct({false, false, false}, "1.2.840.10008.1.2"));
}
void BM_ScanReal(benchmark::State& state) {
  scan(state, real_ct());
}
BENCHMARK(BM_ScanExplicit)->Arg(0)->Arg(16384);
BENCHMARK(BM_ScanImplicit)->Arg(0)->Arg(16384);
BENCHMARK(BM_ScanReal)->Arg(0)->Arg(16384);

Header header_of(const std::string& stream) {
  HeaderScanner scanner;
  if (!scanner.feed(as_bytes(stream)) || !scanner.finish()) return {};
  return scanner.take_header();
}

// The metadata of a series of 400 instances.
void json(benchmark::State& state, const std::string& stream) {
  const Header header = header_of(stream);
  if (header.bytes.empty()) return state.SkipWithError("no real file: set DICOM_TEST_DATA_DIR");
  std::size_t size = 0;
  for (auto _ : state) {
    std::string out;
    for (int i = 0; i < 400; ++i) {
      if (!append_json(out, header, "/dicom-web/studies/1/series/2/instances/3/bulk"))
        return state.SkipWithError("json");
    }
    size = out.size();
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(size) * state.iterations());
}
void BM_JsonOf400(benchmark::State& state) {
  json(state, synthetic_ct({true, false, false}, "1.2.840.10008.1.2.1"));
}
void BM_JsonOf400Real(benchmark::State& state) {
  json(state, real_ct());
}
BENCHMARK(BM_JsonOf400)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_JsonOf400Real)->Unit(benchmark::kMillisecond);

void BM_ParseDataSet(benchmark::State& state) {
  const Header header = header_of(synthetic_ct({true, false, false}, "1.2.840.10008.1.2.1"));
  for (auto _ : state) benchmark::DoNotOptimize(DataSet::parse(header));
}
BENCHMARK(BM_ParseDataSet);

}  // namespace
}  // namespace cairn::dicom
