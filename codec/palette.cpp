#include "codec/palette.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cairn::codec {
namespace {

/// The elements of segmented data: bytes or words.
class Elements {
 public:
  Elements(Bytes data, unsigned width) : data_(data), width_(width) {}

  std::size_t size() const noexcept { return data_.size() / width_; }
  unsigned width() const noexcept { return width_; }
  std::uint32_t operator[](std::size_t i) const noexcept {
    return width_ == 1 ? std::to_integer<std::uint32_t>(data_[i]) : load_le<std::uint16_t>(data_.data() + 2 * i);
  }

 private:
  Bytes data_;
  unsigned width_;
};

/// §C.7.9.2. An indirect segment repeats others, never an indirect one, so that there is no recursion.
class Segments {
 public:
  Segments(const Elements& e, std::size_t count) : e_(e), count_(count) {}

  Result<std::vector<std::uint16_t>> expand() {
    for (std::size_t at = 0; at < e_.size() && out_.size() < count_;) {
      CAIRN_TRY(at, segment(at, true));
    }
    if (out_.size() != count_) return fail(Errc::malformed, "segmented palette of too few entries");
    return std::move(out_);
  }

 private:
  enum : std::uint32_t { kDiscrete = 0, kLinear = 1, kIndirect = 2 };

  /// Appends the segment at `at`; where the next one begins.
  Result<std::size_t> segment(std::size_t at, bool may_be_indirect) {
    if (e_.size() - at < 3) return fail(Errc::malformed, "segmented palette: segment", at);
    const std::uint32_t code = e_[at];
    const std::uint32_t length = e_[at + 1];
    if (code == kIndirect) {
      if (!may_be_indirect) return fail(Errc::malformed, "segmented palette: indirect to an indirect segment", at);
      return indirect(at, length);
    }
    if (code > kIndirect) return fail(Errc::malformed, "segmented palette: segment type", at);
    if (length > count_ - out_.size()) return fail(Errc::malformed, "segmented palette of too many entries", at);
    if (code == kLinear) {
      if (out_.empty()) return fail(Errc::malformed, "segmented palette begins with a linear segment", at);
      linear(length, e_[at + 2]);
      return at + 3;
    }
    if (length > e_.size() - at - 2) return fail(Errc::malformed, "segmented palette: discrete segment", at);
    for (std::uint32_t i = 0; i < length; ++i) out_.push_back(static_cast<std::uint16_t>(e_[at + 2 + i]));
    return at + 2 + length;
  }

  /// `length` values after the last one, the last of them `end`.
  void linear(std::uint32_t length, std::uint32_t end) {
    const double begin = out_.back();
    for (std::uint32_t i = 1; i <= length; ++i) {
      const double v = begin + (static_cast<double>(end) - begin) * i / length;
      out_.push_back(static_cast<std::uint16_t>(std::lround(v)));
    }
  }

  /// `count` segments from a byte offset: two elements of 16 bits or four of 8, low part first.
  Result<std::size_t> indirect(std::size_t at, std::uint32_t count) {
    const std::size_t parts = 4 / e_.width();
    if (e_.size() - at < 2 + parts) return fail(Errc::malformed, "segmented palette: indirect segment", at);
    std::size_t offset = 0;
    for (std::size_t i = 0; i < parts; ++i) offset |= std::size_t{e_[at + 2 + i]} << (8 * e_.width() * i);
    if (offset % e_.width() != 0 || offset / e_.width() >= at)
      return fail(Errc::malformed, "segmented palette: indirect offset", at);
    std::size_t from = offset / e_.width();
    for (std::uint32_t i = 0; i < count; ++i) {
      CAIRN_TRY(from, segment(from, false));
    }
    return at + 2 + parts;
  }

  const Elements& e_;
  std::size_t count_;
  std::vector<std::uint16_t> out_;
};

Result<std::vector<std::uint16_t>> expand(Bytes data, std::size_t count, unsigned bits) {
  // Entries of 8 bits make elements of 8 bits, but some senders write words all the same.
  if (bits <= 8) {
    const Elements bytes(data, 1);
    auto narrow = Segments(bytes, count).expand();
    if (narrow.has_value()) return narrow;
  }
  const Elements words(data, 2);
  return Segments(words, count).expand();
}

}  // namespace

Result<PaletteTable> read_palette(Bytes descriptor, Bytes data, bool segmented, bool signed_first) {
  if (descriptor.size() < 6) return fail(Errc::malformed, "palette descriptor");
  const auto count_word = load_le<std::uint16_t>(descriptor.data());
  const auto first = load_le<std::uint16_t>(descriptor.data() + 2);
  const auto bits = load_le<std::uint16_t>(descriptor.data() + 4);
  const std::size_t count = count_word == 0 ? 65536 : count_word;
  PaletteTable table;
  table.first = signed_first ? static_cast<std::int16_t>(first) : static_cast<std::int64_t>(first);
  table.bits = bits >= 8 && bits <= 16 ? bits : 16;
  if (segmented) {
    CAIRN_TRY(table.entries, expand(data, count, table.bits));
    return table;
  }
  table.entries.resize(count);
  if (data.size() >= 2 * count) {
    for (std::size_t i = 0; i < count; ++i) table.entries[i] = load_le<std::uint16_t>(data.data() + 2 * i);
  } else if (data.size() >= count) {  // 8-bit entries, packed, whatever the descriptor says
    for (std::size_t i = 0; i < count; ++i) table.entries[i] = std::to_integer<std::uint16_t>(data[i]);
    table.bits = 8;
  } else {
    return fail(Errc::malformed, "palette data shorter than its entries");
  }
  return table;
}

Result<Palette> Palette::make(std::array<PaletteTable, 3> tables) {
  unsigned bits = 8;
  std::uint16_t largest = 0;
  for (const PaletteTable& t : tables) {
    if (t.entries.empty() || t.entries.size() != tables[0].entries.size() || t.first != tables[0].first)
      return fail(Errc::mismatch, "palettes of different extent");
    bits = std::max(bits, t.bits);
    largest = std::max(largest, *std::max_element(t.entries.begin(), t.entries.end()));
  }
  // Descriptors of the field say 16 bits and the entries hold 8, or the reverse.
  if (largest <= 255) bits = 8;
  while (bits < 16 && largest >> bits != 0) ++bits;
  Palette palette;
  palette.first_ = tables[0].first;
  palette.colours_.resize(tables[0].entries.size());
  for (std::size_t i = 0; i < palette.colours_.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c)
      palette.colours_[i][c] = static_cast<std::uint8_t>(tables[c].entries[i] >> (bits - 8));
  }
  return palette;
}

std::array<std::uint8_t, 3> Palette::operator()(double value) const noexcept {
  const double index = std::floor(value + 0.5) - static_cast<double>(first_);
  const double last = static_cast<double>(colours_.size() - 1);
  return colours_[static_cast<std::size_t>(std::clamp(std::isnan(index) ? 0.0 : index, 0.0, last))];
}

}  // namespace cairn::codec
