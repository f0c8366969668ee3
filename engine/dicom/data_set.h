// A parsed data set (PS3.5 §7) for use off the ingest path: queries, metadata, geometry, command sets.
//
// Values are owned, little-endian, padding kept as received; text is in the data set's own character repertoire until
// text() decodes it. A value that the index leaves out (pixel data, large binary values) has `bulk` set and no bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/encoding.h"
#include "engine/dicom/tag.h"

namespace cairn::dicom {

struct Header;
class DataSetBuilder;

/// Where a left-out value lies: byte offset and length in the complete Part 10 stream (or, for a deflated data set, in
/// its inflated form). An encapsulated value's length runs from its first item to the end of its sequence delimiter.
struct BulkValue {
  std::uint64_t stream_offset = 0;
  std::uint64_t length = 0;
  bool encapsulated = false;
};

class DataSet;

struct Element {
  Tag tag;
  VR vr = VR::none;
  std::string value;           ///< empty for SQ and for bulk values
  std::vector<DataSet> items;  ///< of a sequence, in order
  std::optional<BulkValue> bulk;
};

/// Elements in ascending tag order, one per tag (of repeated ones the first is kept).
class DataSet {
 public:
  /// Parses a whole data set (no preamble, no File Meta Information, not deflated: inflate_data_set() first). Errors:
  /// truncated, malformed, limit_exceeded (nesting deeper than kMaxNesting), with the byte offset. Encapsulated values
  /// are left out (`bulk`, its offset counted in `bytes`). Tolerates what the header scan does.
  static Result<DataSet> parse(Bytes bytes, Encoding encoding);
  /// Parses what the index keeps of an instance.
  static Result<DataSet> parse(const Header& header);

  const std::vector<Element>& elements() const noexcept { return elements_; }
  bool empty() const noexcept { return elements_.empty(); }
  const Element* find(Tag tag) const noexcept;
  bool contains(Tag tag) const noexcept { return find(tag) != nullptr; }

  /// The value as UTF-8 without padding (numbers of binary VRs in decimal), decoded by the data set's Specific
  /// Character Set for the VRs that it governs; empty when absent. Several values stay separated by backslashes.
  std::string text(Tag tag) const;
  /// As text(), but of value number `index` from 0; empty when there are fewer.
  std::string text(Tag tag, std::size_t index) const;
  /// Numbers of any numeric VR, DS and IS included. nullopt when absent, empty or unreadable.
  std::optional<double> number(Tag tag, std::size_t index = 0) const;
  std::vector<double> numbers(Tag tag) const;  ///< all values; empty when any is unreadable
  std::optional<std::int64_t> integer(Tag tag, std::size_t index = 0) const;
  /// Item `index` of a sequence, or nullptr.
  const DataSet* item(Tag sequence, std::size_t index = 0) const noexcept;

  void set(Element element);  ///< inserts or replaces, keeping the order
  /// Encodes by character_set() where it governs the VR ("?" for characters outside it), and pads to even length by
  /// PS3.5 §6.2. Setting Specific Character Set (0008,0005) sets character_set() too: do it first.
  void set_text(Tag tag, VR vr, std::string_view utf8);
  void set_us(Tag tag, std::uint16_t value);
  void set_ul(Tag tag, std::uint32_t value);
  void erase(Tag tag);

  /// Encodes as explicit or implicit VR, little- or big-endian (never deflated), sequences with defined lengths, odd
  /// values padded. A value too long for its VR's 16-bit length becomes UN. Precondition: no bulk values; those that
  /// there are do not come out.
  std::string encode(Encoding encoding) const;

  /// The Specific Character Set in force (inherited by items from their parent when parsed), as its backslashed value.
  const std::string& character_set() const noexcept { return character_set_; }
  void set_character_set(std::string value) { character_set_ = std::move(value); }

 private:
  friend class DataSetBuilder;

  std::vector<Element> elements_;
  std::string character_set_;
};

}  // namespace cairn::dicom
