// Native frames into one Pixel Data value (PS3.5 §8.1.1), piece by piece: frames of 1-bit samples follow one another
// without regard to bytes, and the value has an even length. One joiner belongs to one value and one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/encode.h"

namespace cairn::codec {

class NativeJoiner {
 public:
  /// `encoding` of a native syntax.
  explicit NativeJoiner(const Encoding& encoding);

  /// What this frame completes of the value, to be written after what earlier calls gave.
  std::vector<std::byte> push(EncodedFrame frame);

  /// The rest, with the padding. Nothing may follow.
  std::vector<std::byte> finish();

  /// The length of the value of `frames` frames. Precondition: fewer than 2^64 bits.
  static std::uint64_t value_bytes(const PixelFormat& format, std::uint64_t frames) noexcept;

 private:
  std::uint64_t frame_bits_;
  std::uint64_t bytes_ = 0;  ///< given out
  unsigned pending_ = 0;     ///< bits that fill no byte yet
  unsigned pending_bits_ = 0;
};

}  // namespace cairn::codec
