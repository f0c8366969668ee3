#include "engine/web/stored_pixels.h"

#include <algorithm>

#include "engine/transcode/pixel_source.h"

namespace cairn::web {
namespace {

constexpr std::size_t kMaxWeight = 2'000'000;  ///< fragments, about 16 bytes each
constexpr std::size_t kEntryWeight = 64;

}  // namespace

bool StoredPixels::ranges_are_coded_frames(std::uint64_t frame) const noexcept {
  if (syntax->deflated || index.first_bit(frame) != 0) return false;
  // Big-endian words have to be turned round; a single bit frame may end inside a byte and is copied too.
  return syntax->encapsulated || (!syntax->big_endian_pixels && format.bits_allocated != 1);
}

std::unique_ptr<codec::ByteSource> open_pixels(archive::Archive& archive, const StoredPixels& pixels) {
  return transcode::open_source(archive, *pixels.instance, pixels.syntax->deflated);
}

Result<std::shared_ptr<const StoredPixels>> PixelsCache::of(archive::Instance instance, archive::Reach reach) {
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
  if (reach == archive::Reach::memory) return store::out_of_reach();
  auto made = std::make_shared<StoredPixels>();
  made->syntax = codec::find_transfer_syntax(instance.transfer_syntax_uid);
  if (made->syntax == nullptr) return fail(Errc::unsupported, "TransferSyntaxUID");
  CAIRN_TRY(const auto header, archive_.header(instance.sop_instance_uid));
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(header));
  CAIRN_TRY(transcode::PixelModule module, transcode::pixel_module_of(data_set));
  module.value.extended_offsets = as_bytes(module.extended_offsets);
  module.value.extended_lengths = as_bytes(module.extended_lengths);
  made->format = std::move(module.format);
  const auto source = transcode::open_source(archive_, instance, made->syntax->deflated);
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
