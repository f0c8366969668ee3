#include "engine/transcode/pixel_module.h"

#include <algorithm>

#include "engine/dicom/tags.h"

namespace cairn::transcode {
namespace {

namespace tags = dicom::tags;

std::uint16_t small(const dicom::DataSet& d, dicom::Tag tag, std::int64_t otherwise) {
  const std::int64_t value = d.integer(tag).value_or(otherwise);
  return value < 0 || value > 65535 ? std::uint16_t{0} : static_cast<std::uint16_t>(value);
}

const dicom::Element* pixels_of(const dicom::DataSet& d) {
  for (const dicom::Tag tag : {tags::PixelData, tags::FloatPixelData, tags::DoubleFloatPixelData}) {
    if (const dicom::Element* found = d.find(tag)) return found;
  }
  return nullptr;
}

}  // namespace

codec::PixelFormat pixel_format_of(const dicom::DataSet& d) {
  codec::PixelFormat f;
  f.rows = small(d, tags::Rows, 0);
  f.columns = small(d, tags::Columns, 0);
  f.samples_per_pixel = small(d, tags::SamplesPerPixel, 1);
  f.bits_allocated = small(d, tags::BitsAllocated, 0);
  f.bits_stored = small(d, tags::BitsStored, f.bits_allocated);
  f.high_bit = small(d, tags::HighBit, f.bits_stored - 1);
  f.is_signed = d.integer(tags::PixelRepresentation).value_or(0) == 1;
  f.planar_configuration = small(d, tags::PlanarConfiguration, 0);
  if (auto photometric = d.text(tags::PhotometricInterpretation); !photometric.empty()) {
    f.photometric = std::move(photometric);
  }
  f.number_of_frames =
      static_cast<std::uint64_t>(std::max<std::int64_t>(1, d.integer(tags::NumberOfFrames).value_or(1)));
  if (const dicom::Element* pixels = pixels_of(d)) {
    f.ow = pixels->vr != dicom::VR::OB;
    if (pixels->tag != tags::PixelData) {
      f.kind = codec::SampleKind::floating;
      f.bits_allocated = f.bits_stored = pixels->tag == tags::FloatPixelData ? 32 : 64;
      f.high_bit = static_cast<std::uint16_t>(f.bits_stored - 1);
    }
  }
  return f;
}

Result<PixelModule> pixel_module_of(const dicom::DataSet& d) {
  const dicom::Element* pixels = pixels_of(d);
  if (pixels == nullptr || !pixels->bulk || pixels->bulk->length == 0) return fail(Errc::missing, "PixelData");
  PixelModule out;
  out.format = pixel_format_of(d);
  out.value.offset = pixels->bulk->stream_offset;
  out.value.length = pixels->bulk->length;
  if (const auto* offsets = d.find(tags::ExtendedOffsetTable)) out.extended_offsets = offsets->value;
  if (const auto* lengths = d.find(tags::ExtendedOffsetTableLengths)) out.extended_lengths = lengths->value;
  return out;
}

}  // namespace cairn::transcode
