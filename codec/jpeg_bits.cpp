#include "codec/jpeg_bits.h"

#include <algorithm>

namespace cairn::codec {
namespace {

constexpr unsigned kInventedAtOnce = 32;
constexpr unsigned kOverrun = 128;  // more than can ever be held

unsigned octet(const std::byte* p) {
  return std::to_integer<unsigned>(*p);
}

}  // namespace

void JPEGBitReader::refill_slowly() noexcept {
  while (count_ <= 56) {
    if (at_ >= end_) break;
    const unsigned byte = octet(data_ + at_);
    if (byte == 0xFF) {
      if (at_ + 1 >= end_ || octet(data_ + at_ + 1) != 0) break;
      at_ += 2;
    } else {
      ++at_;
    }
    bits_ |= static_cast<std::uint64_t>(byte) << (56 - count_);
    count_ += 8;
  }
  if (count_ < kInventedAtOnce) {
    const unsigned missing = kInventedAtOnce - count_;
    // Invented bits are always the last ones; once overrun() is true it stays so.
    invented_ = overrun() ? kOverrun : invented_ + missing;
    count_ += missing;
  }
}

bool JPEGBitReader::next_restart(unsigned expected) noexcept {
  bits_ = 0;
  count_ = 0;
  invented_ = 0;
  while (at_ + 1 < end_ && octet(data_ + at_) == 0xFF && octet(data_ + at_ + 1) == 0xFF) ++at_;
  if (at_ + 1 >= end_ || octet(data_ + at_) != 0xFF || octet(data_ + at_ + 1) != 0xD0 + expected) return false;
  at_ += 2;
  return true;
}

Result<> JPEGHuffmanTable::build(Bytes counts, Bytes symbols, bool tolerate_overflow) {
  fast_.fill({});
  max_code_.fill(-1);
  offset_.fill(0);
  overflows_ = false;
  std::uint32_t code = 0;
  std::size_t index = 0;
  for (unsigned length = 1; length <= 16; ++length) {
    std::uint32_t count = std::to_integer<std::uint32_t>(counts[length - 1]);
    const std::uint32_t room = (1u << length) - code;
    const std::uint32_t listed = count;
    if (count > room) {
      if (!tolerate_overflow || length != 16) return fail(Errc::malformed, "JPEG Huffman table overflows");
      overflows_ = true;
      count = room;
    }
    offset_[length] = static_cast<std::int32_t>(index) - static_cast<std::int32_t>(code);
    for (std::uint32_t i = 0; i < count; ++i, ++code) {
      const auto symbol = std::to_integer<std::uint8_t>(symbols[index + i]);
      if (symbol > 16) return fail(Errc::malformed, "JPEG lossless Huffman symbol");
      symbols_[index + i] = symbol;
      if (length <= kFastBits) {
        const std::uint32_t first = code << (kFastBits - length);
        std::fill_n(fast_.begin() + first, 1u << (kFastBits - length),
                    Entry{static_cast<std::uint8_t>(length), symbol});
      }
    }
    if (count > 0) max_code_[length] = static_cast<std::int32_t>(code) - 1;
    index += listed;
    code <<= 1;
  }
  built_ = true;
  return outcome::success();
}

unsigned JPEGHuffmanTable::decode_long(JPEGBitReader& bits) const noexcept {
  for (unsigned length = kFastBits + 1; length <= 16; ++length) {
    const auto code = static_cast<std::int32_t>(bits.peek(length));
    if (code <= max_code_[length] && code + offset_[length] >= 0) {
      bits.skip(length);
      return symbols_[static_cast<std::size_t>(code + offset_[length])];
    }
  }
  return 255;
}

}  // namespace cairn::codec
