// What the generators of objects share: elements in Explicit VR Little Endian (PS3.5 §7.1.2), and numbers from a seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/bytes.h"

namespace cairn::load {

class ElementWriter {
 public:
  explicit ElementWriter(std::string& out) : out_(out) { out_.clear(); }

  void text(std::uint16_t group, std::uint16_t element, const char (&vr)[3], std::string_view value) {
    const bool odd = value.size() % 2 != 0;
    head(group, element, vr, value.size() + (odd ? 1 : 0));
    out_ += value;
    if (odd) out_ += std::string_view(vr, 2) == "UI" ? '\0' : ' ';
  }
  void us(std::uint16_t group, std::uint16_t element, std::uint16_t value) {
    head(group, element, "US", 2);
    put16(value);
  }
  /// The twelve bytes before a long value (OB, OW, SQ, UT).
  void long_head(std::uint16_t group, std::uint16_t element, const char (&vr)[3], std::uint32_t length) {
    put16(group);
    put16(element);
    out_.append(vr, 2);
    put16(0);
    put32(length);
  }
  void item(std::uint16_t element, std::uint32_t length) {
    put16(0xFFFE);
    put16(element);
    put32(length);
  }

 private:
  void head(std::uint16_t group, std::uint16_t element, const char (&vr)[3], std::size_t length) {
    put16(group);
    put16(element);
    out_.append(vr, 2);
    put16(static_cast<std::uint16_t>(length));
  }
  void put16(std::uint16_t v) {
    std::byte b[2];
    store_le(b, v);
    out_.append(reinterpret_cast<const char*>(b), sizeof b);
  }
  void put32(std::uint32_t v) {
    std::byte b[4];
    store_le(b, v);
    out_.append(reinterpret_cast<const char*>(b), sizeof b);
  }
  std::string& out_;
};

inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace cairn::load
