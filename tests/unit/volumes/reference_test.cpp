// Every series of the real volumes against what other software made of it: geometry and sampled voxels of
// reference.json.
#include <boost/json.hpp>

#include "codec/decode.h"
#include "codec/frame_index.h"
#include "engine/io/worker_pool.h"
#include "files.h"
#include "recon/plane.h"

namespace cairn::volumes {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using recon::Vec3;
using test::FileOpener;
using test::Series;

Vec3 vec(const json::value& v, std::size_t first = 0) {
  const json::array& a = v.as_array();
  return {a[first].to_number<double>(), a[first + 1].to_number<double>(), a[first + 2].to_number<double>()};
}

bool has(const SeriesPlan& plan, recon::OddityKind kind) {
  const auto& odd = plan.assembly.report.oddities;
  return std::any_of(odd.begin(), odd.end(), [&](const recon::Oddity& o) { return o.kind == kind; });
}

float value_at(const recon::VolumeView& v, Vec3 position) {
  float out = 0;
  EXPECT_TRUE(recon::sample_plane(v, {position, {1, 0, 0}, {0, 1, 0}, 1, 1}, {}, -1e9f, std::span(&out, 1)));
  return out;
}

class ReferenceVolumes : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = test::data_folder() / "volumes" / GetParam();
    if (!fs::exists(folder_))
      GTEST_SKIP() << "no real DICOM files at " << test::data_folder() << " (DICOM_TEST_DATA_DIR)";
    std::ifstream stream(folder_ / "reference.json");
    reference_ = json::parse(std::string(std::istreambuf_iterator<char>(stream), {})).as_object();
    series_ = test::read_folder(folder_ / "dicom");
  }

  fs::path folder_;
  json::object reference_;
  std::map<std::string, Series> series_;
};

// Volumes of the plan whose orientation is that of the stack.
std::vector<std::size_t> matching(const SeriesPlan& plan, const json::object& stack) {
  const Vec3 row = vec(stack.at("image_orientation_patient")), column = vec(stack.at("image_orientation_patient"), 3);
  std::vector<std::size_t> found;
  for (std::size_t v = 0; v < plan.assembly.volumes.size(); ++v) {
    const recon::VolumeGeometry& g = plan.assembly.volumes[v].layout.affine;
    if (norm(g.row_direction - row) < 1e-3 && norm(g.column_direction - column) < 1e-3) found.push_back(v);
  }
  return found;
}

void expect_stack(const SeriesPlan& plan, const json::object& stack) {
  const auto volumes = matching(plan, stack);
  const auto positions = stack.at("positions").to_number<std::size_t>();
  const auto& multiplicity = stack.at("images_per_position").as_array();
  ASSERT_FALSE(volumes.empty());
  if (multiplicity.size() == 1) {
    EXPECT_EQ(volumes.size(), multiplicity[0].to_number<std::size_t>());
  }
  double smallest = 1e9, largest = 0;
  for (const json::value& d : stack.at("distances_mm").as_array()) {
    smallest = std::min(smallest, d.to_number<double>());
    largest = std::max(largest, d.to_number<double>());
  }
  for (const std::size_t n : volumes) {
    const recon::AssembledVolume& v = plan.assembly.volumes[n];
    const recon::VolumeGeometry g = v.layout.view();
    EXPECT_EQ(g.slices, positions);
    const json::array& spacing = stack.at("pixel_spacing_row_col").as_array();
    EXPECT_NEAR(g.row_spacing_mm, spacing[0].to_number<double>(), 1e-9);
    EXPECT_NEAR(g.column_spacing_mm, spacing[1].to_number<double>(), 1e-9);
    EXPECT_NEAR(v.tilt_degrees, stack.at("shear_degrees").to_number<double>(), 0.02);
    EXPECT_LT(norm(position_of(g, 0, 0, 0) - vec(stack.at("ipp_first"))), 2e-4);
    EXPECT_LT(norm(position_of(g, 0, 0, g.slices - 1.0) - vec(stack.at("ipp_last"))), 2e-4);
    EXPECT_LT(v.corner_error_mm, 1e-3);
    if (g.slices < 2) continue;
    EXPECT_NEAR(v.smallest_step_mm, smallest, 1.1e-3);
    EXPECT_NEAR(v.largest_step_mm, largest, 1.1e-3);
  }
}

TEST_P(ReferenceVolumes, GeometryIsMet) {
  for (const json::value& entry : reference_.at("stacks").as_array()) {
    if (!entry.is_object()) continue;  // "... n stacks in all"
    const json::object& stack = entry.as_object();
    const std::string uid(stack.at("series_instance_uid").as_string());
    ASSERT_TRUE(series_.contains(uid));
    const auto plan = test::plan_of(series_.at(uid));
    ASSERT_TRUE(plan) << to_string(plan.error());
    if (GetParam() == "mr-mosaic-siemens") {
      EXPECT_TRUE(plan.value().assembly.volumes.empty());  // refused by name, never stacked as it is
      EXPECT_EQ(plan.value().frames.at(0).refusal, "mosaic: many slices tiled in one frame");
      continue;
    }
    expect_stack(plan.value(), stack);
    const double tilt = stack.at("shear_degrees").to_number<double>();
    EXPECT_EQ(has(plan.value(), recon::OddityKind::tilt), tilt > 0.1);
  }
}

TEST_P(ReferenceVolumes, SampledVoxelsAreMetAtTheirPositions) {
  const json::value* samples =
      reference_.if_contains("dicom_samples_[sop_instance_uid,frame,row0,col0,stored,rescaled,LPS_mm]");
  if (samples == nullptr || samples->as_array().empty())
    GTEST_SKIP() << "the reference has no samples of stored values";
  io::WorkerPool pool(2, "test");
  std::size_t met = 0;
  for (const auto& [uid, files] : series_) {
    const auto made = test::plan_of(files);
    ASSERT_TRUE(made) << to_string(made.error());
    const SeriesPlan& plan = made.value();
    std::map<std::size_t, BuiltVolume> built;
    for (const json::value& entry : samples->as_array()) {
      const json::array& s = entry.as_array();
      const std::string sop(s[0].as_string());
      const auto frame = s[1].to_number<std::uint32_t>();
      const bool ours =
          std::any_of(files.begin(), files.end(), [&](const auto& f) { return f.key.sop_instance_uid == sop; });
      if (!ours) continue;
      const auto volume = plan.volume_with(sop, frame);
      ASSERT_TRUE(volume) << sop;
      if (!built.contains(*volume)) {
        auto b = build_volume(plan, *volume, FileOpener(files), &pool, std::uint64_t{1} << 30);
        ASSERT_TRUE(b) << to_string(b.error());
        built.emplace(*volume, std::move(b.value()));
      }
      const BuiltVolume& b = built.at(*volume);
      recon::VolumeView v = b.volume.view();
      v.has_padding = false;  // the reference lists padding like any other value
      std::size_t slice = 0;
      for (std::size_t k = 0; k < b.assembled.frames.size(); ++k) {
        const FrameInfo& f = plan.frame_of(b.assembled, k);
        if (plan.instances[f.instance].sop_instance_uid == sop && f.frame + 1 == frame) slice = k;
      }
      const Vec3 at =
          position_of(v.geometry, s[3].to_number<double>(), s[2].to_number<double>(), static_cast<double>(slice));
      EXPECT_LT(norm(at - vec(s[6])), 1.5e-4) << sop << " frame " << frame;
      const json::value& value = s[5];
      // The multi-frame copy has its rescale at the top level and in no functional group. These samples leave it out,
      // the reference's NIfTI has it (scl_inter -1024), and so do the classic copies of the same slices.
      const bool left_out =
          GetParam() == "ct-phantom-classic-and-multiframe" && s[4].to_number<double>() == value.to_number<double>();
      const double want = value.to_number<double>() - (left_out ? 1024 : 0);
      EXPECT_NEAR(value_at(v, at), want, 2e-3 + 1e-6 * std::abs(want)) << sop << " frame " << frame;
      ++met;
    }
  }
  EXPECT_GT(met, 0u);
  EXPECT_EQ(met, samples->as_array().size());
}

INSTANTIATE_TEST_SUITE_P(
    All, ReferenceVolumes,
    ::testing::Values("ct-3-slices-with-seg", "ct-4d-tiny", "ct-4d-tiny-multiframe", "ct-body-512-jpegls",
                      "ct-gantry-tilt-4", "ct-head-93-small", "ct-head-phantom-gantry-tilt", "ct-missing-slice-4",
                      "ct-phantom-classic-and-multiframe", "mr-4d-ge-interleaved", "mr-4d-oblique-35-slices",
                      "mr-enhanced-4d-philips", "mr-localizer-3-planes", "mr-mixed-orientation-4", "mr-mosaic-siemens",
                      "mr-non-isotropic-4", "mr-oblique-4d-philips", "mr-rgb-4", "mr-sagittal-gap-hfp",
                      "mr-t1-enhanced-96-frames", "mr-two-images-per-position", "pt-wholebody-299"),
    [](const auto& info) {
      std::string name = info.param;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

const Series* only(const std::map<std::string, Series>& series) {
  return series.empty() ? nullptr : &series.begin()->second;
}

TEST(RealSeries, MissingSliceIsReportedAsAGap) {
  const fs::path folder = test::data_folder() / "volumes/ct-missing-slice-4/dicom";
  if (!fs::exists(folder)) GTEST_SKIP() << "no real DICOM files (DICOM_TEST_DATA_DIR)";
  const auto series = test::read_folder(folder);
  const auto plan = test::plan_of(*only(series));
  ASSERT_TRUE(plan);
  EXPECT_TRUE(has(plan.value(), recon::OddityKind::gap));
  EXPECT_EQ(plan.value().assembly.volumes.at(0).layout.affine.kind, recon::GeometryClass::per_slice);
}

TEST(RealSeries, ClassicAndMultiFrameCopiesGiveTheSameVoxels) {
  const fs::path folder = test::data_folder() / "volumes/ct-phantom-classic-and-multiframe/dicom";
  if (!fs::exists(folder)) GTEST_SKIP() << "no real DICOM files (DICOM_TEST_DATA_DIR)";
  const auto series = test::read_folder(folder);
  const Series& files = *only(series);
  const auto plan = test::plan_of(files);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan.value().assembly.volumes.size(), 2u);
  auto a = build_volume(plan.value(), 0, FileOpener(files), nullptr, std::uint64_t{1} << 30);
  auto b = build_volume(plan.value(), 1, FileOpener(files), nullptr, std::uint64_t{1} << 30);
  ASSERT_TRUE(a && b);
  for (std::uint32_t k = 0; k < 7; ++k) {
    EXPECT_TRUE(std::ranges::equal(a.value().volume.slice(0, k), b.value().volume.slice(0, k))) << k;
  }
}

TEST(RealSeries, ColourIsKeptAsItIs) {
  const fs::path folder = test::data_folder() / "volumes/mr-rgb-4/dicom";
  if (!fs::exists(folder)) GTEST_SKIP() << "no real DICOM files (DICOM_TEST_DATA_DIR)";
  const auto series = test::read_folder(folder);
  const Series& files = *only(series);
  const auto plan = test::plan_of(files);
  ASSERT_TRUE(plan);
  auto built =
      build_volume(plan.value(), plan.value().assembly.primary, FileOpener(files), nullptr, std::uint64_t{1} << 30);
  ASSERT_TRUE(built) << to_string(built.error());
  ASSERT_TRUE(built.value().colour());
  std::size_t coloured = 0;
  for (std::uint32_t k = 0; k < 4; ++k) {
    const FrameInfo& f = plan.value().frame_of(built.value().assembled, k);
    const InstanceInfo& info = plan.value().instances[f.instance];
    codec::SpanSource source(as_bytes(files[f.instance].bytes));
    const auto* syntax = codec::find_transfer_syntax(info.transfer_syntax_uid);
    const auto index = codec::FrameIndex::build(source, {info.pixel_data.stream_offset}, *syntax, info.format).value();
    const codec::Frame frame = codec::decode_frame(*syntax, info.format, index.read(source, 0).value()).value();
    ASSERT_EQ(frame.photometric, "RGB");
    for (std::size_t i = 0; i < std::size_t{77} * 52; ++i) {
      for (unsigned c = 0; c < 3; ++c) ASSERT_EQ(built.value().volume.slice(c, k)[i], frame.samples[3 * i + c]);
      coloured += frame.samples[3 * i] != frame.samples[3 * i + 1];
    }
  }
  EXPECT_GT(coloured, 0u);
}

TEST(RealSeries, PaddingIsBackground) {
  const fs::path folder = test::data_folder() / "volumes/ct-3-slices-with-seg/dicom";
  if (!fs::exists(folder)) GTEST_SKIP() << "no real DICOM files (DICOM_TEST_DATA_DIR)";
  const auto series = test::read_folder(folder);
  const auto plan = test::plan_of(*only(series));
  ASSERT_TRUE(plan);
  auto built = build_volume(plan.value(), 0, FileOpener(*only(series)), nullptr, std::uint64_t{1} << 30);
  ASSERT_TRUE(built);
  const recon::VolumeView v = built.value().volume.view();
  EXPECT_EQ(value_at(v, v.geometry.origin_mm), -1e9f);  // the corner outside the reconstruction circle
}

TEST(RealSeries, ThreePlaneLocalizerIsThreeVolumes) {
  const fs::path folder = test::data_folder() / "volumes/mr-localizer-3-planes/dicom";
  if (!fs::exists(folder)) GTEST_SKIP() << "no real DICOM files (DICOM_TEST_DATA_DIR)";
  const auto plan = test::plan_of(*only(test::read_folder(folder)));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan.value().assembly.volumes.size(), 3u);
  EXPECT_TRUE(has(plan.value(), recon::OddityKind::mixed_orientation));
}

}  // namespace
}  // namespace cairn::volumes
