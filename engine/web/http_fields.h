// Small HTTP field values: byte ranges, entity tags, Host and Origin (RFC 9110 §14, §13.1.2, §7.2; RFC 6454). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::web {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;  ///< at least 1
};

/// What a Range field asks of a representation of `size` bytes.
struct RangeRequest {
  enum class Kind { whole, part, unsatisfiable } kind = Kind::whole;
  ByteRange range;  ///< of `part`
};

/// Several ranges, other units and malformed values ask for the whole, as RFC 9110 §14.2 lets a server do.
RangeRequest parse_range(std::string_view value, std::uint64_t size);

/// True when If-None-Match has `*` or, by weak comparison, `etag` (with its quotes).
bool matches_etag(std::string_view if_none_match, std::string_view etag);

/// "a-b.example:8080", "[::1]:80": the only form of Host that is put into a URL.
bool is_plain_host(std::string_view host) noexcept;

/// The host without its port and brackets.
std::string_view host_name(std::string_view host) noexcept;

/// "localhost" or a literal IP address: a name that no foreign DNS can point here (DNS rebinding).
bool is_local_or_literal(std::string_view host_name) noexcept;

/// True when a browser would have sent `origin` from a page of this very host.
bool is_same_origin(std::string_view origin, std::string_view host) noexcept;

}  // namespace cairn::web
