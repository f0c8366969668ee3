// Content negotiation: media ranges of Accept (RFC 9110 §12.5.1) and of the Accept query parameter (PS3.18 §8.3.3.1).
// Pure functions; malformed ranges are skipped, as RFC 9110 lets a server do.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::web {

struct MediaRange {
  std::string type, subtype;                                    ///< lower case; "*" for any
  std::vector<std::pair<std::string, std::string>> parameters;  ///< names lower case, values unquoted; without q
  int quality = 1000;                                           ///< thousandths

  /// The value of a parameter; empty when absent.
  std::string_view parameter(std::string_view name) const noexcept;
  bool matches(std::string_view full_type) const noexcept;  ///< "image/png"; parameters are not looked at
};

inline constexpr std::size_t kMaxMediaRanges = 64;

/// The ranges of an Accept value in order of appearance, at most kMaxMediaRanges.
std::vector<MediaRange> parse_accept(std::string_view value);

/// One media type with parameters, as Content-Type has it; nullopt when malformed.
std::optional<MediaRange> parse_media_type(std::string_view value);

/// Which of `offers` ("image/png") the ranges like best: the highest quality, then the first offered. An offer's
/// quality is that of the most specific range that matches it. No ranges accept anything. nullopt: none is acceptable.
std::optional<std::size_t> choose(const std::vector<MediaRange>& ranges,
                                  std::initializer_list<std::string_view> offers);

}  // namespace cairn::web
