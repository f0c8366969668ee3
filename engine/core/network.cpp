#include "engine/core/network.h"

#include <charconv>
#include <cstring>
#include <string>

#include <arpa/inet.h>

namespace cairn {

Result<Network> Network::parse(std::string_view text) {
  Network network;
  const std::size_t slash = text.find('/');
  std::string host(text.substr(0, slash));
  if (const auto zone = host.find('%'); zone != host.npos) host.resize(zone);
  unsigned offset = 0;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    network.address[10] = network.address[11] = 0xff;
    std::memcpy(network.address.data() + 12, &v4, 4);
    offset = 96;
  } else if (::inet_pton(AF_INET6, host.c_str(), network.address.data()) != 1) {
    return fail(Errc::malformed, "address of a caller");
  }
  if (slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (ec != std::errc() || end != digits.data() + digits.size() || bits > 128 - offset) {
      return fail(Errc::malformed, "prefix length of a caller's network");
    }
    network.prefix_bits = offset + bits;
  }
  return network;
}

bool Network::contains(const Network& host) const noexcept {
  const unsigned whole = prefix_bits / 8, rest = prefix_bits % 8;
  if (std::memcmp(address.data(), host.address.data(), whole) != 0) return false;
  if (rest == 0) return true;
  const unsigned mask = (0xffu << (8 - rest)) & 0xffu;
  return ((address[whole] ^ host.address[whole]) & mask) == 0;
}

bool Network::is_loopback() const noexcept {
  static const Network v4 = parse("127.0.0.0/8").value();
  static const Network v6 = parse("::1").value();
  return v4.contains(*this) || v6.contains(*this);
}

}  // namespace cairn
