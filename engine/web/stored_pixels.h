// The Pixel Data of one stored instance: how its frames are coded and where each lies, found once and kept for the next
// request. Thread-safe where said; all of it blocks.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "codec/frame_index.h"
#include "codec/pixel_format.h"
#include "codec/transfer_syntax.h"
#include "engine/archive/archive.h"
#include "engine/transcode/pixel_module.h"

namespace cairn::web {

/// Immutable.
struct StoredPixels {
  std::shared_ptr<const archive::Instance> instance;
  const codec::TransferSyntax* syntax = nullptr;  ///< never null
  codec::PixelFormat format;
  codec::FrameIndex index;

  /// True when the ranges of the index are bytes of the stored stream that can be sent as they are.
  bool ranges_are_coded_frames(std::uint64_t frame) const noexcept;
};

/// The bytes that the index counts in.
std::unique_ptr<codec::ByteSource> open_pixels(archive::Archive& archive, const StoredPixels& pixels);

/// The most recently used ones, bounded by what their indexes hold. Thread-safe.
class PixelsCache {
 public:
  explicit PixelsCache(archive::Archive& archive) : archive_(archive) {}

  /// Errors: not_found; missing (the instance has no pixel data); unsupported (an unknown transfer syntax); those of
  /// FrameIndex::build(); with Reach::memory, whatever is not kept is out of reach.
  Result<std::shared_ptr<const StoredPixels>> of(archive::Instance instance,
                                                 archive::Reach reach = archive::Reach::disk);

 private:
  using Entry = std::shared_ptr<const StoredPixels>;
  static std::size_t weight(const StoredPixels& pixels) noexcept;

  archive::Archive& archive_;
  std::mutex mutex_;          // guards what follows
  std::list<Entry> entries_;  // the latest in front
  std::unordered_map<std::string, std::list<Entry>::iterator> by_uid_;
  std::size_t weight_ = 0;
};

}  // namespace cairn::web
