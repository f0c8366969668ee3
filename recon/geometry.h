// Where slices and volumes lie in the patient (PS3.3 C.7.6.2.1.1): millimetres in LPS, +x towards the patient's left,
// +y posterior, +z towards the head. Index 0 is the CENTRE of the first voxel; a volume reaches half a voxel further.
// Pure values: no ownership except the text of SliceGeometry. VolumeGeometry is passed by value to host and device
// code.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recon/host_device.h"

namespace cairn::recon {

struct Vec3 {
  double x = 0, y = 0, z = 0;
};

CAIRN_HOST_DEVICE constexpr Vec3 operator+(Vec3 a, Vec3 b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
CAIRN_HOST_DEVICE constexpr Vec3 operator-(Vec3 a, Vec3 b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
CAIRN_HOST_DEVICE constexpr Vec3 operator-(Vec3 a) {
  return {-a.x, -a.y, -a.z};
}
CAIRN_HOST_DEVICE constexpr Vec3 operator*(Vec3 a, double s) {
  return {a.x * s, a.y * s, a.z * s};
}
CAIRN_HOST_DEVICE constexpr Vec3 operator*(double s, Vec3 a) {
  return a * s;
}
CAIRN_HOST_DEVICE constexpr double dot(Vec3 a, Vec3 b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
CAIRN_HOST_DEVICE constexpr Vec3 cross(Vec3 a, Vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double norm(Vec3 a) {
  return std::sqrt(dot(a, a));
}
inline Vec3 normalized(Vec3 a) {
  return a * (1.0 / norm(a));
}
inline bool is_finite(Vec3 a) {
  return std::isfinite(a.x) && std::isfinite(a.y) && std::isfinite(a.z);
}

/// One frame as its headers describe it. An attribute that the headers lack stays empty: such a frame is refused by
/// name, never given a guessed place.
struct SliceGeometry {
  std::optional<Vec3> position_mm;       ///< Image Position (Patient): centre of the first pixel
  std::optional<Vec3> row_direction;     ///< first triple of Image Orientation (Patient): with increasing column index
  std::optional<Vec3> column_direction;  ///< second triple: with increasing row index
  std::optional<double> row_spacing_mm;  ///< Pixel Spacing, first value: between the centres of adjacent ROWS
  std::optional<double> column_spacing_mm;  ///< Pixel Spacing, second value: between the centres of adjacent COLUMNS
  std::uint32_t rows = 0, columns = 0;
  double slope = 1, intercept = 0;     ///< of this frame (Pixel Value Transformation or Rescale)
  std::optional<double> thickness_mm;  ///< Slice Thickness; used only when a volume has a single slice
  bool localizer = false;              ///< Image Type says so; never chosen as primary when anything else is there
  std::int64_t order = 0;              ///< Instance or frame number: breaks ties at one position, never places a slice
  std::string class_key;  ///< frames with different keys never share a volume (frame of reference, pixel format…)
  std::vector<std::string> phase_keys;  ///< temporal index, b-value, echo…, most telling first; looked at only where
                                        ///< several frames share a position. Same length for all frames of one call.
};

enum class GeometryClass : std::uint8_t {
  orthogonal,  ///< affine, slice step along the normal
  sheared,     ///< affine, slice step oblique to the normal (gantry tilt)
  per_slice,   ///< each slice has its own place along the normal and in its plane
};
const char* to_string(GeometryClass c) noexcept;

/// Geometry of one volume. For the affine classes `to_index` maps (p - origin) to voxel indices (column, row, slice);
/// for per_slice its third component is the distance along the normal in mm, looked up in `depth_mm`.
/// The three tables have `slices` entries, are borrowed, and are null for the affine classes.
struct VolumeGeometry {
  GeometryClass kind = GeometryClass::orthogonal;
  std::uint32_t columns = 0, rows = 0, slices = 0;
  Vec3 origin_mm;                                ///< centre of voxel (0, 0, 0)
  Vec3 row_direction, column_direction, normal;  ///< orthonormal and right-handed
  double column_spacing_mm = 1, row_spacing_mm = 1;
  Vec3 slice_step_mm;  ///< from slice k to k + 1; the mean step for per_slice
  Vec3 to_index[3];
  double first_half_step_mm = 0, last_half_step_mm = 0;  ///< per_slice: how far the end slices reach outwards
  const double* depth_mm = nullptr;                      ///< strictly ascending, depth_mm[0] = 0
  const double* column_offset = nullptr;  ///< index of the slice's first column against slice 0, in columns
  const double* row_offset = nullptr;
};

/// Patient position (mm) of a voxel centre; indices need not be whole, `slice` must be for per_slice.
Vec3 position_of(const VolumeGeometry& g, double column, double row, double slice);

/// The eight outer corners (half a voxel beyond the centres) of the volume; for per_slice of the box around all slices
/// in the acquisition's own axes.
struct Corners {
  Vec3 point[8];
};
Corners corners_of(const VolumeGeometry& g);

}  // namespace cairn::recon
