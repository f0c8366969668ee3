#include "codec/j2k_header.h"

#include <algorithm>

namespace cairn::codec {
namespace {

constexpr std::size_t kMaxSegments = 1024;
constexpr std::uint64_t kMaxMissingBytes = std::uint64_t{1} << 28;  // OpenJPEG allocates what a tile-part announces
constexpr std::uint64_t kMaxTiles = 16384;
constexpr std::uint64_t kMaxPrecincts = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxPackets = std::uint64_t{1} << 26;

unsigned octet(Bytes b, std::size_t i) {
  return std::to_integer<unsigned>(b[i]);
}
std::uint16_t word(Bytes b, std::size_t i) {
  return load_be<std::uint16_t>(b.data() + i);
}
std::uint32_t quad(Bytes b, std::size_t i) {
  return load_be<std::uint32_t>(b.data() + i);
}
std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

Result<> read_siz(Bytes s, std::uint64_t at, J2KHeader& h) {
  if (s.size() < 36) return fail(Errc::truncated, "JPEG 2000 SIZ", at);
  h.capabilities = word(s, 0);
  h.x1 = quad(s, 2);
  h.y1 = quad(s, 6);
  h.x0 = quad(s, 10);
  h.y0 = quad(s, 14);
  h.tx = quad(s, 18);
  h.ty = quad(s, 22);
  h.tx0 = quad(s, 26);
  h.ty0 = quad(s, 30);
  const unsigned count = word(s, 34);
  if (count == 0 || s.size() != 36 + std::size_t{3} * count) return fail(Errc::malformed, "JPEG 2000 SIZ length", at);
  if (count > 4) return fail(Errc::unsupported, "JPEG 2000 of more than four components", at);
  // B.3: tile offsets at or before the image offset, the first tile not empty.
  const bool sane = h.x1 > h.x0 && h.y1 > h.y0 && h.tx > 0 && h.ty > 0 && h.tx0 <= h.x0 && h.ty0 <= h.y0 &&
                    std::uint64_t{h.tx0} + h.tx > h.x0 && std::uint64_t{h.ty0} + h.ty > h.y0;
  if (!sane) return fail(Errc::malformed, "JPEG 2000 image or tile extent", at);
  for (unsigned i = 0; i < count; ++i) {
    const unsigned ssiz = octet(s, 36 + 3 * i);
    J2KComponent c;
    c.precision = static_cast<std::uint8_t>((ssiz & 127u) + 1);
    c.is_signed = (ssiz & 128u) != 0;
    c.dx = static_cast<std::uint8_t>(octet(s, 37 + 3 * i));
    c.dy = static_cast<std::uint8_t>(octet(s, 38 + 3 * i));
    if (c.dx == 0 || c.dy == 0 || c.precision > 38) return fail(Errc::malformed, "JPEG 2000 component", at);
    h.components.push_back(c);
  }
  return outcome::success();
}

/// `s` begins at the number of decomposition levels.
Result<J2KCodingStyle> read_style(Bytes s, bool precincts, std::uint64_t at) {
  J2KCodingStyle style;
  if (s.size() < 5) return fail(Errc::truncated, "JPEG 2000 coding style", at);
  style.levels = static_cast<std::uint8_t>(octet(s, 0));
  if (style.levels > 32) return fail(Errc::malformed, "JPEG 2000 decomposition levels", at);
  style.block_width_exponent = static_cast<std::uint8_t>((octet(s, 1) & 15u) + 2);
  style.block_height_exponent = static_cast<std::uint8_t>((octet(s, 2) & 15u) + 2);
  if (style.block_width_exponent > 10 || style.block_height_exponent > 10 ||
      style.block_width_exponent + style.block_height_exponent > 12) {
    return fail(Errc::malformed, "JPEG 2000 code-block size", at);
  }
  style.block_style = static_cast<std::uint8_t>(octet(s, 3));
  style.reversible = octet(s, 4) == 1;
  style.precincts.fill(0xFF);
  style.precincts_defined = precincts;
  if (precincts) {
    if (s.size() < 6u + style.levels) return fail(Errc::truncated, "JPEG 2000 precinct sizes", at);
    for (std::size_t r = 0; r <= style.levels; ++r) style.precincts[r] = static_cast<std::uint8_t>(octet(s, 5 + r));
  }
  return style;
}

/// Precincts, code-blocks and packets that one component of one tile of this style costs, against the limits.
Result<> check_style_cost(const J2KHeader& h, const J2KCodingStyle& style, std::uint64_t tiles, unsigned layers,
                          std::uint64_t at) {
  const std::uint64_t w = std::min<std::uint64_t>(h.tx, h.width());
  const std::uint64_t t = std::min<std::uint64_t>(h.ty, h.height());
  std::uint64_t precincts = 0;
  std::uint64_t most = 0;
  for (unsigned r = 0; r <= style.levels; ++r) {
    const unsigned down = style.levels - r;
    const std::uint64_t across = down >= 32 ? 1 : ceil_div(w, std::uint64_t{1} << down);
    const std::uint64_t high = down >= 32 ? 1 : ceil_div(t, std::uint64_t{1} << down);
    const unsigned ppx = style.precincts[r] & 15u;
    const unsigned ppy = style.precincts[r] >> 4;
    const std::uint64_t here =
        (ceil_div(across, std::uint64_t{1} << ppx) + 1) * (ceil_div(high, std::uint64_t{1} << ppy) + 1);
    precincts += here;
    most = std::max(most, here);
  }
  const std::uint64_t parts = tiles * h.components.size();
  if (precincts > kMaxPrecincts * 4 / parts + 4096) return fail(Errc::limit_exceeded, "JPEG 2000 precincts", at);
  const std::uint64_t packets = most * (style.levels + 1u) * h.components.size();
  if (packets > kMaxPackets / std::max(layers, 1u)) return fail(Errc::limit_exceeded, "JPEG 2000 packets", at);
  // Smallest blocks are 16 samples; large images of them would cost more in tables than in samples.
  if (h.width() * h.height() > (std::uint64_t{1} << 24) &&
      style.block_width_exponent + style.block_height_exponent < 8) {
    return fail(Errc::limit_exceeded, "JPEG 2000 code-blocks", at);
  }
  return outcome::success();
}

Result<> check_segment_cost(const J2KHeader& h, const J2KSegment& s, std::uint64_t tiles) {
  if (s.marker == j2k::kCOD) {
    if (s.data.size() < 10) return fail(Errc::truncated, "JPEG 2000 COD", s.offset);
    CAIRN_TRY(const auto style, read_style(s.data.subspan(5), (octet(s.data, 0) & 1u) != 0, s.offset));
    return check_style_cost(h, style, tiles, word(s.data, 2), s.offset);
  }
  if (s.marker == j2k::kCOC) {  // four components at most: Ccoc is one byte
    if (s.data.size() < 7) return fail(Errc::truncated, "JPEG 2000 COC", s.offset);
    CAIRN_TRY(const auto style, read_style(s.data.subspan(2), (octet(s.data, 1) & 1u) != 0, s.offset));
    return check_style_cost(h, style, tiles, h.layers, s.offset);
  }
  return outcome::success();
}

Result<J2KSegment> read_segment(Bytes b, std::uint64_t at) {
  if (b.size() < 4 || at > b.size() - 4) return fail(Errc::truncated, "JPEG 2000 marker", at);
  J2KSegment s;
  s.marker = word(b, at);
  if (s.marker < 0xFF00) return fail(Errc::malformed, "JPEG 2000 marker", at);
  const std::size_t length = word(b, at + 2);
  if (length < 2) return fail(Errc::malformed, "JPEG 2000 segment length", at);
  if (length > b.size() - at - 2) return fail(Errc::truncated, "JPEG 2000 segment", at);
  s.offset = at + 4;
  s.data = b.subspan(at + 4, length - 2);
  return s;
}

}  // namespace

std::uint64_t J2KHeader::tile_count() const noexcept {
  return ceil_div(std::uint64_t{x1} - tx0, tx) * ceil_div(std::uint64_t{y1} - ty0, ty);
}

Result<Bytes> find_codestream(Bytes coded) {
  if (coded.size() >= 4 && word(coded, 0) == j2k::kSOC) return coded;
  std::size_t at = 0;
  while (coded.size() - at >= 8) {
    std::uint64_t length = quad(coded, at);
    std::uint64_t head = 8;
    if (length == 1) {
      if (coded.size() - at < 16) break;
      length = load_be<std::uint64_t>(coded.data() + at + 8);
      head = 16;
    }
    if (length == 0) length = coded.size() - at;
    if (quad(coded, at + 4) == 0x6A703263) {  // jp2c; a length past the end is cut, not refused
      if (length < head) return fail(Errc::malformed, "JP2 box", at);
      return coded.subspan(at + head, std::min<std::uint64_t>(length, coded.size() - at) - head);
    }
    if (length < head || length > coded.size() - at) break;
    at += length;
  }
  return fail(Errc::malformed, "no JPEG 2000 codestream", at);
}

Result<J2KHeader> read_j2k_header(Bytes b) {
  J2KHeader h;
  if (b.size() < 4 || word(b, 0) != j2k::kSOC) return fail(Errc::malformed, "JPEG 2000 SOC");
  std::uint64_t at = 2;
  bool coded = false;
  for (;;) {
    CAIRN_TRY(const J2KSegment s, read_segment(b, at));
    if (s.marker == j2k::kSOT) break;
    if (s.marker == j2k::kSOD || s.marker == j2k::kEOC) return fail(Errc::malformed, "JPEG 2000 tile data", at);
    if (h.segments.size() == kMaxSegments) return fail(Errc::limit_exceeded, "JPEG 2000 marker segments", at);
    if (h.segments.empty() != (s.marker == j2k::kSIZ)) return fail(Errc::malformed, "JPEG 2000 SIZ is not first", at);
    if (s.marker == j2k::kSIZ) {
      CAIRN_TRYV(read_siz(s.data, at, h));
    } else if (s.marker == j2k::kCOD) {
      if (s.data.size() < 10) return fail(Errc::truncated, "JPEG 2000 COD", at);
      h.progression = static_cast<std::uint8_t>(octet(s.data, 1));
      h.layers = word(s.data, 2);
      h.multi_component_transform = octet(s.data, 4) != 0;
      CAIRN_TRY(h.style, read_style(s.data.subspan(5), (octet(s.data, 0) & 1u) != 0, at));
      coded = true;
    }
    h.segments.push_back(s);
    at = s.offset + s.data.size();
  }
  if (!coded) return fail(Errc::malformed, "JPEG 2000 stream without COD", at);
  h.first_tile_part = at;
  std::size_t n = b.size();
  while (n > at && (octet(b, n - 1) == 0x00 || octet(b, n - 1) == 0xFF)) --n;
  h.ends_with_eoc = n >= at + 2 && word(b, n - 2) == j2k::kEOC;
  h.end = h.ends_with_eoc ? n : b.size();
  return h;
}

Result<> check_j2k_format(const J2KHeader& h, const PixelFormat& format) {
  if (h.width() != format.columns || h.height() != format.rows) {
    return fail(Errc::mismatch, "JPEG 2000 extent is not Rows x Columns");
  }
  if (h.components.size() != format.samples_per_pixel) {
    return fail(Errc::mismatch, "JPEG 2000 components are not Samples per Pixel");
  }
  for (const J2KComponent& c : h.components) {
    if (c.precision != h.components[0].precision || c.is_signed != h.components[0].is_signed) {
      return fail(Errc::unsupported, "JPEG 2000 components of different precision or sign");
    }
    if (c.dx > 4 || c.dy > 4) return fail(Errc::unsupported, "JPEG 2000 subsampling");
  }
  if (h.components[0].precision > 31) return fail(Errc::unsupported, "JPEG 2000 precision past 31 bits");
  return outcome::success();
}

Result<> check_j2k_cost(const J2KHeader& h, Bytes b, bool allow_truncated) {
  const std::uint64_t tiles = h.tile_count();
  if (tiles > kMaxTiles) return fail(Errc::limit_exceeded, "JPEG 2000 tiles");
  for (const J2KSegment& s : h.segments) {
    CAIRN_TRYV(check_segment_cost(h, s, tiles));
  }
  std::uint64_t at = h.first_tile_part;
  for (;;) {
    if (b.size() - at < 2 || word(b, at) == j2k::kEOC) return outcome::success();
    if (word(b, at) != j2k::kSOT) return fail(Errc::malformed, "JPEG 2000 tile-part", at);
    const std::uint64_t begin = at;
    CAIRN_TRY(const J2KSegment sot, read_segment(b, at));
    if (sot.data.size() != 8) return fail(Errc::malformed, "JPEG 2000 SOT", at);
    const std::uint64_t length = quad(sot.data, 2);
    std::size_t segments = 0;
    at = sot.offset + sot.data.size();
    while (b.size() - at >= 2 && word(b, at) != j2k::kSOD) {
      if (++segments > kMaxSegments) return fail(Errc::limit_exceeded, "JPEG 2000 marker segments", at);
      CAIRN_TRY(const J2KSegment s, read_segment(b, at));
      CAIRN_TRYV(check_segment_cost(h, s, 1));
      at = s.offset + s.data.size();
    }
    if (length == 0) return outcome::success();  // the last tile-part, up to EOC
    if (length < at + 2 - begin) return fail(Errc::malformed, "JPEG 2000 tile-part length", begin);
    if (length > b.size() - begin) {
      if (allow_truncated && length <= kMaxMissingBytes) return outcome::success();
      return fail(Errc::truncated, "JPEG 2000 tile-part", b.size());
    }
    at = begin + length;
  }
}

}  // namespace cairn::codec
