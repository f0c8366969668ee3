// Whether attributes match keys (PS3.4 §C.2.2.2): single value, list, wildcard, range, sequence, empty. Pure functions.
// Internal to engine/archive.
//
// Names are compared folded (case, accents and width do not count): a key without "=" with each component group, a key
// with it group by group. All other text is compared as it is. Numbers are compared as numbers, dates and times to the
// precision of the key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/archive/archive.h"

namespace cairn::archive {

inline constexpr std::size_t kMaxKeyBytes = 4096;    ///< of one value
inline constexpr std::size_t kMaxKeyValues = 65536;  ///< of one key
inline constexpr int kMaxKeyDepth = 8;

/// * any characters, ? one. Linear in text times pattern.
bool matches_wildcard(std::string_view text, std::string_view pattern) noexcept;

/// A closed range of dates or times as digits that compare as text; an open end is empty.
struct Range {
  std::string low, high;
};
/// Reads a DA, TM or DT key. Errors: malformed (what is no date or time, or a range that ends before it begins).
Result<Range> read_range(std::string_view value, dicom::VR vr, bool may_be_backward = false);
/// A stored value in the form of a range's ends; empty when it is none.
std::string range_digits(std::string_view value, dicom::VR vr);

/// What of a name key must be at the beginning of a group, folded; empty when nothing is. `exact`: the whole group.
std::string name_beginning(std::string_view key_value, bool& exact);

bool fuzzy_name_matches(const std::vector<std::string>& query_words, std::string_view folded_group) noexcept;
/// The folded words of a fuzzy name key.
std::vector<std::string> fuzzy_words(std::string_view key_value);

/// Errors: malformed, limit_exceeded, naming what is wrong.
Result<> check_keys(const std::vector<Key>& keys, int depth = 0);

bool matches(const Key& key, const dicom::DataSet& attributes, bool fuzzy);

}  // namespace cairn::archive
