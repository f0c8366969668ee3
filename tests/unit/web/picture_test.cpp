#include "engine/web/picture.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "engine/dicom/tags.h"
#include "engine/web/picture_size.h"
#include "engine/web/rendered_query.h"

namespace cairn::web {
namespace {

using dicom::VR;
namespace tags = dicom::tags;

codec::Frame grey16(std::vector<std::uint16_t> words, std::uint16_t stored, bool is_signed) {
  codec::Frame frame;
  frame.rows = 1;
  frame.columns = static_cast<std::uint32_t>(words.size());
  frame.samples_per_pixel = 1;
  frame.bits_allocated = 16;
  frame.bits_stored = stored;
  frame.is_signed = is_signed;
  frame.photometric = "MONOCHROME2";
  frame.samples.resize(words.size() * 2);
  for (std::size_t i = 0; i < words.size(); ++i) store_le(&frame.samples[2 * i], words[i]);
  return frame;
}

codec::PixelFormat format_of(const codec::Frame& frame, std::uint16_t high_bit) {
  codec::PixelFormat format;
  format.rows = frame.rows;
  format.columns = frame.columns;
  format.samples_per_pixel = frame.samples_per_pixel;
  format.bits_allocated = frame.bits_allocated;
  format.bits_stored = frame.bits_stored;
  format.high_bit = high_bit;
  format.is_signed = frame.is_signed;
  format.photometric = frame.photometric;
  return format;
}

const ValueReader kRead = [](const dicom::Element& element) -> Result<std::string> { return element.value; };
using Samples = std::vector<std::uint8_t>;

Samples shown(const dicom::DataSet& data_set, const codec::Frame& frame, std::uint16_t high_bit,
              std::optional<codec::Window> window = {}) {
  auto picture = present(data_set, 0, format_of(frame, high_bit), frame, true, window, kRead);
  EXPECT_TRUE(picture) << to_string(picture.error());
  return picture ? picture.value().samples : Samples{};
}

void set_words(dicom::DataSet& data_set, dicom::Tag tag, const std::vector<std::uint16_t>& words) {
  dicom::Element element;
  element.tag = tag;
  element.vr = VR::US;
  for (const auto word : words) {
    element.value += static_cast<char>(word & 0xff);
    element.value += static_cast<char>(word >> 8);
  }
  data_set.set(std::move(element));
}

TEST(Picture, WindowsRescaledValues) {
  dicom::DataSet data_set;
  data_set.set_text(tags::RescaleIntercept, VR::DS, "-1000");
  data_set.set_text(tags::RescaleSlope, VR::DS, "2");
  data_set.set_text(tags::WindowCenter, VR::DS, "0");
  data_set.set_text(tags::WindowWidth, VR::DS, "400");
  data_set.set_text(tags::VOILUTFunction, VR::CS, "LINEAR_EXACT");
  const auto frame = grey16({0, 400, 500, 600, 4000}, 12, false);
  EXPECT_EQ(shown(data_set, frame, 11), (Samples{0, 0, 128, 255, 255}));
  EXPECT_EQ(shown(data_set, frame, 11, codec::Window{-1000, 2000, codec::VOIFunction::linear_exact})[0], 128);
}

TEST(Picture, UsesOnlyTheStoredBitsAndTheSign) {
  // 12 bits below High Bit 11, with rubbish above; -2 and 1.
  const auto frame = grey16({0xAFFE, 0x5001}, 12, true);
  EXPECT_EQ(shown({}, frame, 11), (Samples{0, 255}));
}

TEST(Picture, TurnsMonochrome1RoundAndLeavesPaddingOutOfTheRange) {
  dicom::DataSet data_set;
  data_set.set_us(tags::PixelPaddingValue, 9000);
  auto frame = grey16({9000, 0, 100}, 16, false);
  EXPECT_EQ(shown(data_set, frame, 15), (Samples{255, 0, 255}));
  frame.photometric = "MONOCHROME1";
  EXPECT_EQ(shown(data_set, frame, 15), (Samples{0, 255, 0}));
}

TEST(Picture, AppliesLookupTables) {
  dicom::DataSet modality, data_set;
  set_words(modality, tags::LUTDescriptor, {3, 10, 16});
  set_words(modality, tags::LUTData, {0, 500, 1000});
  dicom::Element sequence;
  sequence.tag = tags::ModalityLUTSequence;
  sequence.vr = VR::SQ;
  sequence.items.push_back(modality);
  data_set.set(sequence);
  dicom::DataSet voi;
  set_words(voi, tags::LUTDescriptor, {2, 500, 8});
  set_words(voi, tags::LUTData, {7, 255});
  sequence.tag = tags::VOILUTSequence;
  sequence.items = {voi};
  data_set.set(sequence);
  EXPECT_EQ(shown(data_set, grey16({0, 10, 11, 12, 99}, 16, false), 15), (Samples{7, 7, 7, 255, 255}));
  modality = {};
  set_words(modality, tags::LUTDescriptor, {300, 0, 16});
  set_words(modality, tags::LUTData, {1});
  sequence.tag = tags::ModalityLUTSequence;
  sequence.items = {modality};
  data_set.set(sequence);
  const auto frame = grey16({1}, 16, false);
  EXPECT_FALSE(present(data_set, 0, format_of(frame, 15), frame, true, {}, kRead));
}

TEST(Picture, LooksPalettesUp) {
  dicom::DataSet data_set;
  for (const auto& [descriptor, data, high] :
       {std::tuple{tags::RedPaletteColorLookupTableDescriptor, tags::RedPaletteColorLookupTableData, 0xFF00},
        std::tuple{tags::GreenPaletteColorLookupTableDescriptor, tags::GreenPaletteColorLookupTableData, 0x8000},
        std::tuple{tags::BluePaletteColorLookupTableDescriptor, tags::BluePaletteColorLookupTableData, 0x0100}}) {
    set_words(data_set, descriptor, {2, 0, 16});
    set_words(data_set, data, {0, static_cast<std::uint16_t>(high)});
  }
  auto frame = grey16({0, 1, 7}, 16, false);
  frame.photometric = "PALETTE COLOR";
  EXPECT_EQ(shown(data_set, frame, 15), (Samples{0, 0, 0, 255, 128, 1, 255, 128, 1}));
}

TEST(Picture, ExpandsSegmentedPalettes) {
  dicom::DataSet data_set;
  for (const auto& [descriptor, data, high] :
       {std::tuple{tags::RedPaletteColorLookupTableDescriptor, tags::SegmentedRedPaletteColorLookupTableData, 0xFF00},
        std::tuple{tags::GreenPaletteColorLookupTableDescriptor, tags::SegmentedGreenPaletteColorLookupTableData,
                   0x8000},
        std::tuple{tags::BluePaletteColorLookupTableDescriptor, tags::SegmentedBluePaletteColorLookupTableData,
                   0x0200}}) {
    set_words(data_set, descriptor, {3, 0, 16});
    set_words(data_set, data, {0, 1, 0, 1, 2, static_cast<std::uint16_t>(high)});  // a value, then a line
  }
  auto frame = grey16({0, 1, 2}, 16, false);
  frame.photometric = "PALETTE COLOR";
  EXPECT_EQ(shown(data_set, frame, 15), (Samples{0, 0, 0, 127, 64, 1, 255, 128, 2}));
  set_words(data_set, tags::SegmentedRedPaletteColorLookupTableData, {1, 3, 9});
  EXPECT_FALSE(present(data_set, 0, format_of(frame, 15), frame, true, {}, kRead));
}

TEST(Picture, ColoursWhatASupplementalPaletteCovers) {
  dicom::DataSet data_set;
  data_set.set_text(tags::WindowCenter, VR::DS, "50");
  data_set.set_text(tags::WindowWidth, VR::DS, "100");
  data_set.set_text(tags::VOILUTFunction, VR::CS, "LINEAR_EXACT");
  for (const auto& [descriptor, data, high] :
       {std::tuple{tags::RedPaletteColorLookupTableDescriptor, tags::RedPaletteColorLookupTableData, 0xFF00},
        std::tuple{tags::GreenPaletteColorLookupTableDescriptor, tags::GreenPaletteColorLookupTableData, 0x8000},
        std::tuple{tags::BluePaletteColorLookupTableDescriptor, tags::BluePaletteColorLookupTableData, 0x0100}}) {
    set_words(data_set, descriptor, {2, 1000, 16});
    set_words(data_set, data, {0, static_cast<std::uint16_t>(high)});
  }
  const auto frame = grey16({0, 100, 999, 1000, 1001, 4000}, 16, false);
  // Without Pixel Presentation COLOR the tables mean nothing.
  EXPECT_EQ(shown(data_set, frame, 15), (Samples{0, 255, 255, 255, 255, 255}));
  data_set.set_text(tags::PixelPresentation, VR::CS, "MIXED");
  EXPECT_EQ(shown(data_set, frame, 15).size(), 6u);
  const Samples coloured{0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0, 255, 128, 1, 255, 128, 1};
  data_set.set_text(tags::PixelPresentation, VR::CS, "COLOR");
  EXPECT_EQ(shown(data_set, frame, 15), coloured);
  // A frame of its own says so for itself.
  dicom::DataSet type, groups;
  type.set_text(tags::PixelPresentation, VR::CS, "MONOCHROME");
  dicom::Element sequence;
  sequence.vr = VR::SQ;
  sequence.tag = tags::CTImageFrameTypeSequence;
  sequence.items = {type};
  groups.set(sequence);
  sequence.tag = tags::PerFrameFunctionalGroupsSequence;
  sequence.items = {groups};
  data_set.set(sequence);
  EXPECT_EQ(shown(data_set, frame, 15).size(), 6u);
}

TEST(Picture, TurnsYbrIntoRgb) {
  codec::Frame frame;
  frame.rows = 1;
  frame.columns = 2;
  frame.samples_per_pixel = 3;
  frame.bits_allocated = frame.bits_stored = 8;
  frame.photometric = "YBR_FULL";
  for (const int sample : {76, 85, 255, 128, 128, 128}) frame.samples.push_back(static_cast<std::byte>(sample));
  const auto rgb = shown({}, frame, 7);
  EXPECT_NEAR(rgb[0], 254, 1);
  EXPECT_NEAR(rgb[1], 0, 1);
  EXPECT_NEAR(rgb[2], 0, 1);
  EXPECT_EQ(rgb[4], 128);
  frame.photometric = "CMYK";
  EXPECT_FALSE(present({}, 0, format_of(frame, 7), frame, true, {}, kRead));
}

TEST(Picture, CutsMirrorsAndScales) {
  Picture picture{2, 3, 1, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(cut_region(picture, {1, 0, 2, 2}).value().samples, (Samples{2, 3, 5, 6}));
  EXPECT_EQ(cut_region(picture, {0, 0, -3, -2}).value().samples, (Samples{6, 5, 4, 3, 2, 1}));
  EXPECT_FALSE(cut_region(picture, {3, 0, 1, 1}));
  EXPECT_FALSE(cut_region(picture, {0, 0, 0, 1}));
  const Picture small = fit_into(Picture{4, 8, 1, Samples(32, 77)}, 4, 4);
  EXPECT_EQ(small.columns, 4u);
  EXPECT_EQ(small.rows, 2u);
  EXPECT_EQ(small.samples, Samples(8, 77));
  const Picture large = fit_into(Picture{1, 2, 1, {0, 200}}, 8, 8);
  EXPECT_EQ(large.columns, 8u);
  EXPECT_EQ(large.rows, 4u);
  EXPECT_TRUE(std::is_sorted(large.samples.begin(), large.samples.begin() + 8));
}

TEST(Picture, MakesPixelsSquare) {
  dicom::DataSet data_set;
  EXPECT_EQ(pixel_aspect_of(data_set, 0), 1);
  data_set.set_text(tags::PixelAspectRatio, VR::IS, "6\\3");  // vertical, horizontal
  EXPECT_EQ(pixel_aspect_of(data_set, 0), 2);
  data_set.set_text(tags::PixelSpacing, VR::DS, "0.5\\1.0");  // between rows, between columns
  EXPECT_EQ(pixel_aspect_of(data_set, 0), .5);
  for (const char* nonsense : {"0\\1", "1", "-1\\1", "x\\y", "1000\\1", "1\\1.001"}) {
    dicom::DataSet d;
    d.set_text(tags::PixelSpacing, VR::DS, nonsense);
    EXPECT_EQ(pixel_aspect_of(d, 0), 1) << nonsense;
  }
  const Picture two{1, 2, 1, {0, 200}};
  const Picture taller = square(two, 3, 8192), wider = square(two, .25, 8192);
  EXPECT_EQ(taller.samples, (Samples{0, 200, 0, 200, 0, 200}));
  EXPECT_EQ(taller.rows, 3u);
  EXPECT_EQ(wider.columns, 8u);
  EXPECT_EQ(wider.rows, 1u);
  EXPECT_EQ(wider.samples.front(), 0);
  EXPECT_EQ(wider.samples.back(), 200);
  const Picture limited = square(Picture{4, 8, 1, Samples(32, 77)}, .5, 8);
  EXPECT_EQ(limited.columns, 8u);
  EXPECT_EQ(limited.rows, 2u);
  const Picture boxed = fit_into(Picture{4, 8, 1, Samples(32, 77)}, 8, 8, 2);
  EXPECT_EQ(boxed.columns, 8u);
  EXPECT_EQ(boxed.rows, 8u);
}

TEST(RenderedQuery, ParsesWhatTheStandardHas) {
  const auto parse = [](const char* name, const char* value) { return parse_rendered_query({{name, value}}); };
  const auto query =
      parse_rendered_query({{"window", "40,400,linear"}, {"viewport", "512,256,,10,,-20"}, {"quality", "70"}}).value();
  EXPECT_EQ(query.window->center, 40);
  EXPECT_EQ(query.box->second, 256u);
  EXPECT_EQ(query.region->row, 10);
  EXPECT_EQ(query.region->rows, -20);
  EXPECT_EQ(query.quality, 70);
  EXPECT_NE(query.key(), RenderedQuery{}.key());
  EXPECT_EQ(parse("annotation", "patient").value().warnings.size(), 1u);
  for (const char* bad : {"", "1", "0,5", "9000,1", "1,2,3", "1,2,3,4,5,6,7", "a,b", "1,2,99999999,0,1,1"}) {
    EXPECT_FALSE(parse("viewport", bad)) << bad;
  }
  for (const char* bad : {"0", "101", "x", ""}) EXPECT_FALSE(parse("quality", bad)) << bad;
  for (const char* bad : {"1", "1,0", "a,b,linear", "1,2,round"}) EXPECT_FALSE(parse("window", bad)) << bad;
}

}  // namespace
}  // namespace cairn::web
