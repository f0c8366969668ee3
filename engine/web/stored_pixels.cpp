#include "engine/web/stored_pixels.h"

#include <algorithm>

#include "engine/dicom/inflate.h"
#include "engine/dicom/tags.h"

namespace cairn::web {
namespace {

namespace tags = dicom::tags;
constexpr std::uint64_t kMaxInflatedBytes = std::uint64_t{2} << 30;
constexpr std::size_t kMaxWeight = 2'000'000;  ///< fragments, about 16 bytes each
constexpr std::size_t kEntryWeight = 64;

class ReaderSource final : public codec::ByteSource {
 public:
  explicit ReaderSource(std::unique_ptr<archive::StreamReader> reader) : reader_(std::move(reader)) {}
  std::uint64_t size() const override { return reader_->size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override { return reader_->read(offset, into); }

 private:
  std::unique_ptr<archive::StreamReader> reader_;
};

class OwnedSource final : public codec::ByteSource {
 public:
  explicit OwnedSource(std::string bytes) : bytes_(std::move(bytes)), span_(as_bytes(bytes_)) {}
  std::uint64_t size() const override { return span_.size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override { return span_.read(offset, into); }

 private:
  std::string bytes_;
  codec::SpanSource span_;
};

std::uint16_t small(const dicom::DataSet& d, dicom::Tag tag, std::int64_t otherwise) {
  const std::int64_t value = d.integer(tag).value_or(otherwise);
  return value < 0 || value > 65535 ? std::uint16_t{0} : static_cast<std::uint16_t>(value);
}

Result<std::unique_ptr<codec::ByteSource>> open_source(archive::Archive& archive, const archive::Instance& instance,
                                                       bool deflated) {
  auto reader = archive.open(instance);
  if (!deflated) return std::unique_ptr<codec::ByteSource>(std::make_unique<ReaderSource>(std::move(reader)));
  if (instance.data_set_offset > instance.stream_length || instance.stream_length > kMaxInflatedBytes) {
    return fail(Errc::limit_exceeded, "deflated instance");
  }
  std::vector<std::byte> bytes(instance.stream_length - instance.data_set_offset);
  CAIRN_TRY(const std::size_t count, reader->read(instance.data_set_offset, bytes));
  CAIRN_TRY(auto inflated, dicom::inflate_data_set(Bytes(bytes).first(count), kMaxInflatedBytes));
  return std::unique_ptr<codec::ByteSource>(std::make_unique<OwnedSource>(std::move(inflated)));
}

}  // namespace

bool StoredPixels::ranges_are_coded_frames(std::uint64_t frame) const noexcept {
  if (syntax->deflated || index.first_bit(frame) != 0) return false;
  // Big-endian words have to be turned round; a single bit frame may end inside a byte and is copied too.
  return syntax->encapsulated || (!syntax->big_endian_pixels && format.bits_allocated != 1);
}

Result<PixelModule> pixel_module_of(const dicom::DataSet& d) {
  PixelModule out;
  codec::PixelFormat& f = out.format;
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
  const dicom::Element* pixels = nullptr;
  for (const dicom::Tag tag : {tags::PixelData, tags::FloatPixelData, tags::DoubleFloatPixelData}) {
    if (pixels == nullptr) pixels = d.find(tag);
  }
  if (pixels == nullptr || !pixels->bulk || pixels->bulk->length == 0) return fail(Errc::missing, "PixelData");
  f.ow = pixels->vr != dicom::VR::OB;
  if (pixels->tag != tags::PixelData) {
    f.kind = codec::SampleKind::floating;
    f.bits_allocated = f.bits_stored = pixels->tag == tags::FloatPixelData ? 32 : 64;
    f.high_bit = static_cast<std::uint16_t>(f.bits_stored - 1);
  }
  out.value.offset = pixels->bulk->stream_offset;
  out.value.length = pixels->bulk->length;
  if (const auto* offsets = d.find(tags::ExtendedOffsetTable)) out.extended_offsets = offsets->value;
  if (const auto* lengths = d.find(tags::ExtendedOffsetTableLengths)) out.extended_lengths = lengths->value;
  return out;
}

Result<std::unique_ptr<codec::ByteSource>> open_pixels(archive::Archive& archive, const StoredPixels& pixels) {
  return open_source(archive, *pixels.instance, pixels.syntax->deflated);
}

Result<std::shared_ptr<const StoredPixels>> PixelsCache::of(archive::Instance instance) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = by_uid_.find(instance.sop_instance_uid);
    if (found != by_uid_.end() && (*found->second)->instance->sequence == instance.sequence &&
        (*found->second)->instance->digest == instance.digest) {
      entries_.splice(entries_.begin(), entries_, found->second);
      // The copy at hand says where the parts lie now; the one in the cache may be of before a compaction.
      if ((*found->second)->instance->parts.empty() == instance.parts.empty() &&
          (instance.parts.empty() || (*found->second)->instance->parts[0].location == instance.parts[0].location)) {
        return *found->second;
      }
    }
  }
  auto made = std::make_shared<StoredPixels>();
  made->syntax = codec::find_transfer_syntax(instance.transfer_syntax_uid);
  if (made->syntax == nullptr) return fail(Errc::unsupported, "TransferSyntaxUID");
  CAIRN_TRY(const auto header, archive_.header(instance.sop_instance_uid));
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(header));
  CAIRN_TRY(PixelModule module, pixel_module_of(data_set));
  module.value.extended_offsets = as_bytes(module.extended_offsets);
  module.value.extended_lengths = as_bytes(module.extended_lengths);
  made->format = std::move(module.format);
  CAIRN_TRY(const auto source, open_source(archive_, instance, made->syntax->deflated));
  CAIRN_TRY(made->index, codec::FrameIndex::build(*source, module.value, *made->syntax, made->format));
  made->instance = std::make_shared<const archive::Instance>(std::move(instance));

  const std::scoped_lock lock(mutex_);
  const auto old = by_uid_.find(made->instance->sop_instance_uid);
  if (old != by_uid_.end()) {
    weight_ -= weight(**old->second);
    entries_.erase(old->second);
    by_uid_.erase(old);
  }
  entries_.push_front(made);
  by_uid_[made->instance->sop_instance_uid] = entries_.begin();
  weight_ += weight(*made);
  while (weight_ > kMaxWeight && entries_.size() > 1) {
    weight_ -= weight(*entries_.back());
    by_uid_.erase(entries_.back()->instance->sop_instance_uid);
    entries_.pop_back();
  }
  return std::shared_ptr<const StoredPixels>(made);
}

std::size_t PixelsCache::weight(const StoredPixels& pixels) noexcept {
  return kEntryWeight + static_cast<std::size_t>(pixels.index.fragment_count()) + pixels.instance->parts.size() * 2;
}

}  // namespace cairn::web
