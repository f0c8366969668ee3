// Bits of JPEG-LS entropy-coded segments (ISO/IEC 14495-1 A.1, C.1), where a byte after FF holds seven bits. A scan is
// copied once without those stuffed bits, so that any bit of it can be had by one load. Private to codec.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/bytes.h"

namespace cairn::codec {

/// The bits of one scan, followed by zeros.
class JPEGLSScanBits {
 public:
  /// Reads `coded` from `begin` to the next marker or the end.
  JPEGLSScanBits(Bytes coded, std::size_t begin);

  const std::byte* data() const noexcept { return bytes_.data(); }
  std::uint64_t size_bits() const noexcept { return size_bits_; }
  std::size_t end() const noexcept { return end_; }  ///< offset of the marker in `coded`

  /// Bits that may be consumed past size_bits() before a window would leave the buffer.
  static constexpr std::uint64_t kSlackBits = 512;

 private:
  std::vector<std::byte> bytes_;
  std::uint64_t size_bits_ = 0;
  std::size_t end_ = 0;
};

/// A place in the bits of a scan. Whoever consumes checks at_bits() against the size at least once every kSlackBits
/// that hold no one: past the end all is zero, which no code word is.
class JPEGLSBitReader {
 public:
  explicit JPEGLSBitReader(const JPEGLSScanBits& bits) : data_(bits.data()) {}

  /// The next 57 bits or more, left-aligned.
  std::uint64_t window() const noexcept { return load_be<std::uint64_t>(data_ + (at_ >> 3)) << (at_ & 7u); }
  void skip(std::uint64_t n) noexcept { at_ += n; }

  /// The next `n` bits, 0 to 32, consumed.
  std::uint32_t read(unsigned n) noexcept {
    const auto value = static_cast<std::uint32_t>(window() >> 1 >> (63 - n));
    at_ += n;
    return value;
  }

  std::uint64_t at_bits() const noexcept { return at_; }

 private:
  const std::byte* data_;
  std::uint64_t at_ = 0;
};

/// Collects code words; finish() stuffs them.
class JPEGLSBitWriter {
 public:
  /// Room for `bits` more bits. Precondition of a Cursor's put().
  void reserve(std::size_t bits) {
    const std::size_t most = at_ + bits / 8 + 16;
    if (bytes_.size() < most) bytes_.resize(most + most / 2);
  }

  /// Writes for a while; store() ends it.
  class Cursor {
   public:
    explicit Cursor(JPEGLSBitWriter& writer)
        : writer_(writer), to_(writer.bytes_.data() + writer.at_), bits_(writer.bits_), count_(writer.count_) {}

    /// The low `count` bits of `value`, whose higher ones are 0; 0 to 32.
    void put(std::uint32_t value, unsigned count) noexcept {
      bits_ = bits_ << count | value;
      count_ += count;
      if (count_ >= 32) {
        count_ -= 32;
        store_be<std::uint32_t>(to_, static_cast<std::uint32_t>(bits_ >> count_));
        to_ += 4;
      }
    }
    void store() noexcept {
      writer_.at_ = static_cast<std::size_t>(to_ - writer_.bytes_.data());
      writer_.bits_ = bits_;
      writer_.count_ = count_;
    }

   private:
    JPEGLSBitWriter& writer_;
    std::byte* to_;
    std::uint64_t bits_;
    unsigned count_;
  };

  /// Appends the scan to `out`, its last byte filled with zeros.
  void finish(std::vector<std::byte>& out);

 private:
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
  std::uint64_t bits_ = 0;  ///< the low count_ bits wait
  unsigned count_ = 0;      ///< below 32 between calls
};

}  // namespace cairn::codec
