// Fields of a record's payload: integers little-endian, texts with 16 bits of length. Internal to engine/store;
// record.h and event.h have the records.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>

#include "engine/core/bytes.h"

namespace cairn::store {

inline constexpr std::size_t kMaxText = 0xffff;  // what a length can say; check() comes before encode()

class FieldWriter {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    std::byte bytes[sizeof(T)];
    store_le(bytes, value);
    out_.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
  void text(const std::string& value) {
    number(static_cast<std::uint16_t>(value.size()));
    out_.append(value);
  }
  void raw(Bytes bytes) { out_.append(as_text(bytes)); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// A failure sticks, so that callers test once.
class FieldReader {
 public:
  explicit FieldReader(Bytes bytes) : bytes_(bytes) {}
  template <std::unsigned_integral T>
  T number() {
    if (remaining() < sizeof(T)) return failed_ = true, T{0};
    const T value = load_le<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  std::string text() {
    const auto length = number<std::uint16_t>();
    if (failed_ || remaining() < length) return failed_ = true, std::string();
    std::string value(as_text(bytes_.subspan(at_, length)));
    at_ += length;
    return value;
  }
  void raw(MutableBytes into) {
    if (remaining() < into.size()) return void(failed_ = true);
    std::memcpy(into.data(), bytes_.data() + at_, into.size());
    at_ += into.size();
  }
  /// A count of items of at least `item_bytes` each, so never more than what remains could hold.
  std::size_t count(std::size_t item_bytes) {
    const auto count = number<std::uint32_t>();
    if (failed_ || remaining() / item_bytes < count) return failed_ = true, 0;
    return count;
  }
  std::size_t remaining() const { return bytes_.size() - at_; }
  std::size_t at() const { return at_; }
  bool failed() const { return failed_; }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace cairn::store
