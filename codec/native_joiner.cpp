#include "codec/native_joiner.h"

#include <utility>

namespace cairn::codec {

NativeJoiner::NativeJoiner(const Encoding& encoding) : frame_bits_(native_frame_bits(encoding.format)) {}

std::vector<std::byte> NativeJoiner::push(EncodedFrame frame) {
  std::vector<std::byte> out = std::move(frame.bytes);
  if (frame_bits_ % 8 == 0 && pending_bits_ == 0) {
    bytes_ += out.size();
    return out;
  }
  // Bit 0 comes first: what waits goes below what follows.
  const unsigned shift = pending_bits_;
  unsigned carried = pending_;
  for (std::byte& b : out) {
    const unsigned both = carried | std::to_integer<unsigned>(b) << shift;
    b = static_cast<std::byte>(both);
    carried = both >> 8;
  }
  const std::uint64_t bits = shift + frame_bits_;
  pending_bits_ = static_cast<unsigned>(bits % 8);
  // Up to seven bits and those of `out` make as many whole bytes as it has, or one fewer.
  pending_ = carried;
  if (bits / 8 < out.size()) {
    pending_ = std::to_integer<unsigned>(out.back());
    out.pop_back();
  }
  bytes_ += out.size();
  return out;
}

std::vector<std::byte> NativeJoiner::finish() {
  std::vector<std::byte> out;
  if (pending_bits_ != 0) out.push_back(static_cast<std::byte>(pending_));
  if ((bytes_ + out.size()) % 2 != 0) out.push_back(std::byte{0});
  return out;
}

std::uint64_t NativeJoiner::value_bytes(const PixelFormat& format, std::uint64_t frames) noexcept {
  const std::uint64_t bytes = (native_frame_bits(format) * frames + 7) / 8;
  return bytes + bytes % 2;
}

}  // namespace cairn::codec
