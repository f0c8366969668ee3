// Parameters of a search (QIDO-RS, PS3.18 §8.3.4, §10.6). A pure parser.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/web/resource.h"

namespace cairn::web {

/// Most matches of one answer; a Warning says when there are more.
inline constexpr std::size_t kMaxMatches = 5000;
inline constexpr std::size_t kMaxKeyValues = 1000;

struct Search {
  archive::Query query;  ///< its limit is one more than `limit`, to see whether there are more
  std::size_t limit = kMaxMatches;
  bool limit_is_ours = true;          ///< the client asked for no limit, or a higher one
  bool none = false;                  ///< the path and the keys exclude each other, or limit=0
  std::vector<std::string> warnings;  ///< texts of Warning fields (code 299)
};

/// Keys are attributes as keyword or tag, or paths into sequences with dots; UIDs, coded values and Patient IDs with a
/// list (comma or backslash). Further parameters: includefield, fuzzymatching, limit, offset, cursor (from the Link of
/// an earlier answer). What is not known is ignored and named in `warnings`. Errors: malformed (a UID, limit, offset,
/// cursor), limit_exceeded; the archive tells of bad dates.
Result<Search> parse_search(archive::Level level, const Resource& path,
                            const std::vector<std::pair<std::string, std::string>>& parameters);

/// A place of the archive as text for `cursor`.
std::string cursor_text(std::string_view place);

}  // namespace cairn::web
