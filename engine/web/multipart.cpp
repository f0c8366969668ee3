#include "engine/web/multipart.h"

#include <random>

namespace cairn::web {

std::string new_boundary() {
  constexpr char kHex[] = "0123456789abcdef";
  thread_local std::random_device random;  // making one is slow
  std::string out = "cairn-";
  for (int word = 0; word < 4; ++word) {
    auto bits = random();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) out += kHex[bits & 15];
  }
  return out;
}

std::string part_head(std::string_view boundary, bool first, std::string_view content_type,
                      std::optional<std::uint64_t> length, std::string_view content_location) {
  std::string out = first ? "--" : "\r\n--";
  out.append(boundary).append("\r\nContent-Type: ").append(content_type);
  if (length) out += "\r\nContent-Length: " + std::to_string(*length);
  if (!content_location.empty()) out.append("\r\nContent-Location: ").append(content_location);
  out += "\r\n\r\n";
  return out;
}

std::string closing(std::string_view boundary) {
  return "\r\n--" + std::string(boundary) + "--\r\n";
}

}  // namespace cairn::web
