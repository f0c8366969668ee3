#include "codec/frame_index.h"

#include <algorithm>
#include <utility>

#include "codec/encapsulated_indexer.h"

namespace cairn::codec {

Result<FrameIndex> FrameIndex::build(ByteSource& source, const PixelDataValue& value, const TransferSyntax& syntax,
                                     const PixelFormat& format, const IndexLimits& limits) {
  FrameIndex index;
  index.declared_frames_ = std::max<std::uint64_t>(format.number_of_frames, 1);
  index.value_offset_ = value.offset;
  index.max_coded_frame_bytes_ = limits.max_coded_frame_bytes;
  const std::uint64_t size = source.size();
  if (value.offset > size) return fail(Errc::truncated, "Pixel Data begins past the end", value.offset);

  switch (syntax.coding) {
    case Coding::native: {
      CAIRN_TRYV(validate(format, {.max_frame_bytes = ~std::uint64_t{0}}));
      index.swap_pairs_ = syntax.big_endian && format.ow && format.bits_allocated <= 8;
      CAIRN_TRYV(index.build_native(size - value.offset, value, format));
      return index;
    }
    case Coding::referenced:
    case Coding::realtime:
    case Coding::opaque:
      return fail(Errc::unsupported, "transfer syntax without Pixel Data frames");
    default:
      break;
  }
  index.encapsulated_ = true;
  CAIRN_TRYV(EncapsulatedIndexer(source, value, syntax, limits, index).run());
  return index;
}

Result<> FrameIndex::build_native(std::uint64_t available, const PixelDataValue& value, const PixelFormat& format) {
  if (value.length == kUndefinedLength)
    return fail(Errc::malformed, "native Pixel Data of undefined length", value.offset);
  value_length_ = std::min(available, value.length);
  if (value_length_ < value.length) note(IndexNote::truncated);
  frame_bits_ = native_frame_bits(format);
  if (is_subsampled_422(format)) {
    // Some writers keep the tag and write all three samples of each pixel; the announced length tells them apart.
    const std::uint64_t full_bits = samples_per_frame(format) * format.bits_allocated;
    if (full_bits > frame_bits_ && value.length / declared_frames_ >= full_bits / 8) {
      frame_bits_ = full_bits;
      note(IndexNote::not_subsampled);
    }
  }
  // frame_bits_ is below 2^16 * 2^16 * 4 * 64, so only the sum over the frames could overflow: divide instead.
  const std::uint64_t whole_bits = value_length_ > (~std::uint64_t{0} >> 3) ? ~std::uint64_t{0} : value_length_ * 8;
  const std::uint64_t present = whole_bits / frame_bits_;
  frame_count_ = std::min(present, declared_frames_);
  if (present < declared_frames_) note(IndexNote::frame_count_differs);
  if (present >= declared_frames_) {
    const std::uint64_t used_bytes = (declared_frames_ * frame_bits_ + 7) / 8;
    if (value_length_ - used_bytes > 1) note(IndexNote::excess_bytes);
    if (present > declared_frames_ && value_length_ - used_bytes > 1) note(IndexNote::frame_count_differs);
  }
  return outcome::success();
}

unsigned FrameIndex::first_bit(std::uint64_t frame) const noexcept {
  return encapsulated_ ? 0 : static_cast<unsigned>((frame % 8) * (frame_bits_ % 8) % 8);
}

Result<std::vector<ByteRange>> FrameIndex::ranges(std::uint64_t frame) const {
  if (frame >= frame_count_) {
    if (frame < declared_frames_) return fail(Errc::truncated, "frame announced but not in Pixel Data", value_offset_);
    return fail(Errc::not_found, "frame number");
  }
  std::vector<ByteRange> out;
  if (!encapsulated_) {
    const std::uint64_t begin = frame * frame_bits_;
    const std::uint64_t end = begin + frame_bits_;
    out.push_back({value_offset_ + begin / 8, (end + 7) / 8 - begin / 8});
    return out;
  }
  const auto first = fragments_.begin() + first_fragment_[frame];
  const auto last = fragments_.begin() + first_fragment_[frame + 1];
  out.assign(first, last);
  if (!trimmed_lengths_.empty() && out.size() == 1) out[0].length = std::min(out[0].length, trimmed_lengths_[frame]);
  return out;
}

Result<std::vector<std::byte>> FrameIndex::read(ByteSource& source, std::uint64_t frame) const {
  CAIRN_TRY(auto parts, ranges(frame));
  if (!encapsulated_) return read_native(source, frame);
  std::uint64_t total = 0;
  for (const ByteRange& part : parts) total += part.length;  // each lies inside the source, so the sum cannot wrap
  if (total > max_coded_frame_bytes_) return fail(Errc::limit_exceeded, "coded frame size", parts.front().offset);
  std::vector<std::byte> out(total);
  std::size_t filled = 0;
  for (const ByteRange& part : parts) {
    const MutableBytes into = MutableBytes(out).subspan(filled, part.length);
    CAIRN_TRY(const std::size_t count, source.read(part.offset, into));
    if (count < part.length) return fail(Errc::truncated, "fragment", part.offset + count);
    filled += count;
  }
  return out;
}

Result<std::vector<std::byte>> FrameIndex::read_native(ByteSource& source, std::uint64_t frame) const {
  const std::uint64_t begin_bit = frame * frame_bits_;
  std::uint64_t begin = begin_bit / 8;
  std::uint64_t end = (begin_bit + frame_bits_ + 7) / 8;
  const std::uint64_t wanted = (frame_bits_ + 7) / 8;
  if (end - begin > max_coded_frame_bytes_)
    return fail(Errc::limit_exceeded, "native frame size", value_offset_ + begin);
  std::uint64_t skip = 0;
  if (swap_pairs_) {  // the pairs count from the start of the value
    skip = begin % 2;
    begin -= skip;
    end = std::min(end + end % 2, value_length_);
  }
  std::vector<std::byte> raw(end - begin);
  CAIRN_TRY(const std::size_t count, source.read(value_offset_ + begin, raw));
  if (count < raw.size()) return fail(Errc::truncated, "native Pixel Data", value_offset_ + begin + count);
  if (swap_pairs_) {
    for (std::size_t i = 0; i + 1 < raw.size(); i += 2) std::swap(raw[i], raw[i + 1]);
    raw.erase(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(skip));
  }
  if (const unsigned shift = first_bit(frame); shift != 0) {
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const unsigned next = i + 1 < raw.size() ? std::to_integer<unsigned>(raw[i + 1]) : 0u;
      raw[i] = static_cast<std::byte>((std::to_integer<unsigned>(raw[i]) | next << 8) >> shift);
    }
  }
  raw.resize(wanted);
  return raw;
}

}  // namespace cairn::codec
