// The framing of multipart/related bodies (RFC 2046 §5.1, PS3.18 §8.6.1.2). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::web {

/// A boundary that no content will contain: 128 random bits.
std::string new_boundary();

/// What stands in front of a part: its delimiter and header. `first` leaves out the line break that ends the part
/// before. `length`: nullopt where it is not known yet.
std::string part_head(std::string_view boundary, bool first, std::string_view content_type,
                      std::optional<std::uint64_t> length, std::string_view content_location);

/// What ends the last part.
std::string closing(std::string_view boundary);

}  // namespace cairn::web
