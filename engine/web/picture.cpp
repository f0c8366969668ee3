#include "engine/web/picture.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "codec/palette.h"
#include "engine/dicom/tags.h"
#include "engine/volumes/functional_groups.h"
#include "engine/web/picture_layers.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
using volumes::FrameAttributes;

/// A lookup table of PS3.3 §C.11.1.1.1: entries for first, first + 1, …; values before and after take the ends.
struct LookupTable {
  std::int64_t first = 0;
  unsigned bits = 16;
  std::vector<std::uint16_t> entries;

  double at(double value) const noexcept {
    const double index = std::floor(value + 0.5) - static_cast<double>(first);
    const double last = static_cast<double>(entries.size() - 1);
    return entries[static_cast<std::size_t>(std::clamp(std::isnan(index) ? 0.0 : index, 0.0, last))];
  }
};

Result<LookupTable> lookup_table(const dicom::DataSet& d, dicom::Tag descriptor, dicom::Tag data, bool signed_input,
                                 const ValueReader& read) {
  const dicom::Element* descriptor_element = d.find(descriptor);
  const dicom::Element* data_element = d.find(data);
  if (descriptor_element == nullptr || data_element == nullptr) return fail(Errc::missing, "lookup table");
  if (descriptor_element->value.size() < 6) return fail(Errc::malformed, "lookup table descriptor");
  const std::byte* words = as_bytes(descriptor_element->value).data();
  LookupTable table;
  const auto count_word = load_le<std::uint16_t>(words);
  const std::size_t count = count_word == 0 ? 65536 : count_word;
  const auto first = load_le<std::uint16_t>(words + 2);
  table.first = signed_input ? static_cast<std::int16_t>(first) : static_cast<std::int64_t>(first);
  table.bits = load_le<std::uint16_t>(words + 4);
  CAIRN_TRY(const std::string bytes, read(*data_element));
  table.entries.resize(count);
  if (bytes.size() >= 2 * count) {
    for (std::size_t i = 0; i < count; ++i) table.entries[i] = load_le<std::uint16_t>(as_bytes(bytes).data() + 2 * i);
  } else if (bytes.size() >= count) {  // 8-bit entries, packed
    for (std::size_t i = 0; i < count; ++i) table.entries[i] = static_cast<std::uint8_t>(bytes[i]);
    table.bits = std::min(table.bits, 8u);
  } else {
    return fail(Errc::malformed, "lookup table data");
  }
  if (table.bits < 1 || table.bits > 16) table.bits = 16;
  // Tables of the field say 16 bits and hold fewer, or the reverse.
  const auto largest = *std::max_element(table.entries.begin(), table.entries.end());
  table.bits = std::max(table.bits, static_cast<unsigned>(std::bit_width(static_cast<unsigned>(largest))));
  return table;
}

/// The stored values as numbers: what lies outside Bits Stored is no part of them (PS3.5 §8.1.1).
class Samples {
 public:
  Samples(const codec::Frame& frame, const codec::PixelFormat& format, bool native_samples) : frame_(frame) {
    width_ = frame.bits_allocated;
    stored_ = std::clamp<unsigned>(frame.bits_stored, 1, width_);
    if (native_samples && format.high_bit + 1u > stored_ && format.high_bit < width_) {
      shift_ = format.high_bit + 1u - stored_;
    }
  }
  std::size_t size() const noexcept { return frame_.samples.size() / (width_ / 8); }
  bool is_integer() const noexcept { return frame_.kind == codec::SampleKind::integer; }
  unsigned width() const noexcept { return width_; }

  double value(std::size_t i) const noexcept {
    const std::byte* at = frame_.samples.data() + i * (width_ / 8);
    if (!is_integer()) {
      if (width_ == 64) return std::bit_cast<double>(load_le<std::uint64_t>(at));
      return static_cast<double>(std::bit_cast<float>(load_le<std::uint32_t>(at)));
    }
    std::uint64_t word = 0;
    if (width_ == 8) word = std::to_integer<std::uint8_t>(*at);
    if (width_ == 16) word = load_le<std::uint16_t>(at);
    if (width_ == 32) word = load_le<std::uint32_t>(at);
    if (width_ == 64) word = load_le<std::uint64_t>(at);
    return number(word);
  }
  /// The number that a word of the sample width stands for.
  double number(std::uint64_t word) const noexcept {
    const unsigned unused = 64 - stored_;
    word = (word >> shift_) << unused;
    return frame_.is_signed ? static_cast<double>(static_cast<std::int64_t>(word) >> unused)
                            : static_cast<double>(word >> unused);
  }

 private:
  const codec::Frame& frame_;
  unsigned width_ = 8, stored_ = 8, shift_ = 0;
};

/// Modality LUT or rescale (PS3.3 §C.11.1).
struct Modality {
  std::optional<LookupTable> table;
  double slope = 1, intercept = 0;
  double operator()(double stored) const noexcept { return table ? table->at(stored) : stored * slope + intercept; }
};

Result<Modality> modality_of(const FrameAttributes& a, const codec::PixelFormat& format, const ValueReader& read) {
  Modality out;
  if (const dicom::DataSet* lut = a.top().item(tags::ModalityLUTSequence)) {
    CAIRN_TRY(out.table, lookup_table(*lut, tags::LUTDescriptor, tags::LUTData, format.is_signed, read));
    return out;
  }
  const dicom::DataSet& d = a.in(tags::PixelValueTransformationSequence);
  out.slope = d.number(tags::RescaleSlope).value_or(1);
  out.intercept = d.number(tags::RescaleIntercept).value_or(0);
  if (out.slope == 0) out.slope = 1;  // as some senders leave it
  return out;
}

std::optional<codec::Window> window_of(const FrameAttributes& a) {
  const dicom::DataSet& d = a.in(tags::FrameVOILUTSequence);
  const auto center = d.number(tags::WindowCenter), width = d.number(tags::WindowWidth);
  if (!center || !width) return std::nullopt;
  codec::Window window{*center, *width, codec::VOIFunction::linear};
  const std::string function = d.text(tags::VOILUTFunction);
  if (function == "LINEAR_EXACT") window.function = codec::VOIFunction::linear_exact;
  if (function == "SIGMOID") window.function = codec::VOIFunction::sigmoid;
  if (window.function == codec::VOIFunction::linear && window.width > 0 && window.width < 1) {
    window.function = codec::VOIFunction::linear_exact;
  }
  return codec::validate(window) ? std::optional(window) : std::nullopt;
}

/// Pixel Padding (PS3.3 §C.7.5.1.1.2): left out when the range of the values makes the window.
struct Padding {
  double low = 1, high = 0;
  bool covers(double stored) const noexcept { return stored >= low && stored <= high; }
};
Padding padding_of(const dicom::DataSet& d, const codec::PixelFormat& format) {
  const auto word = [&](dicom::Tag tag) -> std::optional<double> {
    const dicom::Element* e = d.find(tag);
    if (e == nullptr || e->value.size() < 2) return std::nullopt;
    const auto raw = load_le<std::uint16_t>(as_bytes(e->value).data());
    return format.is_signed ? static_cast<double>(static_cast<std::int16_t>(raw)) : static_cast<double>(raw);
  };
  const auto value = word(tags::PixelPaddingValue);
  if (!value) return {};
  const double limit = word(tags::PixelPaddingRangeLimit).value_or(*value);
  return {std::min(*value, limit), std::max(*value, limit)};
}

codec::Window window_of_values(const Samples& samples, const Modality& modality, const Padding& padding) {
  double low = INFINITY, high = -INFINITY;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double stored = samples.value(i);
    if (padding.covers(stored) || !std::isfinite(stored)) continue;
    const double value = modality(stored);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!(low < high)) return {std::isfinite(low) ? low : 0.0, 1, codec::VOIFunction::linear_exact};
  return {(low + high) / 2, high - low, codec::VOIFunction::linear_exact};
}

/// The VOI transform to 0..255.
struct VOI {
  codec::Window window;
  std::optional<LookupTable> table;
  bool invert = false;

  std::uint8_t operator()(double value) const noexcept {
    double out = 0;
    if (table) {
      out = table->at(value) * 255.0 / static_cast<double>((1u << table->bits) - 1);
    } else {
      out = codec::voi_value(window, std::isnan(value) ? -1e300 : value);
    }
    const auto grey = static_cast<std::uint8_t>(std::clamp(std::floor(out + 0.5), 0.0, 255.0));
    return invert ? static_cast<std::uint8_t>(255 - grey) : grey;
  }
};

/// Each word by a table of the shades of all words between the least and the largest. `flip`: the sign bit, so that the
/// order of words is that of their numbers and the table is short.
template <class Word, class Shade>
void shade_by_table(Bytes samples, Word flip, const Shade& shade, std::vector<std::uint8_t>& out) {
  const auto word = [&](std::size_t i) {
    return static_cast<Word>(load_le<Word>(samples.data() + i * sizeof(Word)) ^ flip);
  };
  Word low = std::numeric_limits<Word>::max(), high = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    low = std::min(low, word(i));
    high = std::max(high, word(i));
  }
  if (out.empty()) return;
  const std::size_t count = std::size_t{high} - low + 1;
  if (count > out.size()) {  // few pixels far apart
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = shade(static_cast<Word>(word(i) ^ flip));
    return;
  }
  std::vector<std::uint8_t> table(count);
  for (std::size_t i = 0; i < count; ++i) table[i] = shade(static_cast<Word>((low + i) ^ flip));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = table[static_cast<std::size_t>(word(i)) - low];
}

Result<Picture> grey(const FrameAttributes& a, const codec::PixelFormat& format, const codec::Frame& frame,
                     const Samples& samples, const std::optional<codec::Window>& asked, const ValueReader& read) {
  CAIRN_TRY(const Modality modality, modality_of(a, format, read));
  VOI voi;
  // P-VALUES that PRESENTATION LUT SHAPE turns round are turned round as MONOCHROME1's are.
  voi.invert = (frame.photometric == "MONOCHROME1") !=
               (a.top().text(tags::PresentationLUTShape) == "INVERSE" && frame.photometric != "MONOCHROME1");
  const dicom::DataSet* lut = a.in(tags::FrameVOILUTSequence).item(tags::VOILUTSequence);
  if (asked) {
    voi.window = *asked;
  } else if (const auto window = window_of(a)) {
    voi.window = *window;
  } else if (lut != nullptr) {
    CAIRN_TRY(voi.table, lookup_table(*lut, tags::LUTDescriptor, tags::LUTData, true, read));
  } else {
    voi.window = window_of_values(samples, modality, padding_of(a.top(), format));
  }
  Picture out{frame.rows, frame.columns, 1, std::vector<std::uint8_t>(samples.size())};
  const auto shade = [&](std::uint64_t word) { return voi(modality(samples.number(word))); };
  if (samples.is_integer() && samples.width() == 8) {
    shade_by_table<std::uint8_t>(frame.samples, 0, shade, out.samples);
  } else if (samples.is_integer() && samples.width() == 16) {
    shade_by_table<std::uint16_t>(frame.samples, frame.is_signed ? 0x8000 : 0, shade, out.samples);
  } else {
    for (std::size_t i = 0; i < out.samples.size(); ++i) out.samples[i] = voi(modality(samples.value(i)));
  }
  return out;
}

/// The palette of the data set, whole or segmented (PS3.3 §C.7.6.3.1.5, §C.7.9.2).
Result<codec::Palette> palette_of(const dicom::DataSet& d, const codec::PixelFormat& format, const ValueReader& read) {
  const dicom::Tag tags_of[3][3] = {
      {tags::RedPaletteColorLookupTableDescriptor, tags::RedPaletteColorLookupTableData,
       tags::SegmentedRedPaletteColorLookupTableData},
      {tags::GreenPaletteColorLookupTableDescriptor, tags::GreenPaletteColorLookupTableData,
       tags::SegmentedGreenPaletteColorLookupTableData},
      {tags::BluePaletteColorLookupTableDescriptor, tags::BluePaletteColorLookupTableData,
       tags::SegmentedBluePaletteColorLookupTableData}};
  std::array<codec::PaletteTable, 3> tables;
  for (std::size_t c = 0; c < 3; ++c) {
    const dicom::Element* descriptor = d.find(tags_of[c][0]);
    const dicom::Element* data = d.find(tags_of[c][1]);
    const bool segmented = data == nullptr;
    if (segmented) data = d.find(tags_of[c][2]);
    if (descriptor == nullptr || data == nullptr) return fail(Errc::missing, "palette colour lookup table");
    CAIRN_TRY(const std::string bytes, read(*data));
    CAIRN_TRY(tables[c],
              codec::read_palette(as_bytes(descriptor->value), as_bytes(bytes), segmented, format.is_signed));
  }
  return codec::Palette::make(std::move(tables));
}

Result<Picture> palette(const dicom::DataSet& d, const codec::PixelFormat& format, const codec::Frame& frame,
                        const Samples& samples, const ValueReader& read) {
  CAIRN_TRY(const codec::Palette colours, palette_of(d, format, read));
  Picture out{frame.rows, frame.columns, 3, std::vector<std::uint8_t>(samples.size() * 3)};
  for (std::size_t i = 0; i < samples.size(); ++i) std::ranges::copy(colours(samples.value(i)), &out.samples[3 * i]);
  return out;
}

/// Pixel Presentation (PS3.3 §C.8.16.2.1.1): the frame's, where frames differ.
bool is_coloured(const FrameAttributes& a) {
  for (const dicom::Tag sequence : {tags::MRImageFrameTypeSequence, tags::CTImageFrameTypeSequence,
                                    tags::PETFrameTypeSequence, tags::XRay3DFrameTypeSequence}) {
    const dicom::DataSet* group = a.group(sequence);
    if (group != nullptr && group->contains(tags::PixelPresentation))
      return group->text(tags::PixelPresentation) == "COLOR";
  }
  return a.top().text(tags::PixelPresentation) == "COLOR";
}

/// Stored values from the palette's first on are colours, the others stay grey (PS3.3 §C.7.6.19).
Result<Picture> supplemented(const Picture& picture, const codec::Palette& colours, const Samples& samples) {
  Picture out{picture.rows, picture.columns, 3, std::vector<std::uint8_t>(samples.size() * 3)};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double value = samples.value(i);
    if (value >= static_cast<double>(colours.first())) {
      std::ranges::copy(colours(value), &out.samples[3 * i]);
    } else {
      std::fill_n(&out.samples[3 * i], 3, picture.samples[i]);
    }
  }
  return out;
}

std::uint8_t rounded(double x) noexcept {
  return static_cast<std::uint8_t>(std::clamp(std::floor(x + 0.5), 0.0, 255.0));
}

Result<Picture> colour(const codec::Frame& frame, const Samples& samples) {
  const bool rgb = frame.photometric == "RGB";
  const bool full = frame.photometric == "YBR_FULL" || frame.photometric == "YBR_FULL_422";
  const bool partial = frame.photometric == "YBR_PARTIAL_422" || frame.photometric == "YBR_PARTIAL_420";
  if (!rgb && !full && !partial) return fail(Errc::unsupported, "PhotometricInterpretation");
  if (!samples.is_integer() || frame.bits_allocated > 32) return fail(Errc::unsupported, "colour samples");
  Picture out{frame.rows, frame.columns, 3, std::vector<std::uint8_t>(samples.size())};
  if (frame.bits_allocated == 8 && frame.bits_stored == 8) {
    std::memcpy(out.samples.data(), frame.samples.data(), out.samples.size());
  } else {
    const double most = static_cast<double>((std::uint64_t{1} << std::clamp<unsigned>(frame.bits_stored, 1, 32)) - 1);
    for (std::size_t i = 0; i < out.samples.size(); ++i) out.samples[i] = rounded(samples.value(i) * 255 / most);
  }
  if (rgb) return out;
  for (std::size_t i = 0; i + 3 <= out.samples.size(); i += 3) {
    double y = out.samples[i], cb = out.samples[i + 1] - 128.0, cr = out.samples[i + 2] - 128.0;
    if (partial) {  // ITU-R BT.601 with head and foot room
      y = (y - 16) * 255 / 219;
      cb *= 255.0 / 224;
      cr *= 255.0 / 224;
    }
    out.samples[i] = rounded(y + 1.402 * cr);
    out.samples[i + 1] = rounded(y - 0.344136 * cb - 0.714136 * cr);
    out.samples[i + 2] = rounded(y + 1.772 * cb);
  }
  return out;
}

/// The frame by its own values, with nothing over it.
Result<Picture> bare(const FrameAttributes& attributes, const codec::PixelFormat& format, const codec::Frame& frame,
                     const Samples& samples, const std::optional<codec::Window>& window, const ValueReader& read) {
  const dicom::DataSet& data_set = attributes.top();
  if (frame.samples_per_pixel == 3) return colour(frame, samples);
  if (frame.samples_per_pixel != 1) return fail(Errc::unsupported, "SamplesPerPixel");
  if (frame.photometric == "PALETTE COLOR") return palette(data_set, format, frame, samples, read);
  CAIRN_TRY(Picture picture, grey(attributes, format, frame, samples, window, read));
  if (!is_coloured(attributes) || !data_set.contains(tags::RedPaletteColorLookupTableDescriptor)) return picture;
  CAIRN_TRY(const codec::Palette colours, palette_of(data_set, format, read));
  return supplemented(picture, colours, samples);
}

}  // namespace

Result<Picture> present(const dicom::DataSet& data_set, std::uint32_t frame_number, const codec::PixelFormat& format,
                        const codec::Frame& frame, bool native_samples, const std::optional<codec::Window>& window,
                        const ValueReader& read) {
  const Samples samples(frame, format, native_samples);
  const std::size_t pixels = std::size_t{frame.rows} * frame.columns;
  if (samples.size() != pixels * frame.samples_per_pixel) return fail(Errc::mismatch, "decoded frame");
  const FrameAttributes attributes(data_set, frame_number);
  CAIRN_TRY(Picture picture, bare(attributes, format, frame, samples, window, read));
  close_shutter(attributes, picture);
  CAIRN_TRYV(draw_overlays(data_set, frame_number, frame, native_samples, read, picture));
  return picture;
}

}  // namespace cairn::web
