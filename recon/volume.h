// A volume: voxels as received, their geometry, and how stored values become real ones.
//
// Voxels lie column fastest, then row, then slice; slice k is the k-th frame of the AssembledVolume. Colour volumes are
// three such blocks one after the other (red, green, blue). Stored value v of slice k means v * slope[k] + intercept[k]
// (Modality LUT, PS3.3 C.11.1), applied before values of different slices are mixed.
// Volume owns; VolumeView (recon/sampling.h) borrows from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/core/result.h"
#include "recon/assemble.h"
#include "recon/sampling.h"

namespace cairn::recon {

class Volume {
 public:
  /// Uninitialised voxels for `layout`; `components` is 1 or 3. Errors: limit_exceeded past `limit_bytes`,
  /// out_of_memory.
  static Result<Volume> create(VolumeLayout layout, VoxelType type, unsigned components, std::uint64_t limit_bytes);

  VoxelType type() const noexcept { return type_; }
  unsigned components() const noexcept { return components_; }
  const VolumeLayout& layout() const noexcept { return layout_; }
  std::uint64_t size_bytes() const noexcept { return size_bytes_; }

  /// Writable voxels of one slice, rows * columns * size_of(type()) bytes. Different slices may be written at once.
  std::span<std::byte> slice(unsigned component, std::uint32_t index) noexcept;

  void set_rescale(std::uint32_t slice, double slope, double intercept) noexcept;
  /// Inclusive range of stored values (Pixel Padding Value and Range Limit, PS3.3 C.7.5.1.1.2).
  void set_padding(double low, double high) noexcept;

  VolumeView view(unsigned component = 0) const noexcept;

 private:
  Volume() = default;

  VolumeLayout layout_;
  VoxelType type_ = VoxelType::int16;
  unsigned components_ = 1;
  std::uint64_t slice_bytes_ = 0, size_bytes_ = 0;
  struct Release {
    void operator()(std::byte* voxels) const noexcept;
  };
  std::unique_ptr<std::byte, Release> voxels_;
  std::vector<float> slope_, intercept_;
  bool has_padding_ = false;
  float padding_low_ = 0, padding_high_ = 0;
};

}  // namespace cairn::recon
