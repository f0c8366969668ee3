// Where each frame lies in a Pixel Data value: native (PS3.5 §8.1.1, §8.2) by arithmetic, encapsulated (PS3.5 §A.4) by
// the Extended Offset Table, the Basic Offset Table or, where those are absent or wrong, by a walk over the fragments.
// Building reads item headers only; a frame's bytes are read when asked for. The index owns its tables and no bytes; it
// is immutable once built and may be shared by threads (the ByteSource says for itself whether it may).
#pragma once

#include <cstdint>
#include <vector>

#include "codec/byte_source.h"
#include "codec/pixel_format.h"
#include "codec/transfer_syntax.h"

namespace cairn::codec {

inline constexpr std::uint64_t kUndefinedLength = ~std::uint64_t{0};

/// What was odd about a Pixel Data value and yet did not stop it from being read.
enum class IndexNote : std::uint32_t {
  frame_count_differs = 1u << 0,  ///< Number of Frames is not what is there
  truncated = 1u << 1,            ///< the value ends inside an item or a frame, or without its delimiter
  excess_bytes = 1u << 2,         ///< native: more bytes than frames and one byte of padding
  basic_table_wrong =
      1u << 3,  ///< the Basic Offset Table was not used: an entry lands on no item, or the count is impossible
  extended_table_wrong = 1u << 4,   ///< the same of the Extended Offset Table
  extra_table_entry = 1u << 5,      ///< a last entry that points at the end, dropped
  split_by_signature = 1u << 6,     ///< frames were told apart by their start and end markers
  fragments_not_allowed = 1u << 7,  ///< a frame spans fragments in a syntax that forbids it
  not_subsampled = 1u << 8,         ///< photometric says 4:2:2, the length says 4:4:4
};

struct ByteRange {
  std::uint64_t offset = 0;  ///< in the source
  std::uint64_t length = 0;
};

/// The Pixel Data element in its source, with the attributes beside it that locate frames. The spans are borrowed only
/// while the index is built.
struct PixelDataValue {
  std::uint64_t offset = 0;                 ///< of the first byte of the value (encapsulated: of the first item's tag)
  std::uint64_t length = kUndefinedLength;  ///< as encoded
  Bytes extended_offsets{};                 ///< value of (7FE0,0001), or empty
  Bytes extended_lengths{};                 ///< value of (7FE0,0002), or empty
};

struct IndexLimits {
  std::uint64_t max_fragments = std::uint64_t{1} << 24;
  std::uint64_t max_coded_frame_bytes = std::uint64_t{1} << 32;
};

class FrameIndex {
 public:
  /// Errors: malformed (no item where one must be; frames cannot be told apart), limit_exceeded, unsupported (the
  /// syntax has no Pixel Data of its own), those of the source. Preconditions: none, `format` is validated here.
  static Result<FrameIndex> build(ByteSource& source, const PixelDataValue& value, const TransferSyntax& syntax,
                                  const PixelFormat& format, const IndexLimits& limits = {});

  std::uint64_t frame_count() const noexcept { return frame_count_; }          ///< frames that can be read
  std::uint64_t declared_frames() const noexcept { return declared_frames_; }  ///< Number of Frames
  std::uint64_t fragment_count() const noexcept { return fragments_.size(); }
  bool has(IndexNote note) const noexcept { return (notes_ & static_cast<std::uint32_t>(note)) != 0; }
  std::uint32_t notes() const noexcept { return notes_; }

  /// The byte ranges whose concatenation is frame `frame` (from 0) as coded. A frame of 1-bit samples may begin inside
  /// its first byte (first_bit()). Errors: truncated (announced but absent), not_found.
  Result<std::vector<ByteRange>> ranges(std::uint64_t frame) const;

  /// Bit in the first byte at which the frame begins; 0 but for native 1-bit samples.
  unsigned first_bit(std::uint64_t frame) const noexcept;

  /// The frame's coded bytes, ready for decode_frame(): fragments joined, 1-bit samples moved to bit 0, and the byte
  /// pairs of 8- and 1-bit samples in big-endian OW put in order. Errors: those of ranges() and of the source;
  /// limit_exceeded.
  Result<std::vector<std::byte>> read(ByteSource& source, std::uint64_t frame) const;

 private:
  friend class EncapsulatedIndexer;

  Result<> build_native(std::uint64_t available, const PixelDataValue& value, const PixelFormat& format);
  void note(IndexNote n) noexcept { notes_ |= static_cast<std::uint32_t>(n); }
  Result<std::vector<std::byte>> read_native(ByteSource& source, std::uint64_t frame) const;

  bool encapsulated_ = false;
  bool swap_pairs_ = false;
  std::uint32_t notes_ = 0;
  std::uint64_t frame_count_ = 0;
  std::uint64_t declared_frames_ = 1;
  std::uint64_t max_coded_frame_bytes_ = 0;
  std::uint64_t value_offset_ = 0;
  std::uint64_t value_length_ = 0;  ///< native: bytes that are there
  std::uint64_t frame_bits_ = 0;    ///< native
  std::vector<ByteRange> fragments_;
  std::vector<std::uint32_t> first_fragment_;   ///< frame_count_ + 1 entries
  std::vector<std::uint64_t> trimmed_lengths_;  ///< from the Extended Offset Table Lengths, or empty
};

}  // namespace cairn::codec
