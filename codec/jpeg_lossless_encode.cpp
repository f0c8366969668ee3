// JPEG Lossless, process 14, selection value 1 (ISO/IEC 10918-1 Annex H), the writing side: one interleaved scan, one
// Huffman table made for the frame (Annex K.2).
#include <algorithm>
#include <array>
#include <bit>

#include "codec/encoders.h"
#include "codec/jpeg_bit_writer.h"

namespace cairn::codec {
namespace {

constexpr std::size_t kCategories = 17;
constexpr unsigned kMaxCodeLength = 16;

struct HuffmanTable {
  std::array<std::uint8_t, 17> count_of_length{};  ///< index 0 unused
  std::vector<std::uint8_t> symbols;               ///< shortest code first
  std::array<std::uint16_t, kCategories> code{};
  std::array<std::uint8_t, kCategories> length{};
};

/// Lengths of an optimal code over the categories that occur and one that never does, which keeps all ones free.
HuffmanTable optimal_table(const std::array<std::uint64_t, kCategories>& frequency) {
  struct Node {
    std::uint64_t weight = 0;
    std::vector<std::size_t> symbols;
  };
  std::vector<Node> nodes;
  std::array<unsigned, kCategories + 1> depth{};
  for (std::size_t s = 0; s < kCategories; ++s) {
    if (frequency[s] != 0) nodes.push_back({frequency[s], {s}});
  }
  nodes.push_back({0, {kCategories}});
  while (nodes.size() > 1) {
    std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.symbols.back() < b.symbols.back();
    });
    Node last = std::move(nodes.back());
    nodes.pop_back();
    Node& into = nodes.back();
    into.weight += last.weight;
    into.symbols.insert(into.symbols.end(), last.symbols.begin(), last.symbols.end());
    for (const std::size_t s : into.symbols) ++depth[s];
  }
  std::array<unsigned, kCategories + 2> of_length{};
  for (std::size_t s = 0; s <= kCategories; ++s) {
    if (depth[s] != 0) ++of_length[depth[s]];
  }
  for (std::size_t l = kCategories + 1; l > kMaxCodeLength; --l) {  // Figure K.3
    while (of_length[l] > 0) {
      std::size_t shorter = l - 2;
      while (of_length[shorter] == 0) --shorter;
      of_length[l] -= 2;
      of_length[l - 1] += 1;
      of_length[shorter + 1] += 2;
      of_length[shorter] -= 1;
    }
  }
  for (std::size_t l = kMaxCodeLength; l > 0; --l) {  // the reserved one has a longest code
    if (of_length[l] == 0) continue;
    --of_length[l];
    break;
  }

  HuffmanTable table;
  for (std::size_t s = 0; s < kCategories; ++s) {
    if (frequency[s] != 0) table.symbols.push_back(static_cast<std::uint8_t>(s));
  }
  std::sort(table.symbols.begin(), table.symbols.end(), [&](std::uint8_t x, std::uint8_t y) {
    return frequency[x] != frequency[y] ? frequency[x] > frequency[y] : x < y;
  });
  unsigned code = 0;
  std::size_t index = 0;
  for (unsigned l = 1; l <= kMaxCodeLength; ++l, code <<= 1) {
    table.count_of_length[l] = static_cast<std::uint8_t>(of_length[l]);
    for (unsigned i = 0; i < of_length[l]; ++i, ++code, ++index) {
      table.code[table.symbols[index]] = static_cast<std::uint16_t>(code);
      table.length[table.symbols[index]] = static_cast<std::uint8_t>(l);
    }
  }
  return table;
}

class Encoder {
 public:
  explicit Encoder(const CodingInput& input) : input_(input), line_(input.line_samples()), above_(input.components) {}

  Coded run() {
    differences_.resize(input_.line_samples() * input_.rows);
    std::array<std::array<std::uint32_t, 32>, 4> histograms{};  // several: equal neighbours do not wait for each other
    std::array<std::uint64_t, kCategories> frequency{};
    for (std::uint32_t row = 0; row < input_.rows; ++row) {
      const std::size_t n = input_.line_samples();
      std::int16_t* const d = differences_.data() + row * n;
      difference_row(row, d);
      for (std::size_t i = 0; i < n; ++i) ++histograms[i % 4][category(d[i])];
      for (auto& h : histograms) {
        for (std::size_t s = 0; s < kCategories; ++s) frequency[s] += h[s];
        h.fill(0);
      }
    }
    table_ = optimal_table(frequency);
    headers();
    scan();
    put16(0xFFD9);
    return std::move(out_);
  }

 private:
  /// SSSS of Table H.2: bits of the magnitude, 16 for -32768, which stands for 32768.
  static unsigned category(std::int16_t d) noexcept {
    const auto magnitude = static_cast<std::uint32_t>(d < 0 ? -std::int32_t{d} : std::int32_t{d});
    return static_cast<unsigned>(std::bit_width(magnitude));
  }

  /// Differences modulo 2^16 from the left, of the first column from above (H.1.2.1).
  void difference_row(std::uint32_t row, std::int16_t* d) {
    load_patterns(input_, row, line_.data());
    const std::size_t step = input_.components;
    const std::size_t n = line_.size();
    for (std::size_t k = 0; k < step; ++k) {
      const unsigned predicted = row == 0 ? 1u << (input_.precision - 1) : above_[k];
      d[k] = static_cast<std::int16_t>(line_[k] - predicted);
      above_[k] = line_[k];
    }
    const std::uint16_t* const s = line_.data();
    for (std::size_t i = step; i < n; ++i) d[i] = static_cast<std::int16_t>(s[i] - s[i - step]);
  }

  void put(unsigned v) { out_.push_back(static_cast<std::byte>(v)); }
  void put16(unsigned v) {
    put(v >> 8);
    put(v & 255);
  }

  void headers() {
    const unsigned components = input_.components;
    put16(0xFFD8);
    put16(0xFFC3);
    put16(8 + 3 * components);
    put(input_.precision);
    put16(input_.rows);
    put16(input_.columns);
    put(components);
    for (unsigned k = 1; k <= components; ++k) {
      put(k);
      put(0x11);
      put(0);
    }
    put16(0xFFC4);
    put16(static_cast<unsigned>(2 + 17 + table_.symbols.size()));
    put(0);
    for (unsigned l = 1; l <= kMaxCodeLength; ++l) put(table_.count_of_length[l]);
    for (const std::uint8_t s : table_.symbols) put(s);
    put16(0xFFDA);
    put16(6 + 2 * components);
    put(components);
    for (unsigned k = 1; k <= components; ++k) {
      put(k);
      put(0);
    }
    put(1);  // selection value
    put(0);
    put(0);  // point transform
  }

  void scan() {
    JPEGBitWriter bits(out_);
    const std::size_t n = input_.line_samples();
    for (std::uint32_t row = 0; row < input_.rows; ++row) {
      bits.reserve(n * 32);
      const std::int16_t* const d = differences_.data() + row * n;
      for (std::size_t i = 0; i < n; ++i) {
        const unsigned c = category(d[i]);
        // Negative ones are written one less (F.1.2.1); 16 has no bits of its own.
        const unsigned extra = c & 15u;
        const std::uint32_t low = static_cast<std::uint32_t>(d[i] + (d[i] >> 15)) & ((1u << extra) - 1);
        bits.put(std::uint32_t{table_.code[c]} << extra | low, table_.length[c] + extra);
      }
    }
    bits.finish();
  }

  const CodingInput& input_;
  std::vector<std::uint16_t> line_;
  std::vector<std::uint16_t> above_;  ///< first sample of each component in the row before
  std::vector<std::int16_t> differences_;
  HuffmanTable table_;
  Coded out_;
};

}  // namespace

Coded encode_jpeg_lossless(const CodingInput& input) {
  return Encoder(input).run();
}

}  // namespace cairn::codec
