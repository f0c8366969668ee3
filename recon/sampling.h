// What a kernel is handed: voxels with their geometry and rescale, and the plane to sample. Plain values, passed by
// value to host and device code; kept free of what a device compiler cannot read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "recon/geometry.h"

namespace cairn::recon {

enum class VoxelType : std::uint8_t { uint8, int8, uint16, int16, int32, float32 };

std::size_t size_of(VoxelType type) noexcept;

/// Borrows from a Volume. Voxels lie column fastest, then row, then slice.
struct VolumeView {
  VolumeGeometry geometry;
  const void* voxels = nullptr;  ///< of one component; kReadPastBytes beyond the last voxel are readable
  VoxelType type = VoxelType::int16;
  const float* slope = nullptr;  ///< `slices` entries each
  const float* intercept = nullptr;
  bool same_rescale = false;  ///< all entries are equal
  bool has_padding = false;   ///< stored values in [padding_low, padding_high] are no measurement
  float padding_low = 0, padding_high = 0;
};

/// Vector kernels fetch neighbours in words and so read a little past the last voxel.
inline constexpr std::size_t kReadPastBytes = 64;

/// How a value between voxel centres comes from those around it (recon/plane.h says more).
enum class Interpolation : std::uint8_t {
  linear,   ///< of the 8 voxels around
  nearest,  ///< the stored value of the nearest voxel and nothing else; half way counts upwards
  cubic,    ///< Catmull-Rom, of the 64 voxels around
};

/// Pixel (i, j) samples origin + i * right + j * down; all in patient millimetres.
struct Plane {
  Vec3 origin_mm;  ///< centre of the upper left pixel
  Vec3 right_mm, down_mm;
  std::uint32_t width = 0, height = 0;
  Interpolation interpolation = Interpolation::linear;
};

}  // namespace cairn::recon
