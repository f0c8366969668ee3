#include "engine/core/uid.h"

#include <algorithm>
#include <array>
#include <random>

#include "engine/core/checksum.h"

namespace cairn {
namespace {

// 2.25. followed by the UUID as a decimal integer without leading zeros (at most 39 digits).
std::string uid_of_uuid(std::array<std::byte, 16> uuid, unsigned version) {
  uuid[6] = (uuid[6] & std::byte{0x0f}) | static_cast<std::byte>(version << 4);
  uuid[8] = (uuid[8] & std::byte{0x3f}) | std::byte{0x80};
  unsigned __int128 value = 0;
  for (const std::byte b : uuid) value = value << 8 | std::to_integer<unsigned>(b);
  std::string digits;
  while (value != 0) {
    digits += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  }
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

}  // namespace

bool is_usable_uid(std::string_view uid) noexcept {
  return !uid.empty() && uid.size() <= 64 &&
         std::all_of(uid.begin(), uid.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

std::string_view trim_uid(std::string_view value) noexcept {
  while (!value.empty() && (value.back() == '\0' || value.back() == ' ')) value.remove_suffix(1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value;
}

std::string new_uid() {
  std::random_device random;
  std::array<std::byte, 16> uuid;
  for (std::byte& b : uuid) b = static_cast<std::byte>(random());
  return uid_of_uuid(uuid, 4);
}

std::string derived_uid(std::string_view seed) { return uid_of_uuid(digest128(as_bytes(seed)), 8); }

}  // namespace cairn
