// Makes JPEG lossless streams for tests: any precision and predictor, restarts, point transform, several components,
// one scan each or interleaved. A straight reading of ISO/IEC 10918-1 Annex H, independent of the decoder under test.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/bytes.h"

namespace cairn::codec::test {

struct LosslessOptions {
  std::uint32_t rows = 0, columns = 0, components = 1;
  unsigned precision = 8;
  unsigned predictor = 1;
  unsigned point_transform = 0;
  unsigned restart_rows = 0;  ///< rows between restart markers
  bool interleaved = true;
  bool tables_first = false;       ///< DHT before SOF3
  bool wrap_at_precision = false;  ///< differences modulo 2^precision, as some encoders do
  bool end_marker = true;
  bool cornell_table = false;  ///< one 16-bit code more than fits
};

class JPEGLosslessWriter {
 public:
  JPEGLosslessWriter(const LosslessOptions& o, const std::vector<std::uint16_t>& samples) : o_(o), samples_(samples) {}

  std::vector<std::byte> run() {
    put16(0xFFD8);
    if (o_.tables_first) tables();
    put16(0xFFC3);
    put16(8 + 3 * o_.components);
    put(o_.precision);
    put16(o_.rows);
    put16(o_.columns);
    put(o_.components);
    for (unsigned i = 0; i < o_.components; ++i) {
      put(i + 1);
      put(0x11);
      put(0);
    }
    if (!o_.tables_first) tables();
    if (o_.restart_rows != 0) {
      put16(0xFFDD);
      put16(4);
      put16(o_.restart_rows * o_.columns);
    }
    if (o_.interleaved) {
      std::vector<unsigned> all;
      for (unsigned i = 0; i < o_.components; ++i) all.push_back(i);
      scan(all);
    } else {
      for (unsigned i = 0; i < o_.components; ++i) scan({i});
    }
    if (o_.end_marker) put16(0xFFD9);
    return out_;
  }

 private:
  void put(unsigned v) { out_.push_back(static_cast<std::byte>(v)); }
  void put16(unsigned v) {
    put(v >> 8);
    put(v & 255);
  }

  // Two categories of 2 bits, then one a length, and category 16 beside 15. The Cornell table begins at 1 bit and holds
  // a code more than 16 bits have room for.
  void tables() {
    unsigned counts[17] = {};
    counts[1] = o_.cornell_table ? 1 : 0;
    counts[2] = o_.cornell_table ? 1 : 2;
    for (unsigned length = 3; length <= 16; ++length) counts[length] = 1;
    counts[16] += o_.cornell_table ? 2 : 1;
    const unsigned symbols = o_.cornell_table ? 18 : 17;
    put16(0xFFC4);
    put16(2 + 17 + symbols);
    put(0);
    unsigned code = 0;
    unsigned category = 0;
    for (unsigned length = 1; length <= 16; ++length) {
      put(counts[length]);
      for (unsigned i = 0; i < counts[length]; ++i, ++category, ++code) {
        if (category > 16) continue;
        codes_[category] = code;
        lengths_[category] = length;
      }
      code <<= 1;
    }
    for (unsigned i = 0; i < symbols; ++i) put(i < 17 ? i : 16);
  }

  void bits(unsigned value, unsigned count) {
    for (unsigned i = count; i-- > 0;) {
      current_ = current_ << 1 | (value >> i & 1u);
      if (++filled_ == 8) {
        put(current_);
        if (current_ == 0xFF) put(0);
        current_ = filled_ = 0;
      }
    }
  }
  void flush() {
    while (filled_ != 0) bits(1, 1);
  }

  unsigned at(std::uint32_t row, std::uint32_t column, unsigned component) const {
    return samples_[(std::size_t{row} * o_.columns + column) * o_.components + component] >> o_.point_transform;
  }

  void scan(const std::vector<unsigned>& components) {
    put16(0xFFDA);
    put16(6 + 2 * static_cast<unsigned>(components.size()));
    put(static_cast<unsigned>(components.size()));
    for (const unsigned c : components) {
      put(c + 1);
      put(0);
    }
    put(o_.predictor);
    put(0);
    put(o_.point_transform);
    unsigned restart = 0;
    for (std::uint32_t row = 0; row < o_.rows; ++row) {
      const bool restarts = o_.restart_rows != 0 && row != 0 && row % o_.restart_rows == 0;
      if (restarts) {
        flush();
        put16(0xFFD0 + restart++ % 8);
      }
      const bool first = row == 0 || restarts;
      for (std::uint32_t column = 0; column < o_.columns; ++column) {
        for (const unsigned c : components) code(row, column, c, first);
      }
    }
    flush();
  }

  void code(std::uint32_t row, std::uint32_t column, unsigned c, bool first) {
    int prediction = 0;
    if (first && column == 0) {
      prediction = 1 << (o_.precision - o_.point_transform - 1);
    } else if (first) {
      prediction = static_cast<int>(at(row, column - 1, c));
    } else if (column == 0) {
      prediction = static_cast<int>(at(row - 1, column, c));
    } else {
      const int a = static_cast<int>(at(row, column - 1, c));
      const int b = static_cast<int>(at(row - 1, column, c));
      const int d = static_cast<int>(at(row - 1, column - 1, c));
      switch (o_.predictor) {
        case 1:
          prediction = a;
          break;
        case 2:
          prediction = b;
          break;
        case 3:
          prediction = d;
          break;
        case 4:
          prediction = a + b - d;
          break;
        case 5:
          prediction = a + ((b - d) >> 1);
          break;
        case 6:
          prediction = b + ((a - d) >> 1);
          break;
        default:
          prediction = (a + b) / 2;
          break;
      }
    }
    int difference = static_cast<int>(at(row, column, c)) - prediction;
    const int modulus = o_.wrap_at_precision ? 1 << o_.precision : 65536;
    while (difference > modulus / 2) difference -= modulus;
    while (difference <= -modulus / 2) difference += modulus;
    unsigned magnitude = static_cast<unsigned>(difference < 0 ? -difference : difference);
    unsigned category = 0;
    while (magnitude >> category != 0) ++category;
    bits(codes_[category], lengths_[category]);
    if (category == 16 || category == 0) return;
    bits(static_cast<unsigned>(difference < 0 ? difference + (1 << category) - 1 : difference), category);
  }

  LosslessOptions o_;
  const std::vector<std::uint16_t>& samples_;
  std::vector<std::byte> out_;
  unsigned codes_[17] = {};
  unsigned lengths_[17] = {};
  unsigned current_ = 0;
  unsigned filled_ = 0;
};

inline std::vector<std::byte> write_jpeg_lossless(const LosslessOptions& o, const std::vector<std::uint16_t>& samples) {
  return JPEGLosslessWriter(o, samples).run();
}

}  // namespace cairn::codec::test
