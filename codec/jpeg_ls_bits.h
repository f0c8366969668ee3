// Bits of JPEG-LS entropy-coded segments (ISO/IEC 14495-1 A.1, C.1): a byte after FF holds seven bits. Private to
// codec. Past the end or at a marker it gives zeros and remembers it, as JPEGBitReader does.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "engine/core/bytes.h"

namespace cairn::codec {

class JPEGLSBitReader {
 public:
  JPEGLSBitReader(Bytes coded, std::size_t begin) : data_(coded.data()), at_(begin), end_(coded.size()) {}

  /// Zeros before the next one, both consumed; more than `most` zeros give most + 1 and nothing is right afterwards.
  /// Precondition: most is below 56.
  std::uint32_t unary(std::uint32_t most) noexcept {
    if (count_ < 32) refill();
    auto zeros = static_cast<std::uint32_t>(std::countl_zero(bits_));
    if (static_cast<std::int64_t>(zeros) >= count_) [[unlikely]] {
      refill_slowly();
      zeros = static_cast<std::uint32_t>(std::countl_zero(bits_));
    }
    if (zeros > most) return most + 1;
    skip(zeros + 1);
    return zeros;
  }

  /// The next `n` bits, 0 to 32.
  std::uint32_t read(unsigned n) noexcept {
    if (n == 0) return 0;
    if (count_ < static_cast<std::int64_t>(n)) refill();
    const auto value = static_cast<std::uint32_t>(bits_ >> (64 - n));
    skip(n);
    return value;
  }

  bool overrun() const noexcept { return count_ < 0; }
  std::size_t position() const noexcept { return at_; }

 private:
  void skip(std::uint32_t n) noexcept {
    bits_ <<= n;
    count_ -= static_cast<std::int64_t>(n);
  }

  void refill() noexcept {
    if (count_ <= 32 && count_ >= 0 && !after_ff_ && end_ - at_ >= 4) {
      const auto next = load_be<std::uint32_t>(data_ + at_);
      const std::uint32_t inverse = ~next;
      if (((inverse - 0x01010101u) & next & 0x80808080u) == 0) {  // no FF among the four
        bits_ |= static_cast<std::uint64_t>(next) << (32 - count_);
        count_ += 32;
        at_ += 4;
        return;
      }
    }
    refill_slowly();
  }

  void refill_slowly() noexcept {
    while (count_ <= 56 && count_ >= 0 && at_ < end_) {
      const auto byte = std::to_integer<std::uint64_t>(data_[at_]);
      const std::int64_t width = after_ff_ ? 7 : 8;
      if (byte == 0xFF && (at_ + 1 >= end_ || std::to_integer<unsigned>(data_[at_ + 1]) >= 0x80)) return;
      bits_ |= byte << (64 - width - count_);
      count_ += width;
      after_ff_ = byte == 0xFF;
      ++at_;
    }
  }

  const std::byte* data_;
  std::size_t at_;
  std::size_t end_;
  std::uint64_t bits_ = 0;  ///< left-aligned, zeros behind the valid ones
  std::int64_t count_ = 0;  ///< valid bits; negative once bits were read that are not there
  bool after_ff_ = false;
};

}  // namespace cairn::codec
