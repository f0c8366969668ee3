#include "codec/htj2k_tile_parts.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "codec/htj2k_packets.h"
#include "codec/j2k_header.h"

namespace cairn::codec {
namespace {

constexpr std::uint8_t kRPCL = 2;
constexpr std::uint8_t kHTBlocks = 0x40;

void put16(std::vector<std::byte>& out, unsigned v) {
  out.push_back(static_cast<std::byte>(v >> 8));
  out.push_back(static_cast<std::byte>(v));
}
void put32(std::vector<std::byte>& out, std::size_t v) {
  put16(out, static_cast<unsigned>(v >> 16 & 0xFFFFu));
  put16(out, static_cast<unsigned>(v & 0xFFFFu));
}
void append(std::vector<std::byte>& out, Bytes b) {
  out.insert(out.end(), b.begin(), b.end());
}

Result<> check(const J2KHeader& h) {
  const bool plain = h.x0 == 0 && h.y0 == 0 && h.tile_count() == 1 && h.layers == 1 && h.progression == kRPCL &&
                     h.style.block_style == kHTBlocks && h.ends_with_eoc &&
                     std::all_of(h.components.begin(), h.components.end(),
                                 [](const J2KComponent& c) { return c.dx == 1 && c.dy == 1; });
  const bool other = std::any_of(h.segments.begin(), h.segments.end(),
                                 [](const J2KSegment& s) { return s.marker == j2k::kTLM || s.marker == j2k::kCOC; });
  if (!plain || other) return fail(Errc::unsupported, "HTJ2K stream of another form");
  return outcome::success();
}

}  // namespace

Result<std::vector<std::byte>> add_tile_parts(Bytes b) {
  constexpr std::size_t kTilePartHeader = 14;  // SOT and SOD
  CAIRN_TRY(const J2KHeader h, read_j2k_header(b));
  CAIRN_TRYV(check(h));
  const std::size_t sot = h.first_tile_part;
  if (h.end - sot < kTilePartHeader + 2 || load_be<std::uint16_t>(b.data() + sot + 12) != j2k::kSOD)
    return fail(Errc::unsupported, "HTJ2K tile-part header", sot);
  const unsigned resolutions = h.style.levels + 1u;
  const Bytes packets = b.subspan(sot + kTilePartHeader, h.end - 2 - sot - kTilePartHeader);
  CAIRN_TRY(const auto ends, resolution_ends(h, std::span(&packets, 1)));
  if (ends.back() != packets.size())
    return fail(Errc::malformed, "HTJ2K packets and tile-part length differ", ends.back());

  std::vector<std::byte> out;
  out.reserve(b.size() + 6 + resolutions * (kTilePartHeader + 5));
  append(out, b.first(sot));
  put16(out, j2k::kTLM);
  put16(out, 4 + 5 * resolutions);
  out.push_back(std::byte{0});     // Ztlm
  out.push_back(std::byte{0x50});  // Stlm: tile index in a byte, length in four
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    out.push_back(std::byte{0});
    put32(out, kTilePartHeader + end - begin);
    begin = end;
  }
  begin = 0;
  for (unsigned r = 0; r < resolutions; ++r) {
    put16(out, j2k::kSOT);
    put16(out, 10);
    put16(out, 0);
    put32(out, kTilePartHeader + ends[r] - begin);
    out.push_back(static_cast<std::byte>(r));
    out.push_back(static_cast<std::byte>(resolutions));
    put16(out, j2k::kSOD);
    append(out, packets.subspan(begin, ends[r] - begin));
    begin = ends[r];
  }
  put16(out, j2k::kEOC);
  return out;
}

}  // namespace cairn::codec
