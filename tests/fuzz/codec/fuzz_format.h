// The first bytes of a fuzz input choose the pixel format; the rest is the coded frame. Formats stay small so that a
// run is fast, but they need not agree with the stream. A second mode takes the extent from the stream, to get past the
// check.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "codec/decode.h"

namespace cairn::codec::fuzz {

inline constexpr std::size_t kFormatBytes = 8;

struct Input {
  PixelFormat format;
  Bytes coded;
};

/// Layout: rows 2, columns 2 (big-endian), samples per pixel, bits allocated / 8 with 0 for 1 bit, bits stored, flags.
inline bool read_input(const std::uint8_t* data, std::size_t size, Input& input) {
  if (size < kFormatBytes) return false;
  const auto* const p = reinterpret_cast<const std::byte*>(data);
  static constexpr std::uint16_t kAllocated[] = {1, 8, 16, 32};
  input.format.rows = load_be<std::uint16_t>(p) % 1024u + 1u;
  input.format.columns = load_be<std::uint16_t>(p + 2) % 1024u + 1u;
  input.format.samples_per_pixel = static_cast<std::uint16_t>(data[4] % 4 + 1);
  input.format.bits_allocated = kAllocated[data[5] % 4];
  input.format.bits_stored = static_cast<std::uint16_t>(data[6] % input.format.bits_allocated + 1);
  input.format.is_signed = (data[7] & 1) != 0;
  input.format.photometric =
      input.format.samples_per_pixel == 3 ? ((data[7] & 2) != 0 ? "YBR_FULL_422" : "RGB") : "MONOCHROME2";
  input.coded = Bytes(p + kFormatBytes, size - kFormatBytes);
  return true;
}

/// Decodes and checks what the interface promises.
inline int decode_and_check(std::string_view uid, const std::uint8_t* data, std::size_t size) {
  Input input;
  if (!read_input(data, size, input)) return 0;
  DecodeOptions options;
  options.allow_partial = (data[7] & 4) != 0;
  const auto frame = decode_frame(*find_transfer_syntax(uid), input.format, input.coded, options);
  if (frame.has_value() && frame.value().samples.size() != decoded_frame_bytes(input.format)) std::abort();
  return 0;
}

}  // namespace cairn::codec::fuzz
