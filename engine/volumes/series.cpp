#include "engine/volumes/series.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/dicom/tags.h"
#include "engine/volumes/functional_groups.h"

namespace cairn::volumes {
namespace {

namespace tags = dicom::tags;
using dicom::DataSet;
using recon::Vec3;

std::uint16_t small(const DataSet& d, dicom::Tag tag, std::int64_t otherwise) {
  const std::int64_t value = d.integer(tag).value_or(otherwise);
  return value < 0 || value > 65535 ? std::uint16_t{0} : static_cast<std::uint16_t>(value);
}

bool has_value(const DataSet& d, dicom::Tag tag, std::string_view wanted) {
  for (std::size_t i = 0; i < 16; ++i) {
    const std::string value = d.text(tag, i);
    if (value == wanted) return true;
  }
  return false;
}

const dicom::Element* pixel_element(const DataSet& d) {
  for (const dicom::Tag tag : {tags::PixelData, tags::FloatPixelData, tags::DoubleFloatPixelData}) {
    if (const dicom::Element* e = d.find(tag)) return e;
  }
  return nullptr;
}

void read_format(const DataSet& d, InstanceInfo& info) {
  codec::PixelFormat& f = info.format;
  f.rows = small(d, tags::Rows, 0);
  f.columns = small(d, tags::Columns, 0);
  f.samples_per_pixel = small(d, tags::SamplesPerPixel, 1);
  f.bits_allocated = small(d, tags::BitsAllocated, 0);
  f.bits_stored = small(d, tags::BitsStored, f.bits_allocated);
  f.high_bit = small(d, tags::HighBit, f.bits_stored - 1);
  f.is_signed = d.integer(tags::PixelRepresentation).value_or(0) == 1;
  f.planar_configuration = small(d, tags::PlanarConfiguration, 0);
  if (const std::string photometric = d.text(tags::PhotometricInterpretation); !photometric.empty())
    f.photometric = photometric;
  f.number_of_frames =
      static_cast<std::uint64_t>(std::max<std::int64_t>(1, d.integer(tags::NumberOfFrames).value_or(1)));
  const dicom::Element* pixels = pixel_element(d);
  if (pixels == nullptr || !pixels->bulk) return;
  info.pixel_data = *pixels->bulk;
  f.ow = pixels->vr != dicom::VR::OB;
  if (pixels->tag != tags::PixelData) {
    f.kind = codec::SampleKind::floating;
    f.bits_allocated = f.bits_stored = pixels->tag == tags::FloatPixelData ? 32 : 64;
    f.high_bit = static_cast<std::uint16_t>(f.bits_stored - 1);
  }
  info.monochrome1 = f.photometric == "MONOCHROME1";
}

// Pixel Padding Value has the signedness of the pixels (PS3.3 C.7.5.1.1.2), whatever VR an implicit data set gave it.
std::optional<double> padding_value(const DataSet& d, dicom::Tag tag, bool is_signed) {
  const dicom::Element* e = d.find(tag);
  if (e == nullptr || e->value.size() < 2) return std::nullopt;
  const auto raw = load_le<std::uint16_t>(as_bytes(e->value).data());
  return is_signed ? static_cast<double>(static_cast<std::int16_t>(raw)) : static_cast<double>(raw);
}

void read_padding(const DataSet& d, InstanceInfo& info) {
  if (info.format.samples_per_pixel != 1 || info.format.kind != codec::SampleKind::integer ||
      info.format.bits_allocated > 16)
    return;
  info.padding_low = padding_value(d, tags::PixelPaddingValue, info.format.is_signed);
  if (!info.padding_low) return;
  info.padding_high = padding_value(d, tags::PixelPaddingRangeLimit, info.format.is_signed);
  if (!info.padding_high) info.padding_high = info.padding_low;
}

std::string refusal_of(const DataSet& d, const InstanceInfo& info) {
  const codec::PixelFormat& f = info.format;
  if (pixel_element(d) == nullptr || info.pixel_data.length == 0) return "no pixel data";
  if (f.rows == 0 || f.columns == 0 || f.bits_allocated == 0) return "invalid Image Pixel attributes";
  if (f.photometric == "PALETTE COLOR") return "palette colour: indices cannot be interpolated";
  if (f.samples_per_pixel != 1 && f.samples_per_pixel != 3) return "neither one nor three samples per pixel";
  if (f.samples_per_pixel == 3 && f.bits_allocated != 8) return "colour of other than 8 bits";
  if (f.samples_per_pixel == 1 && f.photometric != "MONOCHROME1" && f.photometric != "MONOCHROME2") {
    return "Photometric Interpretation is not grey";
  }
  if (d.contains(tags::ModalityLUTSequence)) return "Modality LUT: values are no linear function of the stored ones";
  if (has_value(d, tags::ImageType, "MOSAIC")) return "mosaic: many slices tiled in one frame";
  return {};
}

std::optional<Vec3> triple(const DataSet& d, dicom::Tag tag, std::size_t first) {
  const std::vector<double> v = d.numbers(tag);
  if (v.size() < first + 3) return std::nullopt;
  return Vec3{v[first], v[first + 1], v[first + 2]};
}

// RT Dose keeps one position and the offsets of its planes: relative to it along the normal when the first is 0, else
// z coordinates, which only identity orientations may have (PS3.3 C.8.8.3.2).
std::optional<Vec3> dose_position(const DataSet& d, const recon::SliceGeometry& g, std::uint32_t frame) {
  const std::vector<double> offsets = d.numbers(tags::GridFrameOffsetVector);
  const std::optional<Vec3> first = triple(d, tags::ImagePositionPatient, 0);
  if (!first || frame >= offsets.size() || !g.row_direction || !g.column_direction) return std::nullopt;
  const Vec3 normal = cross(*g.row_direction, *g.column_direction);
  if (offsets[0] == 0) return *first + normal * offsets[frame];
  if (std::abs(g.row_direction->x - 1) > 1e-4 || std::abs(g.column_direction->y - 1) > 1e-4) return std::nullopt;
  return Vec3{first->x, first->y, offsets[frame]};
}

bool is_dose(const DataSet& d) {
  return d.contains(tags::GridFrameOffsetVector);
}

void read_place(const FrameAttributes& a, std::uint32_t frame, std::uint64_t frames, recon::SliceGeometry& g) {
  const DataSet& top = a.top();
  const DataSet& orientation = a.in(tags::PlaneOrientationSequence);
  g.row_direction = triple(orientation, tags::ImageOrientationPatient, 0);
  g.column_direction = triple(orientation, tags::ImageOrientationPatient, 3);
  if (const DataSet* position = a.group(tags::PlanePositionSequence)) {
    g.position_mm = triple(*position, tags::ImagePositionPatient, 0);
  } else if (frames == 1) {
    g.position_mm = triple(top, tags::ImagePositionPatient, 0);
  } else if (is_dose(top)) {
    g.position_mm = dose_position(top, g, frame);
  }  // else: one position for many frames (NM, XA, US) places none of them
  const std::vector<double> spacing = a.in(tags::PixelMeasuresSequence).numbers(tags::PixelSpacing);
  if (spacing.size() >= 2) {
    g.row_spacing_mm = spacing[0];
    g.column_spacing_mm = spacing[1];
  }
  g.thickness_mm = a.in(tags::PixelMeasuresSequence).number(tags::SliceThickness);
}

void read_rescale(const FrameAttributes& a, recon::SliceGeometry& g, std::string& refusal) {
  const DataSet& d = a.in(tags::PixelValueTransformationSequence);
  g.slope = d.number(tags::RescaleSlope).value_or(1);
  g.intercept = d.number(tags::RescaleIntercept).value_or(0);
  if (is_dose(a.top())) {
    g.slope = a.top().number(tags::DoseGridScaling).value_or(0);
    g.intercept = 0;
  }
  if (g.slope == 0 && refusal.empty()) refusal = "Rescale Slope or Dose Grid Scaling is missing or 0";
}

// Attributes that tell frames at one position apart, most telling first.
std::vector<std::string> phase_keys(const FrameAttributes& a, const InstanceInfo& info) {
  const DataSet& content = a.in(tags::FrameContentSequence);
  const DataSet& top = a.top();
  auto either = [](std::string first, std::string second) {
    return first.empty() ? std::move(second) : std::move(first);
  };
  const DataSet& diffusion = a.in(tags::MRDiffusionSequence);
  const DataSet* gradient = diffusion.item(tags::DiffusionGradientDirectionSequence);
  const DataSet& cardiac = a.in(tags::CardiacSynchronizationSequence);
  std::vector<std::string> keys = {
      either(content.text(tags::TemporalPositionIndex), top.text(tags::TemporalPositionIdentifier)),
      diffusion.text(tags::DiffusionBValue),
      (gradient != nullptr ? *gradient : top).text(tags::DiffusionGradientOrientation),
      either(a.in(tags::MREchoSequence).text(tags::EffectiveEchoTime),
             either(top.text(tags::EchoNumbers), top.text(tags::EchoTime))),
      either(a.in(tags::MRModifierSequence).text(tags::InversionTimes), top.text(tags::InversionTime)),
      either(cardiac.text(tags::NominalCardiacTriggerDelayTime), top.text(tags::TriggerTime)),
      top.text(tags::FrameReferenceTime),
      either(a.in(tags::MRImageFrameTypeSequence).text(tags::FrameType), top.text(tags::ImageType)),
      content.text(tags::StackID),
      either(content.text(tags::FrameAcquisitionNumber), top.text(tags::AcquisitionNumber)),
      info.format.number_of_frames > 1 ? info.sop_instance_uid : std::string(),
  };
  for (std::size_t i = 0; i < 5; ++i) keys.push_back(content.text(tags::DimensionIndexValues, i));
  return keys;
}

std::optional<codec::Window> read_window(const FrameAttributes& a) {
  const DataSet& d = a.in(tags::FrameVOILUTSequence);
  const auto center = d.number(tags::WindowCenter), width = d.number(tags::WindowWidth);
  if (!center || !width) return std::nullopt;
  codec::Window w{*center, *width, codec::VOIFunction::linear};
  const std::string function = d.text(tags::VOILUTFunction);
  if (function == "LINEAR_EXACT") w.function = codec::VOIFunction::linear_exact;
  if (function == "SIGMOID") w.function = codec::VOIFunction::sigmoid;
  // LINEAR is not defined below a width of 1; data with such a window mean the exact form.
  if (w.function == codec::VOIFunction::linear && w.width > 0 && w.width < 1)
    w.function = codec::VOIFunction::linear_exact;
  if (!codec::validate(w)) return std::nullopt;
  return w;
}

std::string class_key(const InstanceInfo& info) {
  const codec::PixelFormat& f = info.format;
  return f.photometric + '/' + std::to_string(f.samples_per_pixel) + '/' + std::to_string(f.bits_allocated) +
         (f.is_signed ? 's' : 'u') + (f.kind == codec::SampleKind::floating ? "f" : "");
}

bool every_reference_differs(const std::vector<InstanceInfo>& instances) {
  std::set<std::string_view> seen;
  for (const InstanceInfo& i : instances) {
    if (i.frame_of_reference_uid.empty() || !seen.insert(i.frame_of_reference_uid).second) return false;
  }
  return instances.size() > 2;
}

}  // namespace

Result<> SeriesReader::add(std::string_view sop_instance_uid, std::string_view transfer_syntax_uid,
                           const DataSet& header) {
  InstanceInfo info;
  info.sop_instance_uid = sop_instance_uid;
  info.transfer_syntax_uid = transfer_syntax_uid;
  info.frame_of_reference_uid = header.text(tags::FrameOfReferenceUID);
  read_format(header, info);
  read_padding(header, info);
  info.refusal = refusal_of(header, info);
  if (const dicom::Element* e = header.find(tags::ExtendedOffsetTable)) info.extended_offsets = *e;
  if (const dicom::Element* e = header.find(tags::ExtendedOffsetTableLengths)) info.extended_lengths = *e;
  if (plan_.modality.empty()) plan_.modality = header.text(tags::Modality);

  const std::uint64_t frames = info.format.number_of_frames;
  if (frames > recon::kMaxSlices || plan_.frames.size() + frames > recon::kMaxSlices) {
    return fail(Errc::limit_exceeded, "frames in one series");
  }
  const std::int64_t number = header.integer(tags::InstanceNumber).value_or(0);
  for (std::uint32_t i = 0; i < frames; ++i) {
    const FrameAttributes attributes(header, i);
    FrameInfo f;
    f.instance = plan_.instances.size();
    f.frame = i;
    f.refusal = info.refusal;
    if (!f.refusal.empty()) {
      plan_.frames.push_back(std::move(f));
      continue;
    }
    f.geometry.rows = info.format.rows;
    f.geometry.columns = info.format.columns;
    f.geometry.order = std::clamp<std::int64_t>(number, -(std::int64_t{1} << 32), std::int64_t{1} << 32) * 65536 + i;
    f.geometry.localizer = has_value(header, tags::ImageType, "LOCALIZER");
    read_place(attributes, i, frames, f.geometry);
    if (info.format.samples_per_pixel == 1) read_rescale(attributes, f.geometry, f.refusal);
    f.geometry.class_key = class_key(info);
    f.geometry.phase_keys = phase_keys(attributes, info);
    f.window = read_window(attributes);
    if (f.refusal.empty() &&
        attributes.in(tags::MRImageFrameTypeSequence).text(tags::VolumetricProperties) == "DISTORTED") {
      f.refusal = "Volumetric Properties DISTORTED: the frame is not flat in the patient";
    }
    plan_.frames.push_back(std::move(f));
  }
  plan_.instances.push_back(std::move(info));
  return outcome::success();
}

Result<SeriesPlan> SeriesReader::finish() {
  CAIRN_TRYV(plan_.assemble());
  return std::move(plan_);
}

Result<> SeriesPlan::assemble() {
  assembled.assign(frames.size(), kNotAssembled);
  source.clear();
  const bool one_reference = every_reference_differs(instances);
  std::vector<recon::SliceGeometry> input;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!frames[i].refusal.empty()) continue;
    assembled[i] = input.size();
    source.push_back(i);
    input.push_back(frames[i].geometry);
    if (!one_reference) input.back().class_key += '/' + instances[frames[i].instance].frame_of_reference_uid;
  }
  CAIRN_TRY(auto made, recon::assemble(input));
  assembly = std::move(made);
  if (one_reference) {
    assembly.report.oddities.push_back(
        {recon::OddityKind::other, "every instance names a frame of reference of its own; taken as one", true, 0});
  }
  return outcome::success();
}

std::optional<std::size_t> SeriesPlan::volume_with(std::string_view sop_instance_uid, std::uint32_t frame) const {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (instances[frames[i].instance].sop_instance_uid != sop_instance_uid) continue;
    if (frame != 0 && frames[i].frame + 1 != frame) continue;
    if (assembled[i] == kNotAssembled) continue;
    const recon::FrameAccount& account = assembly.report.frames[assembled[i]];
    if (account.fate != recon::Fate::refused) return account.volume;
  }
  return std::nullopt;
}

}  // namespace cairn::volumes
