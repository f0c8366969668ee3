// The built-in demonstration study: one CT series of a person who never lived, computed from shapes.
//
// Each slice is a complete Part 10 stream of a CT Image Storage instance (PS3.3 §A.3) in explicit VR little endian, a
// pure function of seed and slice number, its UIDs included, so sending it twice stores nothing twice. Slice 0 is the
// crown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/core/result.h"

namespace cairn::demo {

class Figure;

struct Phantom {
  static constexpr std::size_t kDefaultSlices = 360;
  static constexpr std::uint16_t kEdge = 512;    ///< rows and columns
  static constexpr double kFieldOfViewMm = 500;  ///< width and height of a slice
  static constexpr double kLengthMm = 900;       ///< from the first slice to beyond the last

  /// Precondition: 1 <= slices <= 10000.
  explicit Phantom(std::uint64_t seed = 1, std::size_t slice_count = kDefaultSlices);
  ~Phantom();
  Phantom(Phantom&&) noexcept;

  const std::size_t slices;

  /// The stream of slice `slice`, counted from 0. Errors: not_found. Thread-safe; about 6 ms of one core.
  Result<std::string> part10(std::size_t slice) const;

  std::string study_uid() const;
  std::string series_uid() const;
  std::string sop_instance_uid(std::size_t slice) const;

 private:
  std::string uid(const std::string& what) const;

  std::uint64_t seed_;
  std::unique_ptr<const Figure> figure_;
};

}  // namespace cairn::demo
