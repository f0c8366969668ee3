#include "engine/store/segment_walk.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "engine/core/checksum.h"

namespace cairn::store {
namespace {

constexpr std::uint64_t kLongestAhead = 1u << 20;
// Of what was written and is no record, this much or some sample is not zero: a part has a header each MiB.
constexpr std::uint64_t kSampleStride = 256u << 10;

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::string segment_name(std::uint32_t segment) {
  char name[32];
  const bool compacted = is_compacted(segment);
  std::snprintf(name, sizeof name, "%s-%08u.cairn", compacted ? "cmp" : "seg",
                compacted ? segment - (kFirstCompacted - 1) : segment);
  return name;
}

std::uint32_t segment_number(const std::string& name) {
  const bool compacted = name.starts_with("cmp-");
  if ((!compacted && !name.starts_with("seg-")) || !name.ends_with(".cairn")) return 0;
  std::uint32_t number = 0;
  const char* const last = name.data() + name.size() - 6;
  const auto [end, error] = std::from_chars(name.data() + 4, last, number);
  if (error != std::errc() || end != last || number == 0 || number >= kFirstCompacted - 1) return 0;
  if (compacted) number += kFirstCompacted - 1;
  return segment_name(number) == name ? number : 0;
}

Result<Bytes> Window::at(std::uint64_t offset, std::uint64_t length) {
  if (offset >= end_) return Bytes();
  length = std::min(length, end_ - offset);
  if (offset < start_ || offset + length > start_ + filled_) {
    const bool neighbour = offset >= start_ && offset <= start_ + filled_ + io::kBlockBytes;
    ahead_ = neighbour ? std::min(ahead_ * 2, kLongestAhead) : 2 * io::kBlockBytes;
    start_ = io::block_down(offset);
    filled_ = 0;
    const std::uint64_t stop = std::max(offset + length, std::min(start_ + ahead_, end_));
    const auto wanted = static_cast<std::size_t>(io::block_up(stop - start_));
    if (buffer_.size() < wanted) buffer_ = io::AlignedBytes(wanted);
    CAIRN_TRY(filled_, read(start_, buffer_.first(wanted)));
    bytes_read_ += filled_;
    if (offset + length > start_ + filled_) return fail(Errc::truncated, "segment", start_ + filled_);
  }
  return Bytes(buffer_.data() + (offset - start_), static_cast<std::size_t>(length));
}

Result<std::size_t> Window::read(std::uint64_t offset, MutableBytes into) {
  auto got = file_.read(offset, into);
  if (got || got.error() != Errc::io) return got;
  std::size_t filled = 0;
  while (filled < into.size()) {
    const auto block = into.subspan(filled, io::kBlockBytes);
    got = file_.read(offset + filled, block);
    if (!got) {
      if (got.error() != Errc::io) return got;
      unreadable_.insert(offset + filled);
      if (unreadable_.size() > kMaxUnreadable) return got;
      std::fill(block.begin(), block.end(), std::byte{0});
      got = block.size();
    }
    filled += got.value();
    if (got.value() < block.size()) break;
  }
  return filled;
}

Result<bool> Window::zero_block(std::uint64_t offset) {
  if (block_.size() == 0) block_ = io::AlignedBytes(io::kBlockBytes);
  CAIRN_TRY(const std::size_t got, read(offset, block_.bytes()));
  bytes_read_ += got;
  return all_zero(block_.first(std::min<std::size_t>(got, static_cast<std::size_t>(end_ - offset)))) &&
         !unreadable_.contains(offset);
}

bool Window::unreadable_in(std::uint64_t from, std::uint64_t to) const {
  const auto it = unreadable_.lower_bound(io::block_down(from));
  return it != unreadable_.end() && *it < to;
}

Result<std::optional<RecordHeader>> RecordWalk::decode_here() {
  CAIRN_TRY(const Bytes bytes, window_.at(position_, kRecordHeaderBytes));
  if (bytes.size() < kRecordHeaderBytes) return std::optional<RecordHeader>();
  auto header = RecordHeader::decode(bytes.data(), identity_, position_);
  if (header && header->record_bytes() > window_.end() - position_) header.reset();
  return header;
}

Result<std::optional<RecordHeader>> RecordWalk::next() {
  std::optional<RecordHeader> header;
  CAIRN_TRY(header, decode_here());
  const std::uint64_t block_end = io::block_up(position_);
  if (!header && block_end != position_) {
    // A write ended inside this block: then the rest of the block is zero and the next write begins with the next one.
    CAIRN_TRY(const bool padding, only_zeros_until(block_end));
    if (padding && !window_.unreadable_in(position_, block_end)) {
      position_ = block_end;
      CAIRN_TRY(header, decode_here());
    }
  }
  if (header) position_ += header->record_bytes();
  return header;
}

Result<bool> RecordWalk::seek_record(std::uint64_t from) {
  return seek_until(from, window_.end());
}

Result<bool> RecordWalk::seek_record_sparsely(std::uint64_t from, std::uint64_t dense_end) {
  CAIRN_TRY(const bool found, seek_until(from, dense_end));
  if (found) return true;
  const std::uint64_t behind = position_;
  for (std::uint64_t at = io::block_up(behind); at < window_.end(); at += kSampleStride) {
    CAIRN_TRY(const bool zero, window_.zero_block(at));
    if (!zero) return seek_record(at - std::min(at - behind, kSampleStride));
  }
  position_ = window_.end();
  return false;
}

Result<bool> RecordWalk::seek_until(std::uint64_t from, std::uint64_t end) {
  end = std::min(end, window_.end());
  position_ = (from + 7) & ~7ull;
  while (position_ < end) {
    CAIRN_TRY(const Bytes bytes, window_.at(position_, std::min<std::uint64_t>(end - position_, 256u << 10)));
    std::size_t i = 0;
    while (i + 8 <= bytes.size() && !looks_like_record(bytes.data() + i)) i += 8;
    if (i + 8 > bytes.size()) {
      position_ += std::max<std::size_t>(bytes.size() & ~std::size_t{7}, 8);
      continue;
    }
    position_ += i;
    CAIRN_TRY(const auto header, decode_here());
    if (header) return true;
    position_ += 8;
  }
  position_ = std::max(position_, end);
  return false;
}

Result<bool> RecordWalk::only_zeros_until(std::uint64_t end) {
  for (std::uint64_t at = position_; at < end;) {
    CAIRN_TRY(const Bytes bytes, window_.at(at, std::min<std::uint64_t>(end - at, 256u << 10)));
    if (bytes.empty()) break;
    if (!all_zero(bytes)) return false;
    at += bytes.size();
  }
  return true;
}

Result<std::uint32_t> payload_crc(Window& window, const RecordHeader& header) {
  std::uint32_t crc = 0;
  std::uint64_t at = header.offset + kRecordHeaderBytes;
  const std::uint64_t end = at + header.payload_length;
  while (at < end) {
    CAIRN_TRY(const Bytes bytes, window.at(at, std::min<std::uint64_t>(end - at, 256u << 10)));
    if (bytes.empty()) return fail(Errc::truncated, "segment", at);
    crc = crc32c(bytes, crc);
    at += bytes.size();
  }
  return crc;
}

}  // namespace cairn::store
