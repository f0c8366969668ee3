// Bits and Huffman codes of JPEG entropy-coded segments (ISO/IEC 10918-1 Annex F.2.2, Annex C). Private to codec. The
// reader never passes the end or a marker: past it, it gives zeros and counts them, so that a decoder checks once a
// row.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

class JPEGBitReader {
 public:
  JPEGBitReader(Bytes coded, std::size_t begin) : data_(coded.data()), at_(begin), end_(coded.size()) {}

  /// At least 32 valid bits afterwards (made-up zeros included).
  void refill() noexcept {
    if (count_ >= 32) return;
    if (end_ - at_ >= 8) {
      const auto next = load_be<std::uint32_t>(data_ + at_);
      // No byte is FF: four bytes at once.
      const std::uint32_t inverse = ~next;
      if (((inverse - 0x01010101u) & next & 0x80808080u) == 0) {
        bits_ |= static_cast<std::uint64_t>(next) << (32 - count_);
        count_ += 32;
        at_ += 4;
        return;
      }
    }
    refill_slowly();
  }

  /// The next `n` bits (1 to 16), not consumed. Precondition: refilled.
  std::uint32_t peek(unsigned n) const noexcept { return static_cast<std::uint32_t>(bits_ >> (64 - n)); }
  void skip(unsigned n) noexcept {
    bits_ <<= n;
    count_ -= n;
  }

  /// True once bits were consumed that the stream does not hold.
  bool overrun() const noexcept { return invented_ > count_; }

  /// Offset of the byte after the last one loaded; at a marker, the marker's.
  std::size_t position() const noexcept { return at_; }

  /// Drops the bits left, moves past RSTn. False where the next marker is another or none.
  bool next_restart(unsigned expected) noexcept;

 private:
  void refill_slowly() noexcept;

  const std::byte* data_;
  std::size_t at_;
  std::size_t end_;
  std::uint64_t bits_ = 0;  ///< left-aligned
  unsigned count_ = 0;
  unsigned invented_ = 0;
};

/// One DC or lossless table: symbols are difference categories 0 to 16.
class JPEGHuffmanTable {
 public:
  /// From a DHT's 16 counts and symbols. `tolerate_overflow`: more codes than 16 bits hold are dropped, not refused.
  Result<> build(Bytes counts, Bytes symbols, bool tolerate_overflow);
  bool is_built() const noexcept { return built_; }
  bool overflows() const noexcept { return overflows_; }

  /// The next category, consumed; 255 where no code matches. Precondition: refilled.
  unsigned decode(JPEGBitReader& bits) const noexcept {
    const Entry entry = fast_[bits.peek(kFastBits)];
    if (entry.length != 0) [[likely]] {
      bits.skip(entry.length);
      return entry.symbol;
    }
    return decode_long(bits);
  }

 private:
  static constexpr unsigned kFastBits = 9;
  struct Entry {
    std::uint8_t length = 0, symbol = 0;
  };
  unsigned decode_long(JPEGBitReader& bits) const noexcept;

  std::array<Entry, 1u << kFastBits> fast_{};
  std::array<std::int32_t, 17> max_code_{};  ///< by length; -1 where there is none
  std::array<std::int32_t, 17> offset_{};    ///< symbol index minus code
  std::array<std::uint8_t, 256> symbols_{};
  bool built_ = false;
  bool overflows_ = false;
};

}  // namespace cairn::codec
