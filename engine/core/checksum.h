// Checksums of stored bytes. CRC32C (Castagnoli) guards each record of the log against damage; the 128-bit digest
// (XXH3) identifies a whole instance stream when two are compared. Neither resists a forger.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "engine/core/bytes.h"

namespace cairn {

/// CRC32C of `bytes`, continuing from `previous` (0 to begin): crc32c(a ++ b) == crc32c(b, crc32c(a)).
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0) noexcept;

using Digest128 = std::array<std::byte, 16>;

Digest128 digest128(Bytes bytes) noexcept;

/// The digest of a stream given in pieces. Not thread-safe.
class DigestStream {
 public:
  DigestStream();
  ~DigestStream();
  DigestStream(DigestStream&&) noexcept;
  DigestStream& operator=(DigestStream&&) noexcept;

  void update(Bytes bytes) noexcept;
  Digest128 digest() const noexcept;  ///< of all bytes so far; may go on afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn
