// Request targets (RFC 9112 §3.2, RFC 3986): path and query, decoded. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.h"

namespace cairn::web {

inline constexpr std::size_t kMaxSegments = 64;
inline constexpr std::size_t kMaxParameters = 512;

struct Target {
  std::vector<std::string> segments;  ///< percent-decoded; one trailing slash is forgotten
  std::vector<std::pair<std::string, std::string>> parameters;
};

/// Parses origin-form and absolute-form. Errors: malformed (not a path, bad percent-encoding, control characters, dot
/// segments), limit_exceeded. In the query "+" is a space.
Result<Target> parse_target(std::string_view target);

/// Decodes %XX. Errors: malformed (cut or not hexadecimal, or an encoded control character).
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

/// Encodes all but the unreserved characters of RFC 3986 §2.3.
std::string percent_encode(std::string_view text);

}  // namespace cairn::web
