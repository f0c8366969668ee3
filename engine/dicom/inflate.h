// Streaming inflate of a deflated data set (PS3.5 §A.5: raw RFC 1951, no zlib header) with bounded memory and a limit
// against bombs. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::dicom {

/// Limits of the inflated form: its size, and, past kMaxRatioFreeBytes, its size relative to what was fed.
inline constexpr std::uint64_t kMaxInflatedBytes = std::uint64_t{16} << 30;
inline constexpr std::uint64_t kMaxRatioFreeBytes = std::uint64_t{256} << 20;
inline constexpr std::uint64_t kMaxInflateRatio = 250;

class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  /// Gives the next input; next() must have returned an empty piece before. `input` must live until next() has
  /// returned an empty piece again.
  void feed(Bytes input) noexcept;

  /// The next inflated piece, valid until the next call; empty when more input is needed or the stream has ended.
  /// Errors: malformed (no DEFLATE stream), limit_exceeded.
  Result<Bytes> next();

  bool ended() const noexcept;  ///< the final block has been read
  Bytes rest() const noexcept;  ///< input behind the end of the stream
  std::uint64_t produced() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Inflates a whole data set. Errors: as Inflater; truncated; limit_exceeded past `limit_bytes`.
Result<std::string> inflate_data_set(Bytes deflated, std::uint64_t limit_bytes);

}  // namespace cairn::dicom
