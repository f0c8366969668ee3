// Palette colour lookup tables (PS3.3 §C.7.6.3.1.5, §C.7.6.3.1.6), segmented ones too (§C.7.9.2), and supplemental
// ones, which colour only the values from their first on (§C.7.6.19). Values come from data sets and are hostile. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

/// One colour: entries for first, first + 1, …; values before and after take the ends.
struct PaletteTable {
  std::int64_t first = 0;
  unsigned bits = 16;  ///< of an entry, 8 to 16
  std::vector<std::uint16_t> entries;
};

/// `descriptor` and `data` as in the data set, little-endian; `signed_first`: Pixel Representation is 1. 8-bit entries
/// may lie in a byte or in a word each. Errors: malformed (too little data, segments that run past the number of
/// entries or fall short of it, an indirect segment to nowhere or to another one).
Result<PaletteTable> read_palette(Bytes descriptor, Bytes data, bool segmented, bool signed_first);

class Palette {
 public:
  /// Red, green, blue. Errors: mismatch (tables of different extent).
  static Result<Palette> make(std::array<PaletteTable, 3> tables);

  std::int64_t first() const noexcept { return first_; }

  /// The colour of a stored value.
  std::array<std::uint8_t, 3> operator()(double value) const noexcept;

 private:
  std::int64_t first_ = 0;
  std::vector<std::array<std::uint8_t, 3>> colours_;
};

}  // namespace cairn::codec
