// RLE Lossless (PS3.5 Annex G), the writing side: a row never shares a run with the next (§G.3.1), runs of two go into
// the literal around them.
#include <bit>
#include <cstring>

#include "codec/encoders.h"

namespace cairn::codec {
namespace {

constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kMaxRun = 128;
constexpr std::uint64_t kOnes = 0x0101010101010101u;
constexpr std::uint64_t kHighs = 0x8080808080808080u;

std::uint64_t load8(const std::uint8_t* p) {
  return load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(p));
}

/// Index of the first zero byte, 8 where there is none.
unsigned first_zero(std::uint64_t v) {
  const std::uint64_t zero = (v - kOnes) & ~v & kHighs;  // exact up to the first
  return zero == 0 ? 8 : static_cast<unsigned>(std::countr_zero(zero)) / 8;
}

/// First i >= from with three equal bytes at i, or `count`. Eight bytes after the row may be read.
std::size_t next_run(const std::uint8_t* p, std::size_t from, std::size_t count) {
  for (std::size_t i = from; i + 2 < count; i += 8) {
    const std::uint64_t a = load8(p + i);
    const std::uint64_t b = load8(p + i + 1);
    const std::uint64_t c = load8(p + i + 2);
    const unsigned at = first_zero((a ^ b) | (b ^ c));
    if (at < 8) return i + at + 2 < count ? i + at : count;
  }
  return count;
}

std::size_t run_length(const std::uint8_t* p, std::size_t from, std::size_t most) {
  const std::uint64_t same = kOnes * p[from];
  std::size_t n = 0;
  while (n < most) {
    const std::uint64_t differs = load8(p + from + n) ^ same;
    if (differs != 0) return std::min<std::size_t>(n + static_cast<unsigned>(std::countr_zero(differs)) / 8, most);
    n += 8;
  }
  return most;
}

/// `out` has room for 129 bytes for each 128 begun.
std::byte* pack_row(const std::uint8_t* p, std::size_t count, std::byte* out) {
  for (std::size_t i = 0; i < count;) {
    const std::size_t run_at = next_run(p, i, count);
    while (i < run_at) {
      const std::size_t n = std::min(run_at - i, kMaxRun);
      *out++ = static_cast<std::byte>(n - 1);
      std::memcpy(out, p + i, n);
      out += n;
      i += n;
    }
    if (i >= count) break;
    const std::size_t n = run_length(p, i, std::min(count - i, kMaxRun));
    *out++ = static_cast<std::byte>(n == 1 ? 0 : 257 - n);
    *out++ = static_cast<std::byte>(p[i]);
    i += n;
  }
  return out;
}

std::size_t packed_bound(std::size_t count) {
  return count + (count + kMaxRun - 1) / kMaxRun + 2;
}

class Writer {
 public:
  Writer(std::size_t segments, std::size_t bytes_bound) : out_(kHeaderBytes + bytes_bound + segments) {
    store_le<std::uint32_t>(out_.data(), static_cast<std::uint32_t>(segments));
  }

  void begin_segment() { store_le<std::uint32_t>(out_.data() + 4 + 4 * segment_++, static_cast<std::uint32_t>(at_)); }
  void row(const std::uint8_t* p, std::size_t count) {
    at_ = static_cast<std::size_t>(pack_row(p, count, out_.data() + at_) - out_.data());
  }
  void end_segment() {
    if (at_ % 2 != 0) out_[at_++] = std::byte{0};
  }
  Coded finish() {
    out_.resize(at_);
    return std::move(out_);
  }

 private:
  Coded out_;
  std::size_t at_ = kHeaderBytes;
  std::size_t segment_ = 0;
};

}  // namespace

Coded encode_rle(const CodingInput& input) {
  const std::size_t planes = std::size_t{input.components} * input.width_bytes;
  const std::size_t columns = input.columns;
  Writer writer(planes, planes * input.rows * packed_bound(columns));
  std::vector<std::uint8_t> line(columns + 16);
  const auto* const samples = reinterpret_cast<const std::uint8_t*>(input.samples.data());
  for (std::size_t plane = 0; plane < planes; ++plane) {
    // Most significant byte of each sample first.
    const std::size_t offset =
        plane / input.width_bytes * input.width_bytes + input.width_bytes - 1 - plane % input.width_bytes;
    writer.begin_segment();
    for (std::size_t row = 0; row < input.rows; ++row) {
      const std::uint8_t* const from = samples + row * columns * planes + offset;
      if (planes == 1) {
        std::memcpy(line.data(), from, columns);
      } else if (planes == 2) {
        for (std::size_t i = 0; i < columns; ++i) line[i] = from[2 * i];
      } else {
        for (std::size_t i = 0; i < columns; ++i) line[i] = from[planes * i];
      }
      writer.row(line.data(), columns);
    }
    writer.end_segment();
  }
  return writer.finish();
}

Coded encode_rle_bits(Bytes packed) {
  Writer writer(1, packed_bound(packed.size()));
  std::vector<std::uint8_t> line(packed.size() + 16);
  std::memcpy(line.data(), packed.data(), packed.size());
  writer.begin_segment();
  writer.row(line.data(), packed.size());
  writer.end_segment();
  return writer.finish();
}

}  // namespace cairn::codec
