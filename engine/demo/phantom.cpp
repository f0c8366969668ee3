#include "engine/demo/phantom.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/check.h"
#include "engine/core/uid.h"
#include "engine/demo/anatomy.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/meta.h"

namespace cairn::demo {
namespace {

using dicom::VR;

constexpr const char* kCTImageStorage = "1.2.840.10008.5.1.4.1.1.2";
constexpr const char* kExplicitLittleEndian = "1.2.840.10008.1.2.1";
constexpr double kIntercept = -1024;
constexpr float kNoiseHU = 9;

std::string decimal(double value) {
  char text[17];  // DS holds 16 characters
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

// Stored values of one slice: Hounsfield units and the grain of a scan, slightly smeared along the row as a scanner's
// is.
std::string stored_values(const Figure& figure, const Slice& slice, std::uint64_t seed) {
  const auto n = static_cast<std::size_t>(slice.rows) * static_cast<std::size_t>(slice.columns);
  std::vector<float> hounsfield(n);
  figure.paint(slice, hounsfield);
  std::string bytes(2 * n, '\0');
  auto* out = reinterpret_cast<std::byte*>(bytes.data());
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(std::llround(slice.first.z * 64));
  float before = 0, now = 0;
  for (std::size_t i = 0; i < n; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    // The number of ones of 64 random bits is as good as normal, with a deviation of 4.
    const float grain = (static_cast<float>(std::popcount(state * 0x2545F4914F6CDD1Du)) - 32) * (kNoiseHU / 4);
    const float value = hounsfield[i] + 0.65f * now + 0.35f * (before + grain);
    before = now;
    now = grain;
    store_le(out + 2 * i,
             static_cast<std::uint16_t>(std::clamp(value - static_cast<float>(kIntercept) + 0.5f, 0.0f, 4095.0f)));
  }
  return bytes;
}

}  // namespace

Phantom::Phantom(std::uint64_t seed, std::size_t slice_count)
    : slices(slice_count), seed_(seed), figure_(std::make_unique<Figure>(make_person(seed))) {
  CAIRN_CHECK(slice_count >= 1 && slice_count <= 10000);
}
Phantom::~Phantom() = default;
Phantom::Phantom(Phantom&&) noexcept = default;

std::string Phantom::uid(const std::string& what) const {
  return derived_uid("cairn phantom " + std::to_string(seed_) + '/' + std::to_string(slices) + '/' + what);
}
std::string Phantom::study_uid() const {
  return uid("study");
}
std::string Phantom::series_uid() const {
  return uid("series");
}
std::string Phantom::sop_instance_uid(std::size_t slice) const {
  return uid("instance " + std::to_string(slice));
}

Result<std::string> Phantom::part10(std::size_t slice) const {
  if (slice >= slices) return fail(Errc::not_found, "phantom slice", slice);
  const double distance = kLengthMm / static_cast<double>(slices);
  const double z = kLengthMm - distance * static_cast<double>(slice + 1);
  const double spacing = kFieldOfViewMm / kEdge;
  const std::string instance = sop_instance_uid(slice);

  dicom::DataSet d;
  const auto text = [&](std::uint32_t tag, VR vr, const std::string& value) {
    d.set_text(dicom::tag_of(tag), vr, value);
  };
  const auto us = [&](std::uint32_t tag, std::uint16_t value) { d.set_us(dicom::tag_of(tag), value); };
  // SOP Common, Patient, General Study
  text(0x00080005, VR::CS, "ISO_IR 192");
  text(0x00080008, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
  text(0x00080016, VR::UI, kCTImageStorage);
  text(0x00080018, VR::UI, instance);
  text(0x00080020, VR::DA, "20240229");
  text(0x00080021, VR::DA, "20240229");
  text(0x00080022, VR::DA, "20240229");
  text(0x00080023, VR::DA, "20240229");
  text(0x00080030, VR::TM, "101500");
  text(0x00080031, VR::TM, "101500");
  text(0x00080032, VR::TM, "101500");
  text(0x00080033, VR::TM, "101500");
  text(0x00080050, VR::SH, "PHANTOM" + std::to_string(seed_));
  text(0x00080060, VR::CS, "CT");
  text(0x00080070, VR::LO, "Cairn");
  text(0x00080090, VR::PN, "");
  text(0x00081030, VR::LO, "Demonstration phantom");
  text(0x0008103E, VR::LO, "Head and trunk, computed");
  text(0x00081090, VR::LO, "Phantom");
  text(0x00100010, VR::PN, "PHANTOM^CAIRN");
  text(0x00100020, VR::LO, "CAIRN-PHANTOM-" + std::to_string(seed_));
  text(0x00100030, VR::DA, "");
  text(0x00100040, VR::CS, "O");
  text(0x00100200, VR::CS, "YES");  // Quality Control Subject: no patient
  text(0x00104000, VR::LT, "Computed from shapes; nobody was scanned.");
  // CT Image, Contrast/Bolus
  text(0x00180010, VR::LO, "Computed contrast");
  text(0x00180015, VR::CS, "WHOLEBODY");
  text(0x00180050, VR::DS, decimal(distance));
  text(0x00180060, VR::DS, "120");
  text(0x00181030, VR::LO, "Phantom");
  text(0x00185100, VR::CS, "HFS");
  // General Series, Frame of Reference, Image Plane
  text(0x0020000D, VR::UI, study_uid());
  text(0x0020000E, VR::UI, series_uid());
  text(0x00200010, VR::SH, "1");
  text(0x00200011, VR::IS, "1");
  text(0x00200012, VR::IS, "1");
  text(0x00200013, VR::IS, std::to_string(slice + 1));
  text(0x00200032, VR::DS, decimal(-kFieldOfViewMm / 2) + '\\' + decimal(-kFieldOfViewMm / 2) + '\\' + decimal(z));
  text(0x00200037, VR::DS, "1\\0\\0\\0\\1\\0");
  text(0x00200052, VR::UI, uid("frame of reference"));
  text(0x00201040, VR::LO, "");
  text(0x00201041, VR::DS, decimal(z));
  // Image Pixel, Modality LUT, VOI LUT
  us(0x00280002, 1);
  text(0x00280004, VR::CS, "MONOCHROME2");
  us(0x00280010, kEdge);
  us(0x00280011, kEdge);
  text(0x00280030, VR::DS, decimal(spacing) + '\\' + decimal(spacing));
  us(0x00280100, 16);
  us(0x00280101, 12);
  us(0x00280102, 11);
  us(0x00280103, 0);
  text(0x00281050, VR::DS, "50\\-600\\500");
  text(0x00281051, VR::DS, "450\\1500\\2000");
  text(0x00281052, VR::DS, decimal(kIntercept));
  text(0x00281053, VR::DS, "1");
  text(0x00281054, VR::LO, "HU");
  text(0x00281055, VR::LO, "Soft tissue\\Lung\\Bone");
  const Slice where{
      {static_cast<float>(-kFieldOfViewMm / 2), static_cast<float>(-kFieldOfViewMm / 2), static_cast<float>(z)},
      static_cast<float>(spacing),
      kEdge,
      kEdge};
  d.set({.tag = dicom::tag_of(0x7FE00010),
         .vr = VR::OW,
         .value = stored_values(*figure_, where, seed_),
         .items = {},
         .bulk = {}});

  std::string stream = dicom::make_file_meta(kCTImageStorage, instance, kExplicitLittleEndian, "CAIRN");
  stream += d.encode(dicom::Encoding{});
  return stream;
}

}  // namespace cairn::demo
