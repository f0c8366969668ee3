// How rows are written: integers as LEB128, texts with their length. Internal to engine/store/index.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::store {

inline void put(std::string& out, std::uint64_t value) {
  char bytes[10];
  std::size_t n = 0;
  for (; value >= 0x80; value >>= 7) bytes[n++] = static_cast<char>(value | 0x80);
  bytes[n++] = static_cast<char>(value);
  out.append(bytes, n);
}
inline void put(std::string& out, std::string_view text) {
  put(out, text.size());
  out.append(text);
}
// Signed values with the sign in the lowest bit, so that small ones stay short.
inline void put_signed(std::string& out, std::int64_t value) {
  put(out, static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
}

// Reads what put() wrote; a failure sticks, so that callers test once.
class RowReader {
 public:
  explicit RowReader(std::string_view stored) : rest_(stored) {}

  std::uint64_t integer() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto b = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{b & 0x7fu} << shift;
      if (b < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  std::uint32_t integer32() {
    const std::uint64_t value = integer();
    failed_ |= value > 0xffffffffu;
    return static_cast<std::uint32_t>(value);
  }
  std::int64_t signed_integer() {
    const std::uint64_t v = integer();
    return static_cast<std::int64_t>(v >> 1 ^ (~(v & 1) + 1));
  }
  std::string_view text() { return raw(integer()); }
  std::string_view raw(std::uint64_t size) {
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view out = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return out;
  }
  std::size_t remaining() const { return rest_.size(); }
  bool done() const { return !failed_ && rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace cairn::store
