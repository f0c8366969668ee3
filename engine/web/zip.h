// A ZIP archive written as it is sent (PKWARE APPNOTE 6.3): entries stored, their checksums behind them, ZIP64 where
// sizes need it. Pure; one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.h"

namespace cairn::web {

class ZipWriter {
 public:
  /// The header of an entry of exactly `size` bytes. Names are UTF-8 with "/" between folders.
  std::string begin(std::string name, std::uint64_t size);
  void data(Bytes bytes) noexcept;
  std::string end_entry();
  /// The central directory. Nothing may follow.
  std::string finish();

  /// How many bytes an archive of these entries has.
  static std::uint64_t length_of(const std::vector<std::pair<std::string, std::uint64_t>>& entries);

 private:
  struct Entry {
    std::string name;
    std::uint64_t size = 0, offset = 0;
    std::uint32_t crc = 0;
  };
  std::vector<Entry> entries_;
  std::uint64_t offset_ = 0;
};

}  // namespace cairn::web
