#include "codec/htj2k_packets.h"

#include <algorithm>
#include <cstdint>
#include <span>

namespace cairn::codec {
namespace {

constexpr std::uint8_t kRPCL = 2;
constexpr unsigned kMaySOP = 2;
constexpr unsigned kEPHUsed = 4;
constexpr std::uint16_t kSOP = 0xFF91;
constexpr std::uint16_t kEPH = 0xFF92;
constexpr unsigned kMaxZeroPlanes = 80;
constexpr unsigned kMaxLengthBits = 30;
constexpr std::uint64_t kMaxBlocks = std::uint64_t{1} << 22;

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
  PacketWalk(const J2KHeader& header, std::span<const Bytes> parts) : h_(header), rest_(parts) {
    for (const J2KSegment& s : header.segments) {
      if (s.marker == j2k::kCOD && !s.data.empty()) style_ = std::to_integer<unsigned>(s.data[0]);
    }
  }

  /// Past the packets of resolution `r`, which come one after the other.
  Result<std::size_t> pass_resolution(unsigned r) {
    const unsigned down = h_.style.levels - r;
    const unsigned ppx = h_.style.precincts[r] & 15u;
    const unsigned ppy = h_.style.precincts[r] >> 4;
    if (r > 0 && (ppx == 0 || ppy == 0)) return fail(Errc::unsupported, "HTJ2K precincts of one sample");
    const std::uint32_t across = ceil_shift(ceil_shift(h_.x1, down), ppx);
    const std::uint32_t high = ceil_shift(ceil_shift(h_.y1, down), ppy);
    const std::size_t components = h_.components.size();
    const bool by_position = h_.progression == kRPCL;
    for (std::size_t i = 0; i < (by_position ? 1 : components); ++i) {
      for (std::uint32_t py = 0; py < high; ++py) {
        for (std::uint32_t px = 0; px < across; ++px) {
          for (std::size_t k = 0; k < (by_position ? components : 1); ++k) {
            CAIRN_TRYV(pass_packet(r, px, py, ppx, ppy));
          }
        }
      }
    }
    return passed_ + at_;
  }

  /// True where all packets of a resolution come before those of the next.
  bool goes_by_resolution() const {
    if (h_.progression <= kRPCL) return true;
    return h_.components.size() == 1 && h_.x1 <= 0x8000 && h_.y1 <= 0x8000 && !h_.style.precincts_defined;
  }

 private:
  Result<> pass_packet(unsigned r, std::uint32_t px, std::uint32_t py, unsigned ppx, unsigned ppy) {
    while (at_ == b_.size() && !rest_.empty()) {  // a packet lies in one tile-part
      passed_ += at_;
      at_ = 0;
      b_ = rest_.front();
      rest_ = rest_.subspan(1);
    }
    if ((style_ & kMaySOP) != 0 && b_.size() - at_ >= 6 && load_be<std::uint16_t>(b_.data() + at_) == kSOP) at_ += 6;
    PacketBits bits(b_, at_);
    std::uint64_t body = 0;
    if (bits.bit() != 0) {
      for (unsigned band = r == 0 ? 0 : 1; band <= (r == 0 ? 0u : 3u); ++band) {
        CAIRN_TRYV(pass_band(bits, r, band, px, py, ppx, ppy, body));
      }
    }
    std::size_t begin = bits.finish();
    if ((style_ & kEPHUsed) != 0) {
      if (b_.size() - begin < 2 || load_be<std::uint16_t>(b_.data() + begin) != kEPH)
        return fail(Errc::malformed, "HTJ2K packet header without EPH", begin);
      begin += 2;
    }
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
    if (std::uint64_t{across} * down > kMaxBlocks) return fail(Errc::unsupported, "HTJ2K code-blocks of a precinct");
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
        // 0, 10 and 1100: the cleanup pass alone, with one or with two refinement passes.
        unsigned passes = 1;
        if (bits.bit() != 0) passes = bits.bit() == 0 ? 2 : 3;
        if (passes == 3 && bits.bits(2) != 0)
          return fail(Errc::unsupported, "HTJ2K block of several sets of passes", at_);
        unsigned length_bits = 3;
        while (bits.bit() != 0) {
          if (++length_bits > kMaxLengthBits) return fail(Errc::malformed, "HTJ2K block length", at_);
        }
        body += bits.bits(length_bits);
        if (passes > 1) body += bits.bits(length_bits + (passes == 3 ? 1 : 0));
      }
    }
    return outcome::success();
  }

  const J2KHeader& h_;
  std::span<const Bytes> rest_;  ///< tile-parts not begun
  Bytes b_;
  std::size_t at_ = 0;      ///< in b_
  std::size_t passed_ = 0;  ///< bytes of tile-parts before b_
  unsigned style_ = 0;      ///< Scod
};

}  // namespace

Result<std::vector<std::size_t>> resolution_ends(const J2KHeader& header, std::span<const Bytes> tile_parts) {
  PacketWalk walk(header, tile_parts);
  if (!walk.goes_by_resolution()) return fail(Errc::unsupported, "HTJ2K progression order");
  std::vector<std::size_t> ends;
  for (unsigned r = 0; r <= header.style.levels; ++r) {
    CAIRN_TRY(const std::size_t end, walk.pass_resolution(r));
    ends.push_back(end);
  }
  return ends;
}

}  // namespace cairn::codec
