// Addresses and networks of IPv4 and IPv6, as configurations name them ("10.1.2.0/24"). Values; pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/core/result.h"

namespace cairn {

/// An IPv4 or IPv6 network; IPv4 is kept as its IPv4-mapped IPv6 form.
struct Network {
  std::array<std::uint8_t, 16> address{};
  unsigned prefix_bits = 128;

  /// "10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8". Errors: malformed.
  static Result<Network> parse(std::string_view text);
  bool contains(const Network& host) const noexcept;
  bool is_loopback() const noexcept;
};

}  // namespace cairn
