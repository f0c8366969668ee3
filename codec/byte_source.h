// Random access to stored bytes, so that an object past 4 GiB never has to be in memory. The archive implements it over
// its parts; SpanSource serves bytes already at hand. Implementations say for themselves whether they are thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  virtual std::uint64_t size() const = 0;

  /// Fills `into` from `offset` on; the count read is less than asked for only where the source ends. Reading at or
  /// past the end gives 0. Errors: those of the store behind it.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes into) = 0;
};

/// Bytes borrowed from the caller, who keeps them alive and unchanged. Thread-safe.
class SpanSource final : public ByteSource {
 public:
  explicit SpanSource(Bytes bytes) : bytes_(bytes) {}

  std::uint64_t size() const override { return bytes_.size(); }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    if (offset >= bytes_.size() || into.empty()) return std::size_t{0};
    const std::size_t count = std::min(into.size(), bytes_.size() - static_cast<std::size_t>(offset));
    std::memcpy(into.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  Bytes bytes_;
};

}  // namespace cairn::codec
