// Bits of JPEG entropy-coded segments (ISO/IEC 10918-1 F.1.2.3), a zero byte stuffed after each FF. Private to codec's
// encoders; the counterpart of jpeg_bits.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/bytes.h"

namespace cairn::codec {

/// Appends to `out`, which it sizes by itself: reserve() before each stretch of codes.
class JPEGBitWriter {
 public:
  explicit JPEGBitWriter(std::vector<std::byte>& out) : out_(out), at_(out.size()) {}

  /// Room for `bits` more bits, all of them stuffed at worst.
  void reserve(std::size_t bits) {
    const std::size_t most = at_ + bits / 4 + 24;
    if (out_.size() < most) out_.resize(most + most / 2);
  }

  /// The low `count` bits of `value`, whose higher ones are 0; 0 to 32.
  void put(std::uint32_t value, unsigned count) noexcept {
    bits_ = bits_ << count | value;
    count_ += count;
    if (count_ >= 32) flush_word();
  }

  /// Fills the last byte with ones and gives `out` its length.
  void finish() {
    reserve(64);
    if (count_ % 8 != 0) put((1u << (8 - count_ % 8)) - 1, 8 - count_ % 8);
    while (count_ >= 8) {
      count_ -= 8;
      put_byte(static_cast<std::uint8_t>(bits_ >> count_));
    }
    out_.resize(at_);
  }

 private:
  void flush_word() noexcept {
    count_ -= 32;
    const auto word = static_cast<std::uint32_t>(bits_ >> count_);
    if (((~word - 0x01010101u) & word & 0x80808080u) == 0) {  // no byte is FF
      store_be<std::uint32_t>(out_.data() + at_, word);
      at_ += 4;
      return;
    }
    for (unsigned shift = 32; shift != 0; shift -= 8) put_byte(static_cast<std::uint8_t>(word >> (shift - 8)));
  }
  void put_byte(std::uint8_t b) noexcept {
    out_[at_++] = static_cast<std::byte>(b);
    if (b == 0xFF) out_[at_++] = std::byte{0};
  }

  std::vector<std::byte>& out_;
  std::size_t at_;
  std::uint64_t bits_ = 0;  ///< the low count_ bits wait
  unsigned count_ = 0;      ///< below 32 between calls
};

}  // namespace cairn::codec
