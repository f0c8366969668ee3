// The marker segments of a JPEG stream (ISO/IEC 10918-1 Annex B, 14495-1 §C) up to and including each scan header: what
// the right decoder is chosen by, and what must hold before a foreign one sees the stream. Private to codec; borrows
// the bytes.
#pragma once

#include <array>
#include <cstdint>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

struct JPEGComponent {
  std::uint8_t id = 0;
  std::uint8_t horizontal = 1;  ///< sampling factor
  std::uint8_t vertical = 1;
};

struct JPEGHeader {
  std::uint8_t frame_marker = 0;  ///< low byte of SOFn: C0 .. CF, or F7 for JPEG-LS
  std::uint8_t precision = 0;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint8_t component_count = 0;
  std::array<JPEGComponent, 4> components{};
  bool jfif = false;
  bool adobe = false;
  std::uint8_t adobe_transform = 0;
  bool arithmetic = false;           ///< a DAC segment was seen
  std::uint32_t scans = 0;           ///< SOS segments in the whole stream
  std::uint8_t first_selection = 0;  ///< Ss of the first scan: lossless JPEG's predictor, JPEG-LS's NEAR
  std::size_t begin = 0;             ///< offset of SOI
  std::size_t end = 0;               ///< offset after EOI, or of the end of the stream
  bool has_eoi = false;

  bool is_lossless() const noexcept { return frame_marker == 0xC3; }
  bool is_jpeg_ls() const noexcept { return frame_marker == 0xF7; }
  bool is_huffman_dct() const noexcept { return frame_marker <= 0xC2; }
};

/// Walks all marker segments, entropy-coded data skipped. At most `max_scans` scans and four components. Errors:
/// truncated, malformed, unsupported, limit_exceeded.
Result<JPEGHeader> read_jpeg_header(Bytes coded, std::uint32_t max_scans = 1000);

}  // namespace cairn::codec
