// Builds the tables of a FrameIndex from encapsulated Pixel Data (PS3.5 §A.4). Private to the frame index: what it
// holds by reference must outlive run().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "codec/frame_index.h"

namespace cairn::codec {

class EncapsulatedIndexer {
 public:
  EncapsulatedIndexer(ByteSource& source, const PixelDataValue& value, const TransferSyntax& syntax,
                      const IndexLimits& limits, FrameIndex& index)
      : source_(source), value_(value), syntax_(syntax), limits_(limits), index_(index) {}

  Result<> run();

 private:
  using Starts = std::vector<std::uint32_t>;  ///< first fragment of each frame

  struct ItemHeader {
    std::uint16_t group = 0, element = 0;
    std::uint32_t length = 0;
  };

  Result<> walk_items();
  Result<> read_basic_table(std::uint64_t offset, std::uint32_t length);
  Result<bool> fetch(std::uint64_t offset, MutableBytes into);  ///< false where the source ends first
  Result<std::optional<ItemHeader>> item_at(std::uint64_t offset);

  std::optional<Starts> starts_from_extended();
  std::optional<Starts> starts_from_basic();
  std::optional<std::uint32_t> fragment_at(std::uint64_t relative) const;
  Result<Starts> starts_from_fragments();
  Result<std::optional<Starts>> starts_from_signatures();
  Result<bool> begins_frame(std::uint32_t fragment);
  Result<bool> ends_frame(std::uint32_t fragment);
  bool has_signature() const noexcept;

  ByteSource& source_;
  const PixelDataValue& value_;
  const TransferSyntax& syntax_;
  const IndexLimits& limits_;
  FrameIndex& index_;

  std::uint64_t end_ = 0;            ///< end of the value or of the source, whichever comes first
  std::uint64_t first_item_ = 0;     ///< of the first byte after the Basic Offset Table: what offsets count from
  std::uint64_t fragments_end_ = 0;  ///< of the first byte after the last fragment
  std::vector<std::uint32_t> basic_;
  std::vector<std::byte> window_;  ///< a read-ahead for item headers
  std::uint64_t window_offset_ = 0;
};

}  // namespace cairn::codec
