#include "codec/htj2k_tile_parts.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "codec/j2k_header.h"

namespace cairn::codec {
namespace {

constexpr std::uint8_t kRPCL = 2;
constexpr std::uint8_t kHTBlocks = 0x40;
constexpr unsigned kMaxZeroPlanes = 80;

/// Bits of a packet header (B.10.1): a byte after FF holds seven.
class PacketBits {
 public:
  PacketBits(Bytes b, std::size_t at) : b_(b), at_(at) {}

  unsigned bit() {
    if (left_ == 0) next_byte();
    --left_;
    return byte_ >> left_ & 1u;
  }
  std::uint32_t bits(unsigned count) {
    std::uint32_t v = 0;
    for (unsigned i = 0; i < count; ++i) v = v << 1 | bit();
    return v;
  }
  /// Ends the header; the body begins at the offset returned.
  std::size_t finish() {
    if (byte_ == 0xFF && at_ < b_.size()) ++at_;
    return at_;
  }
  bool overrun() const { return overrun_; }

 private:
  void next_byte() {
    left_ = byte_ == 0xFF ? 7 : 8;
    if (at_ >= b_.size()) {
      overrun_ = true;
      byte_ = 0;
      return;
    }
    byte_ = std::to_integer<unsigned>(b_[at_++]);
  }

  Bytes b_;
  std::size_t at_;
  unsigned byte_ = 0;
  unsigned left_ = 0;
  bool overrun_ = false;
};

/// B.10.2.
class TagTree {
 public:
  TagTree(std::uint32_t width, std::uint32_t height) {
    for (;;) {
      levels_.push_back({width, std::vector<Node>(std::size_t{width} * height)});
      if (width * std::uint64_t{height} <= 1) break;
      width = (width + 1) / 2;
      height = (height + 1) / 2;
    }
  }

  /// True when the leaf's value is below `threshold`.
  bool below(PacketBits& bits, std::uint32_t x, std::uint32_t y, unsigned threshold) {
    unsigned low = 0;
    const Node* leaf = nullptr;
    for (std::size_t i = levels_.size(); i-- > 0;) {
      Node& node = levels_[i].nodes[std::size_t{y >> i} * levels_[i].width + (x >> i)];
      node.low = std::max(node.low, low);
      while (!node.known && node.low < threshold) {
        if (bits.bit() != 0) {
          node.known = true;
        } else {
          ++node.low;
        }
      }
      low = node.low;
      leaf = &node;
    }
    return leaf->known && leaf->low < threshold;
  }

 private:
  struct Node {
    unsigned low = 0;
    bool known = false;
  };
  struct Level {
    std::uint32_t width;
    std::vector<Node> nodes;
  };
  std::vector<Level> levels_;
};

std::uint32_t ceil_shift(std::uint32_t v, unsigned shift) {
  return static_cast<std::uint32_t>((std::uint64_t{v} + (std::uint64_t{1} << shift) - 1) >> shift);
}

/// Code-blocks of `1 << exponent` that touch [begin, end).
std::uint32_t blocks(std::uint32_t begin, std::uint32_t end, unsigned exponent) {
  return begin >= end ? 0 : ((end - 1) >> exponent) - (begin >> exponent) + 1;
}

/// Walks the packets of a tile of one layer.
class PacketWalk {
 public:
  PacketWalk(const J2KHeader& header, Bytes codestream, std::size_t begin) : h_(header), b_(codestream), at_(begin) {}

  /// Past the packets of resolution `r`, which come one after the other in RPCL.
  Result<std::size_t> pass_resolution(unsigned r) {
    const unsigned down = h_.style.levels - r;
    const std::uint32_t width = ceil_shift(h_.x1, down);
    const std::uint32_t height = ceil_shift(h_.y1, down);
    const unsigned ppx = h_.style.precincts[r] & 15u;
    const unsigned ppy = h_.style.precincts[r] >> 4;
    for (std::uint32_t py = 0; py < ceil_shift(height, ppy); ++py) {
      for (std::uint32_t px = 0; px < ceil_shift(width, ppx); ++px) {
        for (std::size_t k = 0; k < h_.components.size(); ++k) {
          CAIRN_TRYV(pass_packet(r, px, py, ppx, ppy));
        }
      }
    }
    return at_;
  }

 private:
  Result<> pass_packet(unsigned r, std::uint32_t px, std::uint32_t py, unsigned ppx, unsigned ppy) {
    PacketBits bits(b_, at_);
    std::uint64_t body = 0;
    if (bits.bit() != 0) {
      for (unsigned band = r == 0 ? 0 : 1; band <= (r == 0 ? 0u : 3u); ++band) {
        CAIRN_TRYV(pass_band(bits, r, band, px, py, ppx, ppy, body));
      }
    }
    const std::size_t begin = bits.finish();
    if (bits.overrun() || body > b_.size() - begin) return fail(Errc::malformed, "HTJ2K packet", at_);
    at_ = begin + static_cast<std::size_t>(body);
    return outcome::success();
  }

  /// Band 0 is LL, 1 HL, 2 LH, 3 HH (B.5).
  Result<> pass_band(PacketBits& bits, unsigned r, unsigned band, std::uint32_t px, std::uint32_t py, unsigned ppx,
                     unsigned ppy, std::uint64_t& body) {
    const unsigned halved = r == 0 ? 0 : 1;
    const unsigned level = h_.style.levels - r + halved;  // n_b
    const auto extent = [&](std::uint32_t of, bool high) {
      const std::uint32_t half = high && level > 0 ? 1u << (level - 1) : 0;
      return of <= half ? 0 : ceil_shift(of - half, level);
    };
    const auto clip = [&](std::uint32_t p, unsigned exponent, std::uint32_t end) {
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{p} << (exponent - halved), end));
    };
    const std::uint32_t x_end = extent(h_.x1, (band & 1u) != 0);
    const std::uint32_t y_end = extent(h_.y1, (band & 2u) != 0);
    const unsigned bx = std::min<unsigned>(h_.style.block_width_exponent, ppx - halved);
    const unsigned by = std::min<unsigned>(h_.style.block_height_exponent, ppy - halved);
    const std::uint32_t across = blocks(clip(px, ppx, x_end), clip(px + 1, ppx, x_end), bx);
    const std::uint32_t down = blocks(clip(py, ppy, y_end), clip(py + 1, ppy, y_end), by);
    if (across == 0 || down == 0) return outcome::success();
    TagTree inclusion(across, down);
    TagTree zero_planes(across, down);
    for (std::uint32_t y = 0; y < down; ++y) {
      for (std::uint32_t x = 0; x < across; ++x) {
        if (bits.overrun()) return fail(Errc::malformed, "HTJ2K packet header", at_);
        if (!inclusion.below(bits, x, y, 1)) continue;
        unsigned planes = 1;
        while (!zero_planes.below(bits, x, y, planes)) {
          if (++planes > kMaxZeroPlanes) return fail(Errc::malformed, "HTJ2K zero bit-planes", at_);
        }
        if (bits.bit() != 0) return fail(Errc::unsupported, "HTJ2K block of more than its cleanup pass", at_);
        unsigned length_bits = 3;
        while (bits.bit() != 0) {
          if (++length_bits > 32) return fail(Errc::malformed, "HTJ2K block length", at_);
        }
        body += bits.bits(length_bits);
      }
    }
    return outcome::success();
  }

  const J2KHeader& h_;
  Bytes b_;
  std::size_t at_;
};

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
  const bool markers = std::any_of(h.segments.begin(), h.segments.end(), [](const J2KSegment& s) {
    if (s.marker == j2k::kCOD) return (std::to_integer<unsigned>(s.data[0]) & 6u) != 0;  // SOP, EPH
    return s.marker == j2k::kTLM || s.marker == j2k::kCOC;
  });
  if (!plain || markers) return fail(Errc::unsupported, "HTJ2K stream of another form");
  for (unsigned r = 0; r <= h.style.levels; ++r) {
    if ((h.style.precincts[r] & 15u) == 0 || h.style.precincts[r] >> 4 == 0)
      return fail(Errc::unsupported, "HTJ2K precincts of one sample");
  }
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
  std::vector<std::size_t> ends;
  const std::size_t first = sot + kTilePartHeader;
  PacketWalk walk(h, b.first(h.end - 2), first);
  for (unsigned r = 0; r < resolutions; ++r) {
    CAIRN_TRY(const std::size_t end, walk.pass_resolution(r));
    ends.push_back(end);
  }
  if (ends.back() != h.end - 2) return fail(Errc::malformed, "HTJ2K packets and tile-part length differ", ends.back());

  std::vector<std::byte> out;
  out.reserve(b.size() + 6 + resolutions * (kTilePartHeader + 5));
  append(out, b.first(sot));
  put16(out, j2k::kTLM);
  put16(out, 4 + 5 * resolutions);
  out.push_back(std::byte{0});     // Ztlm
  out.push_back(std::byte{0x50});  // Stlm: tile index in a byte, length in four
  std::size_t begin = first;
  for (const std::size_t end : ends) {
    out.push_back(std::byte{0});
    put32(out, kTilePartHeader + end - begin);
    begin = end;
  }
  begin = first;
  for (unsigned r = 0; r < resolutions; ++r) {
    put16(out, j2k::kSOT);
    put16(out, 10);
    put16(out, 0);
    put32(out, kTilePartHeader + ends[r] - begin);
    out.push_back(static_cast<std::byte>(r));
    out.push_back(static_cast<std::byte>(resolutions));
    put16(out, j2k::kSOD);
    append(out, b.subspan(begin, ends[r] - begin));
    begin = ends[r];
  }
  put16(out, j2k::kEOC);
  return out;
}

}  // namespace cairn::codec
