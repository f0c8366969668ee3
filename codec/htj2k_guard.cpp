// The door before OpenJPH 0.9, which trusts headers: of streams damaged in their header or length one in 25 crashes or
// hangs it, of streams that pass here none did. Refusal is no error: such a stream goes to OpenJPEG.
#include <algorithm>

#include "codec/htj2k_packets.h"
#include "codec/j2k_header.h"

namespace cairn::codec {
namespace {

unsigned octet(Bytes b, std::size_t i) {
  return std::to_integer<unsigned>(b[i]);
}

constexpr std::uint32_t kPart15 = 0x00020000;  // Pcap bit 14: Ccap15 follows
constexpr std::uint8_t kHTBlocks = 0x40;
constexpr std::uint32_t kMaxTile = 1u << 30;
constexpr unsigned kMaxLevels = 10;
constexpr unsigned kMaxPrecision = 16;

// Where the lowest resolution is a single row or column, OpenJPH 0.9 gives wrong samples and no error (measured: all
// failures of 7,875 small images had a side of at most 2^levels).
bool plain_levels(const J2KHeader& h) {
  return h.style.levels <= kMaxLevels && std::min(h.width(), h.height()) >= std::uint64_t{2} << h.style.levels;
}

bool plain_extent(const J2KHeader& h) {
  // Its arithmetic is of 32 bits: a tile much larger than the image becomes none.
  const bool one_tile = h.x0 == 0 && h.y0 == 0 && h.tx0 == 0 && h.ty0 == 0 && h.tx >= h.x1 && h.ty >= h.y1 &&
                        h.tx <= kMaxTile && h.ty <= kMaxTile;
  return one_tile && std::all_of(h.components.begin(), h.components.end(), [](const J2KComponent& c) {
           return c.dx == 1 && c.dy == 1 && c.precision <= kMaxPrecision;
         });
}

bool plain_cap(Bytes cap) {
  if (cap.size() != 6 || load_be<std::uint32_t>(cap.data()) != kPart15) return false;
  return (load_be<std::uint16_t>(cap.data() + 4) & 0xF800u) == 0;  // HT only, one set, no ROI, homogeneous
}

bool plain_cod(const J2KHeader& h, Bytes cod) {
  const J2KCodingStyle& s = h.style;
  const unsigned scod = octet(cod, 0);
  const std::size_t length = 10u + ((scod & 1u) != 0 ? s.levels + 1u : 0u);
  if (cod.size() != length || scod > 7 || h.progression > 4 || h.layers != 1) return false;
  if (octet(cod, 4) > 1 || octet(cod, 9) > 1) return false;
  if (h.multi_component_transform && h.components.size() < 3) return false;
  if (octet(cod, 6) > 8 || octet(cod, 7) > 8 || s.block_style != kHTBlocks) return false;
  if (s.precincts_defined) {
    for (unsigned r = 0; r <= s.levels; ++r) {
      if ((s.precincts[r] & 15u) < 6 || s.precincts[r] >> 4 < 6) return false;
    }
  }
  return true;
}

bool plain_qcd(const J2KHeader& h, Bytes qcd) {
  if (qcd.empty()) return false;
  const unsigned style = octet(qcd, 0) & 31u;
  const std::size_t bands = 3u * h.style.levels + 1u;
  const unsigned limit = h.components[0].precision + 4u + (h.multi_component_transform ? 1u : 0u);
  if (h.style.reversible != (style == 0)) return false;
  if (style == 0) {
    if (qcd.size() != 1 + bands) return false;
    return std::all_of(qcd.begin() + 1, qcd.end(),
                       [limit](std::byte b) { return std::to_integer<unsigned>(b) >> 3 <= limit; });
  }
  if (style != 2 || qcd.size() != 1 + 2 * bands) return false;
  for (std::size_t i = 1; i < qcd.size(); i += 2) {
    if (octet(qcd, i) >> 3 > limit) return false;
  }
  return true;
}

/// Tile-parts of tile 0 in order up to EOC, and packets in them that add up: OpenJPH 0.9 writes past its buffers where
/// the length of a block does not.
bool plain_tile_parts(const J2KHeader& h, Bytes b) {
  if (!h.ends_with_eoc) return false;
  const std::size_t eoc = h.end - 2;
  std::size_t at = h.first_tile_part;
  unsigned number = 0;
  std::vector<Bytes> parts;
  std::size_t packet_bytes = 0;
  while (at < eoc) {
    if (eoc - at < 14) return false;
    const Bytes sot = b.subspan(at, 14);
    const std::size_t length = load_be<std::uint32_t>(sot.data() + 6);
    const bool good = load_be<std::uint16_t>(sot.data()) == j2k::kSOT && load_be<std::uint16_t>(sot.data() + 2) == 10 &&
                      load_be<std::uint16_t>(sot.data() + 4) == 0 && octet(sot, 10) == number &&
                      load_be<std::uint16_t>(sot.data() + 12) == j2k::kSOD;
    if (!good || length < 14 || length > eoc - at) return false;
    parts.push_back(b.subspan(at + 14, length - 14));
    packet_bytes += length - 14;
    at += length;
    if (++number > 255) return false;
  }
  if (at != eoc || number == 0) return false;
  const auto ends = resolution_ends(h, parts);
  return ends.has_value() && ends.value().back() == packet_bytes;
}

}  // namespace

bool is_plain_htj2k(const J2KHeader& h, Bytes b) {
  if (!plain_extent(h) || !plain_levels(h)) return false;
  unsigned caps = 0;
  unsigned cods = 0;
  unsigned qcds = 0;
  for (const J2KSegment& s : h.segments) {
    switch (s.marker) {
      case j2k::kSIZ:
      case j2k::kCOM:
        break;
      case j2k::kTLM:
        if (s.data.size() < 2) return false;
        break;
      case j2k::kCAP:
        if (++caps > 1 || !plain_cap(s.data)) return false;
        break;
      case j2k::kCOD:
        if (++cods > 1 || !plain_cod(h, s.data)) return false;
        break;
      case j2k::kQCD:
        if (++qcds > 1 || cods == 0 || !plain_qcd(h, s.data)) return false;
        break;
      default:
        return false;
    }
  }
  return caps == 1 && cods == 1 && qcds == 1 && plain_tile_parts(h, b);
}

}  // namespace cairn::codec
