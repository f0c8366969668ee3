// Folding of names for search: case, accents and width do not count. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cairn::store {

/// Bytes of a folded name that its keys keep; what is longer is compared with the row.
inline constexpr std::size_t kMaxFoldedBytes = 192;

/// `utf8` folded: lower case, without accents, runs of spaces as one, none at the ends or beside "^", no "^" at the
/// end; invalid bytes and control characters are dropped. "*" and "?" stay.
std::string fold(std::string_view utf8);

/// The component groups (PS3.5 §6.2.1: alphabetic, ideographic, phonetic) of each value of a Person Name, folded and
/// cut to kMaxFoldedBytes; ascending, without repetitions and empty ones.
std::vector<std::string> folded_groups(std::string_view person_name);

}  // namespace cairn::store
