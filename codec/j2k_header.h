// Headers of a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A): what must hold before a foreign decoder sees the stream,
// and what its samples mean. Private to codec; borrows the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "codec/pixel_format.h"
#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

struct J2KComponent {
  std::uint8_t precision = 0;
  bool is_signed = false;
  std::uint8_t dx = 1;
  std::uint8_t dy = 1;
};

/// SPcod / SPcoc parameters (Table A.15).
struct J2KCodingStyle {
  std::uint8_t levels = 0;
  std::uint8_t block_width_exponent = 0;   ///< xcb, 2 to 10
  std::uint8_t block_height_exponent = 0;  ///< ycb
  std::uint8_t block_style = 0;
  bool reversible = false;
  bool precincts_defined = false;
  std::array<std::uint8_t, 33> precincts{};  ///< PPx in the low, PPy in the high four bits, by resolution
};

struct J2KSegment {
  std::uint16_t marker = 0;
  std::uint64_t offset = 0;  ///< of the segment's data in the codestream
  Bytes data;                ///< without marker and length
};

struct J2KHeader {
  std::uint32_t x1 = 0, y1 = 0, x0 = 0, y0 = 0;    ///< Xsiz Ysiz XOsiz YOsiz
  std::uint32_t tx = 0, ty = 0, tx0 = 0, ty0 = 0;  ///< XTsiz YTsiz XTOsiz YTOsiz
  std::uint16_t capabilities = 0;                  ///< Rsiz
  std::vector<J2KComponent> components;            ///< one to four
  std::uint8_t progression = 0;
  std::uint16_t layers = 0;
  bool multi_component_transform = false;
  J2KCodingStyle style;
  std::vector<J2KSegment> segments;   ///< of the main header
  std::uint64_t first_tile_part = 0;  ///< offset of the first SOT
  bool ends_with_eoc = false;         ///< at the end but for padding
  std::size_t end = 0;                ///< offset after EOC, or of the end of the bytes

  std::uint64_t width() const noexcept { return x1 - x0; }
  std::uint64_t height() const noexcept { return y1 - y0; }
  std::uint64_t tile_count() const noexcept;
};

/// The codestream inside JP2 boxes (ISO/IEC 15444-1 Annex I), or `coded` itself when it begins with SOC.
Result<Bytes> find_codestream(Bytes coded);

/// Reads the main header. Errors: truncated, malformed, unsupported (more than four components).
Result<J2KHeader> read_j2k_header(Bytes codestream);

/// The stream against the format: extent, components, one precision and sign. Errors: mismatch, unsupported.
Result<> check_j2k_format(const J2KHeader& header, const PixelFormat& format);

/// Bounds what a decoder would allocate for tiles, precincts, code-blocks and layers, tile-part headers included, and
/// checks that tile-parts follow one another to EOC or the end; `allow_truncated`: the last one may announce more than
/// there is. Errors: limit_exceeded, malformed, truncated.
Result<> check_j2k_cost(const J2KHeader& header, Bytes codestream, bool allow_truncated);

/// True for streams that OpenJPH 0.9 decodes safely: one tile, no offsets or subsampling, HT blocks only, nothing
/// optional, and tile-parts that add up to EOC.
bool is_plain_htj2k(const J2KHeader& header, Bytes codestream);

namespace j2k {
inline constexpr std::uint16_t kSOC = 0xFF4F, kCAP = 0xFF50, kSIZ = 0xFF51, kCOD = 0xFF52, kCOC = 0xFF53, kTLM = 0xFF55,
                               kQCD = 0xFF5C, kCOM = 0xFF64, kSOT = 0xFF90, kSOD = 0xFF93, kEOC = 0xFFD9;
}  // namespace j2k

}  // namespace cairn::codec
