#include "engine/web/instance_builder.h"

#include <algorithm>
#include <optional>

#include "codec/codestream.h"
#include "codec/encode.h"
#include "codec/pixel_format.h"
#include "engine/core/uid.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"
#include "engine/transcode/pixel_module.h"
#include "engine/web/frame_negotiation.h"
#include "engine/web/media_type.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
namespace uids = codec::uids;
using codec::Coding;
using dicom::DataSet;
using dicom::Element;
using dicom::VR;

constexpr std::uint16_t kCoerced = 0xB000, kDiscarded = 0xB006;
constexpr std::uint64_t kMaxLength = 0xfffffffe;
constexpr std::size_t kHeadBytes = 1u << 20;       ///< of a codestream, to look at
constexpr std::size_t kLongHeadBytes = 64u << 20;  ///< of one whose header is longer

using Parts = std::vector<BulkPart>;

std::uint64_t total_of(const Parts& parts) {
  std::uint64_t total = 0;
  for (const BulkPart& part : parts) total += part.extent.length;
  return total;
}

/// Pixel Data that came as bulk data, decided.
struct Pixels {
  const codec::TransferSyntax* syntax = codec::find_transfer_syntax(uids::kExplicitVRLittleEndian);
  std::vector<dicom::Extent> frames;  ///< encapsulated: a fragment each
};

class Pieces {
 public:
  std::vector<StreamPiece> out;

  std::string& text() {
    if (out.empty() || out.back().extent.length != 0) out.emplace_back();
    return out.back().bytes;
  }
  void put16(std::uint16_t v) { put(v); }
  void put32(std::uint32_t v) { put(v); }
  void put64(std::uint64_t v) { put(v); }
  void tag(dicom::Tag t) {
    put(t.group);
    put(t.element);
  }
  void item(dicom::Tag t, std::uint32_t length) {
    tag(t);
    put(length);
  }
  void long_header(dicom::Tag t, VR vr, std::uint32_t length) {
    tag(t);
    text().push_back(static_cast<char>(static_cast<unsigned>(vr) >> 8));
    text().push_back(static_cast<char>(static_cast<unsigned>(vr) & 0xff));
    put(std::uint16_t{0});
    put(length);
  }
  /// With what makes it even.
  void spooled(dicom::Extent extent, char padding = '\0') {
    if (extent.length == 0) return;
    text();
    out.back().extent = extent;
    if (extent.length % 2 != 0) text().push_back(padding);
  }

 private:
  template <std::unsigned_integral T>
  void put(T number) {
    std::array<std::byte, sizeof(T)> bytes;
    store_le(bytes.data(), number);
    text().append(as_text(bytes));
  }
};

bool has_bulk(const Element& element) {
  if (element.bulk) return true;
  return std::any_of(element.items.begin(), element.items.end(), [](const DataSet& item) {
    return std::any_of(item.elements().begin(), item.elements().end(), has_bulk);
  });
}

class Builder {
 public:
  Builder(dicom::ReadDataSet read, const std::function<const Parts*(const std::string&)>& parts_of, const Spool& spool)
      : read_(std::move(read)), d_(read_.data_set), parts_of_(parts_of), spool_(spool) {}

  Result<BuiltInstance> build() {
    BuiltInstance built;
    if (read_.coerced) warning_ = kCoerced;
    if (read_.discarded) warning_ = kDiscarded;
    stated_syntax_ = d_.text(tags::TransferSyntaxUID);
    while (!d_.empty() && d_.elements().front().tag.group == 0x0002) d_.erase(d_.elements().front().tag);
    if (!is_usable_uid(d_.text(tags::SOPClassUID))) return fail(Errc::missing, "SOPClassUID");
    if (!is_usable_uid(d_.text(tags::SOPInstanceUID))) return fail(Errc::missing, "SOPInstanceUID");
    CAIRN_TRYV(decide_document());
    CAIRN_TRYV(decide_pixels());
    pieces_.text() =
        dicom::make_file_meta(d_.text(tags::SOPClassUID), d_.text(tags::SOPInstanceUID), pixels_.syntax->uid, {});
    CAIRN_TRYV(write(d_, true));
    built.pieces = std::move(pieces_.out);
    built.warning = warning_;
    return built;
  }

 private:
  Result<const Parts*> parts_of(const Element& element) {
    const Parts* parts = parts_of_(read_.bulk_uris[static_cast<std::size_t>(element.bulk->stream_offset)]);
    if (parts == nullptr || parts->empty()) return fail(Errc::missing, "bulk data part");
    return parts;
  }

  // --- encapsulated documents (PS3.3 §C.24.2) ---

  Result<> decide_document() {
    const Element* document = d_.find(tags::EncapsulatedDocument);
    if (document == nullptr || !document->bulk) return outcome::success();
    CAIRN_TRY(const Parts* parts, parts_of(*document));
    const auto type = parse_media_type(parts->front().content_type);
    if (d_.text(tags::MIMETypeOfEncapsulatedDocument).empty()) {
      if (!type) return fail(Errc::missing, "MIMETypeOfEncapsulatedDocument");
      d_.set_text(tags::MIMETypeOfEncapsulatedDocument, VR::LO, type->type + '/' + type->subtype);
    }
    const std::uint64_t length = total_of(*parts);
    if (length > kMaxLength) return fail(Errc::limit_exceeded, "length of the document");
    const auto stated = d_.integer(tags::EncapsulatedDocumentLength);
    if (stated && static_cast<std::uint64_t>(*stated) != length) warning_ = kCoerced;
    d_.set_ul(tags::EncapsulatedDocumentLength, static_cast<std::uint32_t>(length));
    return outcome::success();
  }

  // --- pixel data ---

  Result<> decide_pixels() {
    const Element* pixels = nullptr;
    for (const dicom::Tag tag : {tags::PixelData, tags::FloatPixelData, tags::DoubleFloatPixelData}) {
      if (const Element* found = d_.find(tag); found != nullptr && found->bulk) pixels = found;
    }
    if (pixels == nullptr) return outcome::success();
    CAIRN_TRY(const Parts* parts, parts_of(*pixels));
    const std::string& content_type = parts->front().content_type;
    for (const BulkPart& part : *parts) {
      if (part.content_type != content_type) return fail(Errc::mismatch, "media types of one value");
    }
    const auto type = parse_media_type(content_type.empty() ? "application/octet-stream" : content_type);
    if (!type) return fail(Errc::malformed, "Content-Type of bulk data");
    // What the part says counts; the metadata's File Meta Information is what the object had been elsewhere.
    std::string named(type->parameter("transfer-syntax"));
    const bool by_part = !named.empty() && named != "*";
    if (!by_part) named = stated_syntax_;
    const auto* syntax = named.empty() ? nullptr : codec::find_transfer_syntax(named);
    if (!named.empty() && syntax == nullptr) return fail(Errc::unsupported, "transfer-syntax of bulk data");

    if (type->matches("application/octet-stream") && (syntax == nullptr || !syntax->encapsulated)) {
      if (syntax != nullptr && syntax->big_endian_pixels) return fail(Errc::unsupported, "big-endian bulk data");
      return decide_native(*parts);
    }
    if (pixels->tag != tags::PixelData) return fail(Errc::mismatch, "media type of float pixel data");
    for (const BulkPart& part : *parts) {
      if (part.extent.length == 0) return fail(Errc::truncated, "frame of the bulk data");
      if (part.extent.length > kMaxLength) return fail(Errc::limit_exceeded, "frame of the bulk data");
      pixels_.frames.push_back(part.extent);
    }
    const std::string media(standard_media_type(type->type + '/' + type->subtype));
    const bool plain = type->matches("application/octet-stream");
    if (!plain && syntax != nullptr && media_type_of(*syntax) != media) {
      if (by_part) return fail(Errc::mismatch, "media type and transfer-syntax");
      syntax = nullptr;  // the object was another one
    }
    if (type->type == "video" || (plain && syntax->video)) return decide_video(syntax);
    if (media == "image/jpeg" || media == "image/jls" || media == "image/jp2" || media == "image/jphc" ||
        media == "image/j2k" || (plain && is_inspected(syntax->coding))) {
      return decide_pictures(syntax, plain || media == "image/j2k" ? std::string_view() : media);
    }
    if (media == "image/dicom-rle") syntax = codec::find_transfer_syntax(uids::kRLELossless);
    if (syntax == nullptr || !syntax->storable || !syntax->encapsulated) {
      return fail(Errc::unsupported, "media type of bulk data");
    }
    return decide_unseen(*syntax);
  }

  static bool is_inspected(Coding coding) {
    return coding == Coding::jpeg_dct || coding == Coding::jpeg_lossless || coding == Coding::jpeg_ls ||
           coding == Coding::jpeg2000 || coding == Coding::htj2k;
  }

  Result<> decide_native(const Parts& parts) {
    const codec::PixelFormat format = transcode::pixel_format_of(d_);
    CAIRN_TRYV(codec::validate(format));
    const std::uint64_t bits = codec::native_frame_bits(format);
    if (format.number_of_frames > kMaxLength * 8 / bits) return fail(Errc::mismatch, "length of native pixel data");
    const std::uint64_t bytes = (bits * format.number_of_frames + 7) / 8;
    const std::uint64_t sent = total_of(parts);
    if (sent != bytes && sent != bytes + bytes % 2) return fail(Errc::mismatch, "length of native pixel data");
    if (format.bits_allocated > 8 && format.kind == codec::SampleKind::integer) {
      Element words = *d_.find(tags::PixelData);  // PS3.5 §A.2: never OB
      words.vr = VR::OW;
      d_.set(std::move(words));
    }
    return outcome::success();
  }

  /// The attribute, when the metadata leaves it out; else it has to be `value`.
  Result<> agree(dicom::Tag tag, std::uint32_t value, const char* name) {
    const auto stated = d_.integer(tag);
    if (!stated) {
      d_.set_us(tag, static_cast<std::uint16_t>(value));
    } else if (*stated != static_cast<std::int64_t>(value)) {
      return fail(Errc::mismatch, name);
    }
    return outcome::success();
  }

  Result<> take_attributes(const codec::Codestream& stream) {
    CAIRN_TRYV(agree(tags::Rows, stream.rows, "Rows and the codestream"));
    CAIRN_TRYV(agree(tags::Columns, stream.columns, "Columns and the codestream"));
    CAIRN_TRYV(agree(tags::SamplesPerPixel, stream.samples_per_pixel, "SamplesPerPixel and the codestream"));
    const std::uint16_t width = stream.bits_stored <= 8 ? 8 : stream.bits_stored <= 16 ? 16 : 32;
    if (!d_.integer(tags::BitsAllocated)) d_.set_us(tags::BitsAllocated, width);
    const auto allocated = *d_.integer(tags::BitsAllocated);
    if (allocated < stream.bits_stored) return fail(Errc::mismatch, "BitsAllocated and the codestream");
    if (!d_.integer(tags::BitsStored)) d_.set_us(tags::BitsStored, stream.bits_stored);
    const auto stored = *d_.integer(tags::BitsStored);
    if (stored < 1 || stored > allocated) return fail(Errc::mismatch, "BitsStored and BitsAllocated");
    if (!d_.integer(tags::HighBit)) d_.set_us(tags::HighBit, static_cast<std::uint16_t>(stored - 1));
    if (!d_.integer(tags::PixelRepresentation)) d_.set_us(tags::PixelRepresentation, stream.is_signed ? 1 : 0);
    if (stream.samples_per_pixel > 1 && !d_.integer(tags::PlanarConfiguration)) {
      d_.set_us(tags::PlanarConfiguration, 0);
    }
    if (d_.text(tags::PhotometricInterpretation).empty()) {
      d_.set_text(tags::PhotometricInterpretation, VR::CS, stream.photometric);
    }
    return outcome::success();
  }

  void say_lossy(const codec::Codestream& stream, std::uint64_t frames, std::uint64_t coded_bytes) {
    if (!stream.lossy || !d_.text(tags::LossyImageCompression).empty()) return;
    const std::uint64_t native =
        frames * stream.rows * stream.columns * stream.samples_per_pixel * ((stream.bits_stored + 7u) / 8);
    d_.set_text(tags::LossyImageCompression, VR::CS, "01");
    d_.set_text(tags::LossyImageCompressionRatio, VR::DS, codec::lossy_ratio(native, coded_bytes));
    d_.set_text(tags::LossyImageCompressionMethod, VR::CS, stream.lossy_method);
  }

  Result<> count_frames(std::uint64_t frames) {
    const auto stated = d_.integer(tags::NumberOfFrames);
    if (stated.value_or(1) != static_cast<std::int64_t>(frames) && (stated || frames > 1)) {
      if (stated) return fail(Errc::mismatch, "NumberOfFrames and the parts");
      d_.set_text(tags::NumberOfFrames, VR::IS, std::to_string(frames));
    }
    return outcome::success();
  }

  Result<codec::Codestream> inspect(dicom::Extent extent) {
    SpoolSource source(spool_, extent);
    for (const std::size_t most : {kHeadBytes, kLongHeadBytes}) {
      std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(extent.length, most)));
      CAIRN_TRY(const std::size_t got, source.read(0, head));
      auto seen = codec::inspect_picture(Bytes(head).first(got), extent.length);
      if (seen || !(seen.error() == Errc::truncated) || extent.length <= most || most == kLongHeadBytes) return seen;
    }
    return fail(Errc::truncated, "picture");
  }

  /// Syntaxes that allow more than the one a stream was found to be.
  static bool may_be(const codec::TransferSyntax& named, const codec::Codestream& stream) {
    if (named.uid == stream.syntax->uid) return true;
    if (named.coding != stream.syntax->coding) return false;
    if (named.coding == Coding::jpeg_dct) {
      return named.uid == uids::kJPEGExtended && stream.syntax->uid == uids::kJPEGBaseline;
    }
    return named.fidelity == codec::Fidelity::either || named.uid == uids::kJPEGLossless ||
           named.uid == uids::kHTJ2KLossless;
  }

  /// `media`: empty where the type of the part does not say the coding.
  Result<> decide_pictures(const codec::TransferSyntax* named, std::string_view media) {
    std::optional<codec::Codestream> first;
    for (dicom::Extent& frame : pixels_.frames) {
      CAIRN_TRY(auto stream, inspect(frame));
      frame = {frame.offset + stream.offset, stream.length};
      if (!first) {
        first = std::move(stream);
        if (!media.empty() && media_type_of(*first->syntax) != media) {
          return fail(Errc::mismatch, "media type and the codestream");
        }
        if (named != nullptr && !may_be(*named, *first)) {
          return fail(Errc::mismatch, "transfer-syntax and the codestream");
        }
      } else if (stream.syntax->coding != first->syntax->coding || stream.rows != first->rows ||
                 stream.columns != first->columns || stream.samples_per_pixel != first->samples_per_pixel ||
                 stream.lossy != first->lossy) {
        return fail(Errc::mismatch, "codestreams of one value");
      } else if (stream.syntax != first->syntax) {
        return fail(Errc::mismatch, "transfer syntaxes of one value");
      }
    }
    pixels_.syntax = named != nullptr ? named : first->syntax;
    CAIRN_TRYV(take_attributes(*first));
    CAIRN_TRYV(count_frames(pixels_.frames.size()));
    std::uint64_t coded = 0;
    for (const dicom::Extent& frame : pixels_.frames) coded += frame.length;
    say_lossy(*first, pixels_.frames.size(), coded);
    return outcome::success();
  }

  Result<> decide_video(const codec::TransferSyntax* named) {
    if (pixels_.frames.size() != 1) return fail(Errc::mismatch, "a video in several parts");
    SpoolSource source(spool_, pixels_.frames.front());
    auto seen = codec::inspect_video(source);
    if (!seen && (named == nullptr || !d_.integer(tags::Rows) || !d_.integer(tags::Columns))) return seen.error();
    if (!seen) {
      // A container that is not looked into; the metadata says all.
      pixels_.syntax = named;
      return d_.integer(tags::NumberOfFrames) ? Result<>(outcome::success())
                                              : Result<>(fail(Errc::missing, "NumberOfFrames"));
    }
    const codec::Codestream& stream = seen.value();
    if (named != nullptr && media_type_of(*named) != media_type_of(*stream.syntax)) {
      return fail(Errc::mismatch, "transfer-syntax and the video");
    }
    pixels_.syntax = named != nullptr ? named : stream.syntax;
    CAIRN_TRYV(take_attributes(stream));
    if (!d_.integer(tags::NumberOfFrames)) {
      if (stream.frames == 0) return fail(Errc::missing, "NumberOfFrames");
      d_.set_text(tags::NumberOfFrames, VR::IS, std::to_string(stream.frames));
    }
    const auto frames = static_cast<std::uint64_t>(std::max<std::int64_t>(1, *d_.integer(tags::NumberOfFrames)));
    say_lossy(stream, frames, pixels_.frames.front().length);
    return outcome::success();
  }

  /// Codings whose streams say nothing of the picture: the metadata has to.
  Result<> decide_unseen(const codec::TransferSyntax& syntax) {
    CAIRN_TRYV(codec::validate(transcode::pixel_format_of(d_)));
    pixels_.syntax = &syntax;
    return count_frames(pixels_.frames.size());
  }

  // --- writing ---

  Result<> write(const DataSet& set, bool root) {
    DataSet run;  // elements that are written as they are
    const auto flush = [&] {
      pieces_.text().append(run.encode({}));
      run = {};
    };
    for (const Element& element : set.elements()) {
      if (root && pixels_.syntax->encapsulated &&
          (element.tag == tags::ExtendedOffsetTable || element.tag == tags::ExtendedOffsetTableLengths)) {
        continue;  // made anew
      }
      if (!has_bulk(element)) {
        run.set(element);
        continue;
      }
      flush();
      if (!element.bulk) {
        CAIRN_TRYV(write_sequence(element));
      } else if (root && element.tag == tags::PixelData && pixels_.syntax->encapsulated) {
        write_encapsulated();
      } else {
        CAIRN_TRYV(write_value(element));
      }
    }
    flush();
    return outcome::success();
  }

  Result<> write_sequence(const Element& element) {
    pieces_.long_header(element.tag, VR::SQ, 0xffffffff);
    for (const DataSet& item : element.items) {
      pieces_.item(tags::Item, 0xffffffff);
      CAIRN_TRYV(write(item, false));
      pieces_.item(tags::ItemDelimitationItem, 0);
    }
    pieces_.item(tags::SequenceDelimitationItem, 0);
    return outcome::success();
  }

  Result<> write_value(const Element& element) {
    CAIRN_TRY(const Parts* parts, parts_of(element));
    std::uint64_t length = total_of(*parts);
    length += length % 2;
    if (length > kMaxLength) return fail(Errc::limit_exceeded, "length of a value");
    VR vr = element.vr;
    if (parts->size() > 1) return fail(Errc::mismatch, "several parts of one value");
    if (!dicom::properties(vr).long_length) {
      if (length > 0xffff) {
        vr = VR::UN;  // PS3.5 §6.2.2
      } else {
        pieces_.tag(element.tag);
        pieces_.text().push_back(static_cast<char>(static_cast<unsigned>(vr) >> 8));
        pieces_.text().push_back(static_cast<char>(static_cast<unsigned>(vr) & 0xff));
        pieces_.put16(static_cast<std::uint16_t>(length));
      }
    }
    if (dicom::properties(vr).long_length) pieces_.long_header(element.tag, vr, static_cast<std::uint32_t>(length));
    const bool text = dicom::properties(vr).text && vr != VR::UI;
    pieces_.spooled(parts->front().extent, text ? ' ' : '\0');
    return outcome::success();
  }

  /// PS3.5 §A.4: one fragment a frame, with an offset table where there are several.
  void write_encapsulated() {
    const auto& frames = pixels_.frames;
    const bool several = frames.size() > 1;
    std::vector<std::uint64_t> offsets;
    std::uint64_t at = 0;
    for (const dicom::Extent& frame : frames) {
      offsets.push_back(at);
      at += 8 + frame.length + frame.length % 2;
    }
    const bool extended = several && offsets.back() > 0xffffffff;
    if (extended) {
      const auto bytes = static_cast<std::uint32_t>(frames.size() * 8);
      pieces_.long_header(tags::ExtendedOffsetTable, VR::OV, bytes);
      for (const std::uint64_t offset : offsets) pieces_.put64(offset);
      pieces_.long_header(tags::ExtendedOffsetTableLengths, VR::OV, bytes);
      for (const dicom::Extent& frame : frames) pieces_.put64(frame.length);
    }
    pieces_.long_header(tags::PixelData, VR::OB, 0xffffffff);
    const bool basic = several && !extended;
    pieces_.item(tags::Item, basic ? static_cast<std::uint32_t>(frames.size() * 4) : 0);
    if (basic) {
      for (const std::uint64_t offset : offsets) pieces_.put32(static_cast<std::uint32_t>(offset));
    }
    for (const dicom::Extent& frame : frames) {
      pieces_.item(tags::Item, static_cast<std::uint32_t>(frame.length + frame.length % 2));
      pieces_.spooled(frame);
    }
    pieces_.item(tags::SequenceDelimitationItem, 0);
  }

  dicom::ReadDataSet read_;
  DataSet& d_;
  const std::function<const Parts*(const std::string&)>& parts_of_;
  const Spool& spool_;
  std::string stated_syntax_;
  Pixels pixels_;
  Pieces pieces_;
  std::uint16_t warning_ = 0;
};

}  // namespace

Result<BuiltInstance> build_instance(
    dicom::ReadDataSet read, const std::function<const std::vector<BulkPart>*(const std::string& uri)>& parts_of,
    const Spool& spool) {
  return Builder(std::move(read), parts_of, spool).build();
}

}  // namespace cairn::web
