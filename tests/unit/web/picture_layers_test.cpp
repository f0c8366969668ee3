// Shutters and overlays over a frame.
#include "engine/web/picture_layers.h"

#include <gtest/gtest.h>

#include "engine/dicom/tags.h"

namespace cairn::web {
namespace {

using dicom::VR;
namespace tags = dicom::tags;
using Samples = std::vector<std::uint8_t>;

const ValueReader kRead = [](const dicom::Element& element) -> Result<std::string> { return element.value; };

Picture grey(std::uint32_t rows, std::uint32_t columns, std::uint8_t shade = 9) {
  return {rows, columns, 1, Samples(std::size_t{rows} * columns, shade)};
}
codec::Frame frame_of(const Picture& picture, std::vector<std::uint16_t> words = {}) {
  codec::Frame frame;
  frame.rows = picture.rows;
  frame.columns = picture.columns;
  frame.samples_per_pixel = 1;
  frame.bits_allocated = 16;
  words.resize(std::size_t{frame.rows} * frame.columns);
  frame.samples.resize(words.size() * 2);
  for (std::size_t i = 0; i < words.size(); ++i) store_le(&frame.samples[2 * i], words[i]);
  return frame;
}
void set_bytes(dicom::DataSet& data_set, dicom::Tag tag, VR vr, std::string bytes) {
  dicom::Element element;
  element.tag = tag;
  element.vr = vr;
  element.value = std::move(bytes);
  data_set.set(std::move(element));
}
std::string shorts(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) {
    out += static_cast<char>(value & 0xff);
    out += static_cast<char>(value >> 8 & 0xff);
  }
  return out;
}
dicom::DataSet overlay(std::uint16_t rows, std::uint16_t columns, int row, int column, std::string bits) {
  dicom::DataSet d;
  d.set_us(tags::OverlayRows, rows);
  d.set_us(tags::OverlayColumns, columns);
  d.set_text(tags::OverlayType, VR::CS, "G");
  set_bytes(d, tags::OverlayOrigin, VR::SS, shorts({row, column}));
  set_bytes(d, tags::OverlayData, VR::OW, std::move(bits));
  return d;
}
Samples drawn(const dicom::DataSet& d, Picture picture, std::uint32_t number = 0,
              std::vector<std::uint16_t> words = {}) {
  const auto frame = frame_of(picture, std::move(words));
  EXPECT_TRUE(draw_overlays(d, number, frame, true, kRead, picture));
  return picture.samples;
}

TEST(PictureLayers, OverlaysAreDrawnWhereTheyLieAndClipped) {
  const std::string all(2, '\x0f');  // 2 x 2, all lit
  EXPECT_EQ(drawn(overlay(2, 2, 1, 2, all), grey(2, 3)), (Samples{9, 255, 255, 9, 255, 255}));
  EXPECT_EQ(drawn(overlay(2, 2, 0, 0, all), grey(2, 3)), (Samples{255, 9, 9, 9, 9, 9}));
  EXPECT_EQ(drawn(overlay(2, 2, 2, 3, all), grey(2, 3)), (Samples{9, 9, 9, 9, 9, 255}));
  EXPECT_EQ(drawn(overlay(2, 2, -32768, 32767, all), grey(2, 3)), Samples(6, 9));
  // Bits run on from row to row: 1 0 1 / 0 1 1.
  EXPECT_EQ(drawn(overlay(2, 3, 1, 1, std::string("\x35", 2)), grey(2, 3)), (Samples{255, 9, 255, 9, 255, 255}));
  Picture colour{1, 2, 3, Samples(6, 9)};
  EXPECT_TRUE(draw_overlays(overlay(1, 1, 1, 2, "\x01\x01"), 0, frame_of(colour), true, kRead, colour));
  EXPECT_EQ(colour.samples, (Samples{9, 9, 9, 255, 255, 255}));
}

TEST(PictureLayers, OverlaysThatAreNoneOfItAreNotDrawn) {
  auto d = overlay(2, 2, 1, 1, "\x0f");  // one byte holds them
  EXPECT_EQ(drawn(d, grey(2, 2)), Samples(4, 255));
  d = overlay(4, 4, 1, 1, "\xff");  // short
  EXPECT_EQ(drawn(d, grey(2, 2)), Samples(4, 9));
  d = overlay(65535, 65535, 1, 1, "\xff\xff");
  EXPECT_EQ(drawn(d, grey(2, 2)), Samples(4, 9));
  d = overlay(2, 2, 1, 1, "\x0f");
  d.set_text(tags::OverlayType, VR::CS, "R");
  EXPECT_EQ(drawn(d, grey(2, 2)), Samples(4, 9));
  // What cannot be read is an error, not a picture without it.
  d = overlay(2, 2, 1, 1, "\x0f");
  Picture picture = grey(2, 2);
  const auto corrupt = [](const dicom::Element&) -> Result<std::string> { return fail(Errc::corrupt, "part"); };
  EXPECT_FALSE(draw_overlays(d, 0, frame_of(picture), true, corrupt, picture));
}

TEST(PictureLayers, EachFrameHasItsOverlayFrame) {
  auto d = overlay(1, 2, 1, 1, std::string("\x09\x00", 2));  // frames 1 0 and 0 1
  d.set_text(tags::NumberOfFramesInOverlay, VR::IS, "2");
  d.set_us(tags::ImageFrameOrigin, 3);
  EXPECT_EQ(drawn(d, grey(1, 2), 1), (Samples{9, 9}));
  EXPECT_EQ(drawn(d, grey(1, 2), 2), (Samples{255, 9}));
  EXPECT_EQ(drawn(d, grey(1, 2), 3), (Samples{9, 255}));
  EXPECT_EQ(drawn(d, grey(1, 2), 4), (Samples{9, 9}));
}

TEST(PictureLayers, OverlaysInUnusedBits) {
  dicom::DataSet d;
  const dicom::Tag rows{0x601E, 0x0010}, columns{0x601E, 0x0011}, position{0x601E, 0x0102};
  d.set_us(rows, 1);
  d.set_us(columns, 3);
  d.set_us(position, 15);
  EXPECT_EQ(drawn(d, grey(1, 3), 0, {0x8000, 0x7fff, 0x8001}), (Samples{255, 9, 255}));
  d.set_us(position, 16);
  EXPECT_EQ(drawn(d, grey(1, 3), 0, {0x8000, 0x7fff, 0x8001}), Samples(3, 9));
  d.set_us(position, 15);
  Picture picture = grey(1, 3);
  EXPECT_TRUE(draw_overlays(d, 0, frame_of(picture, {0x8000, 0, 0}), false, kRead, picture));
  EXPECT_EQ(picture.samples, Samples(3, 9)) << "a decoder has cleared the bits";
}

Samples behind(const dicom::DataSet& d, Picture picture, std::uint32_t number = 0) {
  close_shutter(volumes::FrameAttributes(d, number), picture);
  return picture.samples;
}

TEST(PictureLayers, ShuttersLeaveWhatAllTheirShapesShow) {
  dicom::DataSet d;
  d.set_text(tags::ShutterShape, VR::CS, "RECTANGULAR");
  d.set_text(tags::ShutterLeftVerticalEdge, VR::IS, "2");
  d.set_text(tags::ShutterRightVerticalEdge, VR::IS, "3");
  d.set_text(tags::ShutterUpperHorizontalEdge, VR::IS, "1");
  d.set_text(tags::ShutterLowerHorizontalEdge, VR::IS, "2");
  EXPECT_EQ(behind(d, grey(3, 4)), (Samples{0, 9, 9, 0, 0, 9, 9, 0, 0, 0, 0, 0}));
  d.set_text(tags::ShutterShape, VR::CS, "RECTANGULAR\\CIRCULAR");
  d.set_text(tags::CenterOfCircularShutter, VR::IS, "1\\2");
  d.set_text(tags::RadiusOfCircularShutter, VR::IS, "1");
  d.set_us(tags::ShutterPresentationValue, 65535);
  EXPECT_EQ(behind(d, grey(3, 4)), (Samples{255, 9, 9, 255, 255, 9, 255, 255, 255, 255, 255, 255}));
  // A polygon of sides that turn back: inside is what an odd number of them lies behind.
  d = {};
  d.set_text(tags::ShutterShape, VR::CS, "POLYGONAL");
  d.set_text(tags::VerticesOfThePolygonalShutter, VR::IS, "0\\0\\0\\6\\4\\6\\4\\4\\2\\4\\2\\2\\4\\2\\4\\0");
  EXPECT_EQ(behind(d, grey(3, 5)), (Samples{9, 9, 9, 9, 9, 9, 0, 0, 9, 9, 9, 0, 0, 9, 9}));
  d = {};
  d.set_text(tags::ShutterShape, VR::CS, "POLYGONAL");
  d.set_text(tags::VerticesOfThePolygonalShutter, VR::IS, "0\\0\\0\\5\\5\\0");  // above the diagonal
  EXPECT_EQ(behind(d, grey(3, 3)), (Samples{9, 9, 9, 9, 9, 0, 9, 0, 0}));
}

TEST(PictureLayers, AShutterWithoutSenseCoversNothing) {
  dicom::DataSet d;
  d.set_text(tags::ShutterShape, VR::CS, "RECTANGULAR\\CIRCULAR\\POLYGONAL");
  d.set_text(tags::ShutterLeftVerticalEdge, VR::IS, "5");
  d.set_text(tags::ShutterRightVerticalEdge, VR::IS, "2");
  d.set_text(tags::VerticesOfThePolygonalShutter, VR::IS, "1\\1\\2");
  d.set_text(tags::RadiusOfCircularShutter, VR::IS, "-4");
  EXPECT_EQ(behind(d, grey(2, 2)), Samples(4, 9));
}

}  // namespace
}  // namespace cairn::web
