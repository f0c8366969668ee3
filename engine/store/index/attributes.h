// The attributes that the index keeps in its rows (PS3.4 §C.6.1.1, PS3.18 §10.6.3: what a query by level answers),
// taken from a header without building a data set: this is on the ingest path.
//
// Values stay as received, padding and character set included; a row carries the Specific Character Set beside them.
// Values longer than kMaxAttributeBytes, which no VR of these allows, are left to the header.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"

namespace cairn::store {

enum class AttributeLevel : std::uint8_t { character_set = 1, patient = 2, study = 4, series = 8, instance = 16 };

inline constexpr std::size_t kMaxAttributeBytes = 16 * 1024;
inline constexpr std::size_t kAttributes = 76;

/// The values of one header, as views into Header::bytes. Does not own; the header outlives it.
class AttributeValues {
 public:
  /// Errors: corrupt, when the header's bytes break the format that they were accepted with.
  static Result<AttributeValues> of(const dicom::Header& header);

  /// As received; empty when absent. Precondition: the tag is one of the table.
  std::string_view raw(dicom::Tag tag) const noexcept;
  /// Without padding, decoded to UTF-8.
  std::string text(dicom::Tag tag) const;
  /// An IS value, leniently read (spaces, sign, digits); false when absent or unreadable.
  bool integer(dicom::Tag tag, std::int64_t& value) const noexcept;

  /// Appends the attributes of `levels` (a sum of AttributeLevel) as an explicit VR little endian data set. The
  /// Specific Character Set comes along when there is one.
  void encode(unsigned levels, std::string& out) const;

 private:
  std::array<std::string_view, kAttributes> values_{};
  std::array<bool, kAttributes> present_{};
  bool big_endian_ = false;
};

/// All of them, ascending, without the Specific Character Set.
std::vector<std::pair<dicom::Tag, AttributeLevel>> kept_attributes();
/// The level of an attribute that rows keep; nullopt for all others.
std::optional<AttributeLevel> attribute_level(dicom::Tag tag) noexcept;

/// One value of what encode() wrote, decoded to UTF-8, without padding; empty when it is absent or the bytes are odd.
std::string attribute_text(std::string_view encoded, dicom::Tag tag);

/// A data set that encode() wrote. Errors: corrupt.
Result<dicom::DataSet> decode_attributes(std::string_view encoded);

/// Puts the elements of `from` into `into`; both become UTF-8 where their character sets differ.
void merge_attributes(dicom::DataSet& into, const dicom::DataSet& from);

}  // namespace cairn::store
