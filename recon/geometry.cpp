#include "recon/geometry.h"

#include <algorithm>

namespace cairn::recon {

const char* to_string(GeometryClass c) noexcept {
  switch (c) {
    case GeometryClass::orthogonal:
      return "affine-orthogonal";
    case GeometryClass::sheared:
      return "affine-sheared";
    case GeometryClass::per_slice:
      return "per-slice";
  }
  return "unknown";
}

Vec3 position_of(const VolumeGeometry& g, double column, double row, double slice) {
  Vec3 base = g.origin_mm;
  if (g.kind == GeometryClass::per_slice) {
    const double last = static_cast<double>(g.slices) - 1;
    const auto k = static_cast<std::size_t>(std::clamp(slice, 0.0, last));
    base = base + g.normal * g.depth_mm[k];
    column += g.column_offset[k];
    row += g.row_offset[k];
  } else {
    base = base + g.slice_step_mm * slice;
  }
  return base + g.row_direction * (column * g.column_spacing_mm) + g.column_direction * (row * g.row_spacing_mm);
}

Corners corners_of(const VolumeGeometry& g) {
  Corners corners;
  const double x[2] = {-0.5, g.columns - 0.5}, y[2] = {-0.5, g.rows - 0.5};
  if (g.kind != GeometryClass::per_slice) {
    const double z[2] = {-0.5, g.slices - 0.5};
    for (int c = 0; c < 8; ++c) corners.point[c] = position_of(g, x[c & 1], y[(c >> 1) & 1], z[c >> 2]);
    return corners;
  }
  const auto [cx0, cx1] = std::minmax_element(g.column_offset, g.column_offset + g.slices);
  const auto [ry0, ry1] = std::minmax_element(g.row_offset, g.row_offset + g.slices);
  const double column[2] = {x[0] + *cx0, x[1] + *cx1}, row[2] = {y[0] + *ry0, y[1] + *ry1};
  const double depth[2] = {-g.first_half_step_mm, g.depth_mm[g.slices - 1] + g.last_half_step_mm};
  for (int c = 0; c < 8; ++c) {
    corners.point[c] = g.origin_mm + g.row_direction * (column[c & 1] * g.column_spacing_mm) +
                       g.column_direction * (row[(c >> 1) & 1] * g.row_spacing_mm) + g.normal * depth[c >> 2];
  }
  return corners;
}

}  // namespace cairn::recon
