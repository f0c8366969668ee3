#include "engine/transcode/transcoder.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <zlib.h>

#include "codec/decode.h"
#include "codec/native_joiner.h"
#include "engine/core/checksum.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/recode.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"
#include "engine/transcode/data_set_plan.h"
#include "engine/transcode/pixel_module.h"
#include "engine/transcode/pixel_source.h"

namespace cairn::transcode {
namespace {

namespace tags = dicom::tags;
using codec::Coding;
using dicom::DataSet;
using dicom::Element;
using dicom::VR;

constexpr std::size_t kCopyBytes = 1u << 20;
constexpr std::size_t kDeflatedPieceBytes = 16u << 10;  // may inflate 250 times
constexpr std::uint64_t kMaxIconBytes = 16u << 20;

bool is_native(const codec::TransferSyntax& syntax) {
  return !syntax.encapsulated && syntax.coding == Coding::native;
}

// --- data sets without pixels to code: element by element, in another encoding ------------------------------------

class Recoded final : public Transcoder {
 public:
  Recoded(archive::Archive& archive, const archive::Instance& instance, const codec::TransferSyntax& target)
      : Transcoder(instance, target),
        uid_(instance.sop_instance_uid),
        reader_(archive.open(instance)),
        at_(instance.data_set_offset),
        from_(dicom::encoding_of(instance.transfer_syntax_uid)),
        recoder_(from_, {target.explicit_vr, target.big_endian, false}) {}

  const std::string& sop_instance_uid() const noexcept override { return uid_; }
  std::uint64_t frame() const noexcept override { return 0; }

  Result<bool> next(std::string& out) override {
    while (at_ < reader_->size() && recoder_.out().empty()) {
      CAIRN_TRY(const auto view, reader_->view(at_));
      if (view.bytes.empty()) return fail(Errc::truncated, "stored stream", at_);
      const std::size_t n = from_.deflated ? std::min(view.bytes.size(), kDeflatedPieceBytes) : view.bytes.size();
      CAIRN_TRYV(recoder_.feed(view.bytes.first(n)));
      at_ += n;
    }
    const bool last = at_ >= reader_->size();
    if (last) {
      CAIRN_TRYV(recoder_.finish());
    }
    out += recoder_.out();
    recoder_.out().clear();
    return !last;
  }

 private:
  std::string uid_;
  std::unique_ptr<archive::StreamReader> reader_;
  std::uint64_t at_;
  dicom::Encoding from_;
  dicom::Recoder recoder_;
};

// --- pixels coded anew ---------------------------------------------------------------------------------------------

class FrameTranscoder final : public Transcoder {
 public:
  FrameTranscoder(const archive::Instance& instance, const codec::TransferSyntax& target, const Options& options)
      : Transcoder(instance, target),
        stored_uid_(instance.sop_instance_uid),
        uid_(instance.sop_instance_uid),
        options_(options) {}

  const std::string& sop_instance_uid() const noexcept override { return uid_; }
  std::uint64_t frame() const noexcept override { return frame_; }

  Result<> prepare(archive::Archive& archive, const archive::Instance& instance, const codec::TransferSyntax& stored,
                   const dicom::Header& header, DataSet data_set) {
    stored_ = &stored;
    // Elements that are out of order come in order: one of group 0002 would be taken for File Meta Information.
    while (!data_set.empty() && data_set.elements().front().tag.group < 0x0008) {
      data_set.erase(data_set.elements().front().tag);
    }
    source_ = open_source(archive, instance, header.was_deflated);
    CAIRN_TRY(PixelModule module, pixel_module_of(data_set));
    module.value.extended_offsets = as_bytes(module.extended_offsets);
    module.value.extended_lengths = as_bytes(module.extended_lengths);
    format_ = std::move(module.format);
    CAIRN_TRY(index_, codec::FrameIndex::build(*source_, module.value, stored, format_));
    if (index_.frame_count() == 0) return fail(Errc::truncated, "frames of the pixel data");
    frame_ = 1;
    CAIRN_TRY(auto first, decode(0));
    const bool stream_lossy = first.lossy;
    CAIRN_TRY(encoding_, codec::plan_encoding(target(), codec::decoded_format(format_, first), options_.encode));
    if (encoding_.lossy && !options_.allow_lossy) return fail(Errc::unsupported, "a coding that loses something");
    CAIRN_TRY(auto coded, codec::encode_frame(encoding_, first.samples));
    frame_ = 0;
    first.samples = {};
    follow(data_set, instance, stream_lossy, coded.coded_bytes);
    first_ = std::move(coded);
    for (const Element& element : data_set.elements()) {
      if (element.vr == VR::SQ) {
        CAIRN_TRYV(open_icons(data_set));
        break;
      }
    }
    DataSetPlan plan(encoding(), header.encoding.big_endian);
    CAIRN_TRYV(plan.write(data_set));
    steps_ = std::move(plan.steps);
    return outcome::success();
  }

  Result<bool> next(std::string& out) override {
    if (at_ == steps_.size()) return false;
    DataSetPlan::Step& step = steps_[at_];
    if (auto* text = std::get_if<std::string>(&step)) {
      out += *text;
      *text = {};
      ++at_;
    } else if (const auto* copy = std::get_if<DataSetPlan::Copy>(&step)) {
      CAIRN_TRY(const bool done, copy_some(*copy, out));
      if (done) ++at_;
    } else {
      CAIRN_TRY(const bool done, frame_more(out));
      if (done) ++at_;
    }
    return at_ < steps_.size();
  }

 private:
  dicom::Encoding encoding() const { return {target().explicit_vr, false, false}; }

  Result<codec::Frame> decode(std::uint64_t number) {
    CAIRN_TRY(const auto coded, index_.read(*source_, number));
    codec::DecodeOptions options;
    options.limits = options_.encode.limits;
    options.name = {stored_uid_, number + 1};
    return codec::decode_frame(*stored_, format_, coded, options);
  }

  /// The attributes of what comes out.
  void follow(DataSet& d, const archive::Instance& instance, bool stream_lossy, std::uint64_t coded_bytes) {
    const codec::PixelFormat& f = encoding_.format;
    const auto set = [&](dicom::Tag tag, std::uint16_t value) {
      if (d.integer(tag) != std::int64_t{value}) d.set_us(tag, value);
    };
    if (f.kind == codec::SampleKind::integer) {
      set(tags::BitsAllocated, f.bits_allocated);
      set(tags::BitsStored, f.bits_stored);
      set(tags::HighBit, f.high_bit);
    }
    if (f.samples_per_pixel > 1) set(tags::PlanarConfiguration, f.planar_configuration);
    if (d.text(tags::PhotometricInterpretation) != f.photometric) {
      d.set_text(tags::PhotometricInterpretation, VR::CS, f.photometric);
    }
    if (d.integer(tags::NumberOfFrames).value_or(1) != static_cast<std::int64_t>(index_.frame_count())) {
      d.set_text(tags::NumberOfFrames, VR::IS, std::to_string(index_.frame_count()));
    }
    d.erase(tags::ExtendedOffsetTable);
    d.erase(tags::ExtendedOffsetTableLengths);
    const std::uint64_t native = codec::native_frame_bits(encoding_.source) / 8;
    if (stream_lossy && d.text(tags::LossyImageCompression) != "01") {
      d.set_text(tags::LossyImageCompression, VR::CS, "01");
    }
    if (!encoding_.lossy) return;
    const auto add = [&](dicom::Tag tag, VR vr, std::string value) {
      const std::string before = d.text(tag);
      d.set_text(tag, vr, before.empty() ? value : before + '\\' + value);
    };
    d.set_text(tags::LossyImageCompression, VR::CS, "01");
    add(tags::LossyImageCompressionRatio, VR::DS, codec::lossy_ratio(native, coded_bytes));
    add(tags::LossyImageCompressionMethod, VR::CS, std::string(encoding_.lossy_method));
    make_derived(d, instance);
  }

  /// Another instance, which says where it comes from (PS3.3 §C.7.6.1.1.2, §C.12.4.1).
  void make_derived(DataSet& d, const archive::Instance& instance) {
    const codec::EncodeOptions& o = options_.encode;
    const auto digest = digest128(as_bytes(instance.sop_instance_uid + ' ' + std::string(target().uid) + ' ' +
                                           std::to_string(o.jpeg_quality) + ' ' + std::to_string(o.near_lossless) +
                                           ' ' + std::to_string(o.jpeg2000_ratio)));
    // A 128-bit number in decimal under 2.25 (PS3.5 §B.2).
    unsigned __int128 number = 0;
    for (const std::byte b : digest) number = number << 8 | std::to_integer<unsigned>(b);
    std::string digits;
    do {
      digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
      number /= 10;
    } while (number != 0);
    uid_ = "2.25." + digits;
    d.set_text(tags::SOPInstanceUID, VR::UI, uid_);
    std::string type = d.text(tags::ImageType);
    if (!type.empty())
      d.set_text(tags::ImageType, VR::CS, "DERIVED" + type.substr(std::min(type.find('\\'), type.size())));
    DataSet source;
    source.set_text(tags::ReferencedSOPClassUID, VR::UI, instance.sop_class_uid);
    source.set_text(tags::ReferencedSOPInstanceUID, VR::UI, instance.sop_instance_uid);
    Element sequence;
    sequence.tag = tags::SourceImageSequence;
    sequence.vr = VR::SQ;
    if (const Element* before = d.find(tags::SourceImageSequence)) sequence.items = before->items;
    sequence.items.push_back(std::move(source));
    d.set(std::move(sequence));
  }

  /// Icons may be encapsulated where the pixel data are (PS3.5 §A.4); here they become native ones.
  Result<> open_icons(DataSet& set) {
    std::vector<Element> changed;
    for (const Element& element : set.elements()) {
      if (element.vr != VR::SQ || !has_bulk(element)) continue;
      Element copy = element;
      for (DataSet& item : copy.items) {
        CAIRN_TRYV(open_icons(item));
        const Element* pixels = item.find(tags::PixelData);
        if (pixels == nullptr || !pixels->bulk || !pixels->bulk->encapsulated) continue;
        CAIRN_TRYV(open_icon(item));
      }
      changed.push_back(std::move(copy));
    }
    for (Element& element : changed) set.set(std::move(element));
    return outcome::success();
  }

  Result<> open_icon(DataSet& item) {
    CAIRN_TRY(const PixelModule module, pixel_module_of(item));
    CAIRN_TRYV(codec::validate(module.format, {kMaxIconBytes}));
    CAIRN_TRY(const auto index, codec::FrameIndex::build(*source_, module.value, *stored_, module.format));
    CAIRN_TRY(const auto coded, index.read(*source_, 0));
    CAIRN_TRY(const auto frame, codec::decode_frame(*stored_, module.format, coded));
    const auto* native = codec::find_transfer_syntax(codec::uids::kExplicitVRLittleEndian);
    CAIRN_TRY(const auto encoding, codec::plan_encoding(*native, codec::decoded_format(module.format, frame)));
    CAIRN_TRY(auto plain, codec::encode_frame(encoding, frame.samples));
    codec::NativeJoiner joiner(encoding);
    auto bytes = joiner.push(std::move(plain));
    const auto rest = joiner.finish();
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    Element pixels;
    pixels.tag = tags::PixelData;
    pixels.vr = encoding.format.bits_allocated > 8 ? VR::OW : VR::OB;
    pixels.value.assign(as_text(bytes));
    item.set(std::move(pixels));
    item.set_text(tags::PhotometricInterpretation, VR::CS, encoding.format.photometric);
    if (encoding.format.samples_per_pixel > 1) item.set_us(tags::PlanarConfiguration, 0);
    return outcome::success();
  }

  Result<bool> copy_some(const DataSetPlan::Copy& copy, std::string& out) {
    // Whole units: kCopyBytes is a multiple of every unit.
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(copy.length - copied_, kCopyBytes));
    const std::size_t before = out.size();
    out.resize(before + n);
    const MutableBytes into(reinterpret_cast<std::byte*>(out.data() + before), n);
    CAIRN_TRY(const std::size_t got, source_->read(copy.offset + copied_, into));
    if (got != n) return fail(Errc::truncated, "a value of the stored stream", copy.offset + copied_);
    for (std::size_t at = 0; copy.unit > 1 && at + copy.unit <= n; at += copy.unit) {
      std::reverse(into.begin() + static_cast<std::ptrdiff_t>(at),
                   into.begin() + static_cast<std::ptrdiff_t>(at + copy.unit));
    }
    copied_ += n;
    if (copied_ < copy.length) return false;
    if (copy.length % 2 != 0) out.push_back(copy.padding);
    copied_ = 0;
    return true;
  }

  Result<bool> frame_more(std::string& out) {
    if (frame_ == 0) {
      CAIRN_TRYV(begin_pixels(out));
    }
    std::optional<codec::EncodedFrame> coded = std::exchange(first_, std::nullopt);
    frame_ = next_frame_ + 1;
    if (!coded) {
      CAIRN_TRY(auto frame, decode(next_frame_));
      const codec::PixelFormat format = codec::decoded_format(format_, frame);
      if (format.photometric != encoding_.source.photometric || format.bits_stored > encoding_.source.bits_stored) {
        return fail(Errc::mismatch, "frames of one instance are coded differently");
      }
      CAIRN_TRY(coded, codec::encode_frame(encoding_, frame.samples));
    }
    ++next_frame_;
    const bool last = next_frame_ == index_.frame_count();
    if (target().encapsulated) {
      put_header(out, encoding(), tags::Item, VR::none, static_cast<std::uint32_t>(coded->bytes.size()));
      out += as_text(coded->bytes);
      if (last) put_header(out, encoding(), tags::SequenceDelimitationItem, VR::none, 0);
    } else {
      out += as_text(joiner_->push(std::move(*coded)));
      if (last) out += as_text(joiner_->finish());
    }
    if (last) frame_ = 0;
    return last;
  }

  Result<> begin_pixels(std::string& out) {
    const codec::PixelFormat& f = encoding_.format;
    if (target().encapsulated) {
      put_header(out, encoding(), tags::PixelData, VR::OB, kUndefinedLength);
      put_header(out, encoding(), tags::Item, VR::none, 0);  // offsets are not known before the frames
      return outcome::success();
    }
    if (index_.frame_count() > kMaxValueLength * 8 / codec::native_frame_bits(f)) {
      return fail(Errc::limit_exceeded, "native pixel data past 4 GiB");
    }
    const std::uint64_t length = codec::NativeJoiner::value_bytes(f, index_.frame_count());
    if (length > kMaxValueLength) return fail(Errc::limit_exceeded, "native pixel data past 4 GiB");
    const bool floating = f.kind == codec::SampleKind::floating;
    const dicom::Tag tag = !floating                ? tags::PixelData
                           : f.bits_allocated == 32 ? tags::FloatPixelData
                                                    : tags::DoubleFloatPixelData;
    const VR vr = floating ? (f.bits_allocated == 32 ? VR::OF : VR::OD) : f.bits_allocated > 8 ? VR::OW : VR::OB;
    put_header(out, encoding(), tag, vr, static_cast<std::uint32_t>(length));
    joiner_.emplace(encoding_);
    return outcome::success();
  }

  std::string stored_uid_;
  std::string uid_;
  Options options_;
  const codec::TransferSyntax* stored_ = nullptr;
  std::unique_ptr<codec::ByteSource> source_;
  codec::PixelFormat format_;
  codec::FrameIndex index_;
  codec::Encoding encoding_;
  std::optional<codec::EncodedFrame> first_;
  std::vector<DataSetPlan::Step> steps_;
  std::size_t at_ = 0;        // in steps_
  std::uint64_t copied_ = 0;  // of a Copy
  std::uint64_t next_frame_ = 0;
  std::uint64_t frame_ = 0;  // under way
  std::optional<codec::NativeJoiner> joiner_;
};

// --- a deflated data set (PS3.5 §A.5) ------------------------------------------------------------------------------

class Deflated final : public Transcoder {
 public:
  Deflated(const archive::Instance& instance, const codec::TransferSyntax& target, std::unique_ptr<Transcoder> inner)
      : Transcoder(instance, target), inner_(std::move(inner)) {}
  ~Deflated() override {
    if (open_) deflateEnd(&stream_);
  }
  const std::string& sop_instance_uid() const noexcept override { return inner_->sop_instance_uid(); }
  std::uint64_t frame() const noexcept override { return inner_->frame(); }

  Result<bool> next(std::string& out) override {
    if (!open_) {
      if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return fail(Errc::out_of_memory, "deflate");
      }
      open_ = true;
    }
    std::string plain;
    CAIRN_TRY(const bool more, inner_->next(plain));
    const std::size_t before = out.size();
    std::string_view rest = plain;
    std::array<char, 64u << 10> coded;
    while (true) {
      const auto n = static_cast<unsigned>(std::min<std::size_t>(rest.size(), 1u << 30));
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
      stream_.avail_in = n;
      stream_.next_out = reinterpret_cast<Bytef*>(coded.data());
      stream_.avail_out = coded.size();
      const bool flush = !more && n == rest.size();
      const int result = deflate(&stream_, flush ? Z_FINISH : Z_NO_FLUSH);
      if (result == Z_STREAM_ERROR) return fail(Errc::internal, "deflate");
      out.append(coded.data(), coded.size() - stream_.avail_out);
      rest.remove_prefix(n - stream_.avail_in);
      if (flush ? result == Z_STREAM_END : rest.empty() && stream_.avail_out != 0) break;
    }
    written_ += out.size() - before;
    if (!more && written_ % 2 != 0) out.push_back('\0');
    return more;
  }

 private:
  std::unique_ptr<Transcoder> inner_;
  z_stream stream_{};
  bool open_ = false;
  std::uint64_t written_ = 0;
};

Result<std::unique_ptr<Transcoder>> open_plain(archive::Archive& archive, const archive::Instance& instance,
                                               const codec::TransferSyntax& stored, const codec::TransferSyntax& target,
                                               const Options& options) {
  if (is_native(stored) && is_native(target) && stored.big_endian == stored.big_endian_pixels) {
    return std::unique_ptr<Transcoder>(std::make_unique<Recoded>(archive, instance, target));
  }
  CAIRN_TRY(const auto header, archive.header(instance.sop_instance_uid));
  CAIRN_TRY(auto data_set, DataSet::parse(header));
  const bool pixels = std::any_of(data_set.elements().begin(), data_set.elements().end(), [](const Element& e) {
    return is_pixel_data(e.tag) && e.bulk && e.bulk->length != 0;
  });
  if (!pixels) {
    return std::unique_ptr<Transcoder>(std::make_unique<Recoded>(archive, instance, target));
  }
  if (target.big_endian) return fail(Errc::unsupported, "pixels in big endian");
  auto made = std::make_unique<FrameTranscoder>(instance, target, options);
  CAIRN_TRYV(made->prepare(archive, instance, stored, header, std::move(data_set)));
  return std::unique_ptr<Transcoder>(std::move(made));
}

}  // namespace

bool can_transcode(const codec::TransferSyntax& from, const codec::TransferSyntax& to) noexcept {
  if (is_native(from) && is_native(to)) return !to.big_endian_pixels || to.big_endian;
  return from.decodable && to.encodable && !to.big_endian;
}

Result<std::unique_ptr<Transcoder>> Transcoder::open(archive::Archive& archive, const archive::Instance& instance,
                                                     const codec::TransferSyntax& target, const Options& options) {
  const auto* stored = codec::find_transfer_syntax(instance.transfer_syntax_uid);
  if (stored == nullptr) return fail(Errc::unsupported, "stored transfer syntax");
  if (!can_transcode(*stored, target)) return fail(Errc::unsupported, "conversion between these transfer syntaxes");
  CAIRN_TRY(auto plain, open_plain(archive, instance, *stored, target, options));
  if (!target.deflated) return plain;
  return std::unique_ptr<Transcoder>(std::make_unique<Deflated>(instance, target, std::move(plain)));
}

std::string Transcoder::file_meta() const {
  return dicom::make_file_meta(sop_class_uid_, sop_instance_uid(), target_.uid, {});
}

}  // namespace cairn::transcode
