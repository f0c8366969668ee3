#include "engine/volumes/series.h"

#include "engine/volumes/functional_groups.h"
#include "synthetic.h"

namespace cairn::volumes {
namespace {

namespace tags = dicom::tags;
using dicom::DataSet;
using dicom::VR;
using test::Series;
using test::Slice;

dicom::Element sequence(dicom::Tag tag, std::vector<DataSet> items) {
  dicom::Element e;
  e.tag = tag;
  e.vr = VR::SQ;
  e.items = std::move(items);
  return e;
}

DataSet group(dicom::Tag tag, DataSet item) {
  DataSet d;
  d.set(sequence(tag, {std::move(item)}));
  return d;
}

DataSet with(dicom::Tag tag, VR vr, std::string_view text) {
  DataSet d;
  d.set_text(tag, vr, text);
  return d;
}

// Three frames: orientation and spacing shared, position and (for one) rescale per frame, rescale at the top level too.
test::File enhanced() {
  Slice s;
  s.position.clear();
  s.orientation.clear();
  s.spacing.clear();
  DataSet d = slice_header(s);
  d.set_text(tags::NumberOfFrames, VR::IS, "3");
  d.set_text(tags::RescaleSlope, VR::DS, "5");
  d.set_text(tags::RescaleIntercept, VR::DS, "0");
  DataSet shared =
      group(tags::PlaneOrientationSequence, with(tags::ImageOrientationPatient, VR::DS, "0\\1\\0\\0\\0\\-1"));
  shared.set(sequence(tags::PixelMeasuresSequence, {with(tags::PixelSpacing, VR::DS, "2\\3")}));
  d.set(sequence(tags::SharedFunctionalGroupsSequence, {shared}));
  std::vector<DataSet> frames;
  for (int k = 0; k < 3; ++k) {
    DataSet f = group(tags::PlanePositionSequence,
                      with(tags::ImagePositionPatient, VR::DS, std::to_string(10 - 4 * k) + "\\0\\0"));
    if (k == 1) {
      DataSet rescale = with(tags::RescaleSlope, VR::DS, "0.5");
      rescale.set_text(tags::RescaleIntercept, VR::DS, "-7");
      f.set(sequence(tags::PixelValueTransformationSequence, {rescale}));
    }
    frames.push_back(std::move(f));
  }
  d.set(sequence(tags::PerFrameFunctionalGroupsSequence, frames));
  const std::string one = slice_pixels(s);
  return test::file_of(d, one + one + one);
}

TEST(SeriesReader, FunctionalGroupsWinPerFrameThenSharedThenTop) {
  Series series;
  series.push_back(enhanced());
  const SeriesPlan plan = test::plan_of(series).value();
  ASSERT_EQ(plan.assembly.volumes.size(), 1u);
  const recon::VolumeGeometry g = plan.assembly.volumes[0].layout.view();
  EXPECT_EQ(g.slices, 3u);
  EXPECT_EQ(g.row_spacing_mm, 2);
  EXPECT_EQ(g.column_spacing_mm, 3);
  EXPECT_EQ(plan.frames[0].geometry.slope, 5);
  EXPECT_EQ(plan.frames[1].geometry.slope, 0.5);
  EXPECT_EQ(plan.frames[1].geometry.intercept, -7);
  EXPECT_TRUE(plan.assembly.volumes[0].varying_rescale);
  EXPECT_EQ(plan.frame_of(plan.assembly.volumes[0], 0).frame, 0u);  // normal is -x: the first frame is the first slice
  EXPECT_EQ(plan.volume_with("1.2.3.4.5", 2), std::optional<std::size_t>(0));
  EXPECT_FALSE(plan.volume_with("1.2.3.4.5", 4));
  EXPECT_FALSE(plan.volume_with("9.9", 0));
}

std::string refusal_with(const std::function<void(DataSet&)>& change) {
  Slice s;
  DataSet d = slice_header(s);
  change(d);
  Series series;
  series.push_back(test::file_of(d, slice_pixels(s)));
  const SeriesPlan plan = test::plan_of(series).value();
  if (plan.assembled[0] == SeriesPlan::kNotAssembled) return plan.frames[0].refusal;
  return plan.assembly.report.frames[plan.assembled[0]].reason;
}

TEST(SeriesReader, WhatCannotBeAVolumeIsRefusedByName) {
  EXPECT_EQ(refusal_with([](DataSet&) {}), "");
  EXPECT_EQ(refusal_with([](DataSet& d) { d.erase(tags::ImagePositionPatient); }), "missing Image Position (Patient)");
  EXPECT_EQ(refusal_with([](DataSet& d) { d.erase(tags::PixelSpacing); }), "missing Pixel Spacing");
  EXPECT_EQ(refusal_with([](DataSet& d) { d.set_text(tags::PhotometricInterpretation, VR::CS, "PALETTE COLOR"); }),
            "palette colour: indices cannot be interpolated");
  EXPECT_EQ(refusal_with([](DataSet& d) { d.set_text(tags::ImageType, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC"); }),
            "mosaic: many slices tiled in one frame");
  EXPECT_EQ(refusal_with([](DataSet& d) { d.set(sequence(tags::ModalityLUTSequence, {DataSet{}})); }),
            "Modality LUT: values are no linear function of the stored ones");
  EXPECT_EQ(refusal_with([](DataSet& d) { d.set_text(tags::RescaleSlope, VR::DS, "0"); }),
            "Rescale Slope or Dose Grid Scaling is missing or 0");
}

// NM, XA and US multi-frame objects give one position for all frames: that places none of them.
TEST(SeriesReader, OnePositionForManyFramesPlacesNone) {
  Slice s;
  DataSet d = slice_header(s);
  d.set_text(tags::NumberOfFrames, VR::IS, "2");
  Series series;
  series.push_back(test::file_of(d, slice_pixels(s) + slice_pixels(s)));
  const SeriesPlan plan = test::plan_of(series).value();
  EXPECT_TRUE(plan.assembly.volumes.empty());
  EXPECT_EQ(plan.assembly.report.frames[0].reason, "missing Image Position (Patient)");
}

TEST(SeriesReader, DoseGridsUseTheirOffsetsAndScaling) {
  Slice s;
  DataSet d = slice_header(s);
  d.set_text(tags::NumberOfFrames, VR::IS, "3");
  d.set_text(tags::GridFrameOffsetVector, VR::DS, "0\\2.5\\6");
  d.set_text(tags::DoseGridScaling, VR::DS, "0.001");
  Series series;
  series.push_back(test::file_of(d, slice_pixels(s) + slice_pixels(s) + slice_pixels(s)));
  const SeriesPlan plan = test::plan_of(series).value();
  ASSERT_EQ(plan.assembly.volumes.size(), 1u);
  const recon::VolumeGeometry g = plan.assembly.volumes[0].layout.view();
  EXPECT_EQ(g.kind, recon::GeometryClass::per_slice);
  EXPECT_NEAR(position_of(g, 0, 0, 2).z, 6, 1e-12);
  EXPECT_EQ(plan.frames[1].geometry.slope, 0.001);
}

TEST(SeriesReader, WindowsOfEachKindAreRead) {
  auto window = [](std::string_view center, std::string_view width, std::string_view function) {
    Slice s;
    DataSet d = slice_header(s);
    d.set_text(tags::WindowCenter, VR::DS, center);
    d.set_text(tags::WindowWidth, VR::DS, width);
    if (!function.empty()) d.set_text(tags::VOILUTFunction, VR::CS, function);
    Series series;
    series.push_back(test::file_of(d, slice_pixels(s)));
    return test::plan_of(series).value().frames[0].window;
  };
  EXPECT_EQ(window("40\\300", "80\\1500", "")->center, 40);
  EXPECT_EQ(window("40", "80", "SIGMOID")->function, codec::VOIFunction::sigmoid);
  EXPECT_EQ(window("0.5", "0.2", "")->function, codec::VOIFunction::linear_exact);
  EXPECT_FALSE(window("40", "0", ""));
  EXPECT_FALSE(window("40", "-5", ""));
}

TEST(SeriesReader, PaddingHasTheSignOfThePixels) {
  Slice s;
  DataSet d = slice_header(s);
  test::set_binary(d, tags::PixelPaddingValue, VR::US, std::string("\x30\xf8", 2));  // 63536, which is -2000
  Series series;
  series.push_back(test::file_of(d, slice_pixels(s)));
  EXPECT_EQ(test::plan_of(series).value().instances[0].padding_low, std::optional<double>(-2000));
}

TEST(SeriesReader, FramesOfReferenceSplitUnlessEachInstanceHasItsOwn) {
  auto volumes = [](std::vector<std::string> references) {
    Series series;
    for (std::size_t k = 0; k < references.size(); ++k) {
      Slice s;
      s.instance = "1.2.3.4.5." + std::to_string(k + 1);
      s.position = "0\\0\\" + std::to_string(k);
      DataSet d = slice_header(s);
      d.set_text(tags::FrameOfReferenceUID, VR::UI, references[k]);
      series.push_back(test::file_of(d, slice_pixels(s)));
    }
    return test::plan_of(series).value().assembly.volumes.size();
  };
  EXPECT_EQ(volumes({"1.1", "1.1", "1.1", "1.1"}), 1u);
  EXPECT_EQ(volumes({"1.1", "1.1", "1.2", "1.2"}), 2u);
  EXPECT_EQ(volumes({"1.1", "1.2", "1.3", "1.4"}), 1u);
}

TEST(SeriesReader, AnnouncedFramesAreBounded) {
  Slice s;
  DataSet d = slice_header(s);
  d.set_text(tags::NumberOfFrames, VR::IS, "2000000000");
  Series series;
  series.push_back(test::file_of(d, slice_pixels(s)));
  EXPECT_TRUE(test::plan_of(series).error() == Errc::limit_exceeded);
}

}  // namespace
}  // namespace cairn::volumes
