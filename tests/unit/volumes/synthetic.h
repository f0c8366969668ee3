// Small data sets and Part 10 streams made for one purpose each.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "engine/dicom/data_set.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "files.h"

namespace cairn::volumes::test {

inline constexpr std::string_view kExplicit = "1.2.840.10008.1.2.1";

/// A classic CT slice, `columns` x `rows` of int16, all pixels `value` unless `pixels` is given.
struct Slice {
  std::string study = "1.2.3", series = "1.2.3.4", instance = "1.2.3.4.5";
  std::string position = "0\\0\\0", orientation = "1\\0\\0\\0\\1\\0", spacing = "1\\1";
  std::uint16_t rows = 8, columns = 8;
  std::int16_t value = 100;
  std::vector<std::int16_t> pixels;
};

inline void set_binary(dicom::DataSet& d, dicom::Tag tag, dicom::VR vr, std::string value) {
  dicom::Element e;
  e.tag = tag;
  e.vr = vr;
  e.value = std::move(value);
  d.set(std::move(e));
}

inline dicom::DataSet slice_header(const Slice& s) {
  namespace tags = dicom::tags;
  using dicom::VR;
  dicom::DataSet d;
  d.set_text(tags::SOPClassUID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
  d.set_text(tags::SOPInstanceUID, VR::UI, s.instance);
  d.set_text(tags::StudyInstanceUID, VR::UI, s.study);
  d.set_text(tags::SeriesInstanceUID, VR::UI, s.series);
  d.set_text(tags::Modality, VR::CS, "CT");
  d.set_text(tags::FrameOfReferenceUID, VR::UI, "1.2.3.99");
  if (!s.position.empty()) d.set_text(tags::ImagePositionPatient, VR::DS, s.position);
  if (!s.orientation.empty()) d.set_text(tags::ImageOrientationPatient, VR::DS, s.orientation);
  if (!s.spacing.empty()) d.set_text(tags::PixelSpacing, VR::DS, s.spacing);
  d.set_us(tags::SamplesPerPixel, 1);
  d.set_text(tags::PhotometricInterpretation, VR::CS, "MONOCHROME2");
  d.set_us(tags::Rows, s.rows);
  d.set_us(tags::Columns, s.columns);
  d.set_us(tags::BitsAllocated, 16);
  d.set_us(tags::BitsStored, 16);
  d.set_us(tags::HighBit, 15);
  d.set_us(tags::PixelRepresentation, 1);
  return d;
}

inline std::string slice_pixels(const Slice& s) {
  std::vector<std::int16_t> pixels = s.pixels;
  if (pixels.empty()) pixels.assign(std::size_t{s.rows} * s.columns, s.value);
  std::string bytes(pixels.size() * 2, '\0');
  std::memcpy(bytes.data(), pixels.data(), bytes.size());
  return bytes;
}

/// Adds the pixels (any number of frames) and makes a scanned file of the data set.
inline File file_of(dicom::DataSet d, std::string pixels) {
  namespace tags = dicom::tags;
  set_binary(d, tags::PixelData, dicom::VR::OW, std::move(pixels));
  std::string stream = dicom::make_file_meta(d.text(tags::SOPClassUID), d.text(tags::SOPInstanceUID), kExplicit, "");
  stream += d.encode(dicom::encoding_of(kExplicit));
  return scan(std::move(stream)).value();
}

inline File slice_file(const Slice& s) {
  return file_of(slice_header(s), slice_pixels(s));
}

/// `count` slices 2 mm apart whose pixels are their slice number times ten.
inline Series simple_series(std::size_t count) {
  Series series;
  for (std::size_t k = 0; k < count; ++k) {
    Slice s;
    s.instance = "1.2.3.4.5." + std::to_string(k + 1);
    s.position = "0\\0\\" + std::to_string(2 * k);
    s.value = static_cast<std::int16_t>(10 * k);
    series.push_back(slice_file(s));
  }
  return series;
}

}  // namespace cairn::volumes::test
