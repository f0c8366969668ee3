// Stacks of slices and volumes with known values, and the float64 reference that planes are judged against.
#pragma once

#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "recon/assemble.h"
#include "recon/plane.h"
#include "recon/volume.h"

namespace cairn::recon::test {

struct Stack {
  Vec3 origin{-100, -80, 30}, row{1, 0, 0}, column{0, 1, 0}, step{0, 0, 2.5};
  double column_spacing = 0.8, row_spacing = 0.6;
  std::uint32_t columns = 23, rows = 17, slices = 9;
};

inline SliceGeometry slice_at(const Stack& s, Vec3 position) {
  SliceGeometry g;
  g.position_mm = position;
  g.row_direction = s.row;
  g.column_direction = s.column;
  g.row_spacing_mm = s.row_spacing;
  g.column_spacing_mm = s.column_spacing;
  g.rows = s.rows;
  g.columns = s.columns;
  return g;
}

inline std::vector<SliceGeometry> stack(const Stack& s) {
  std::vector<SliceGeometry> frames;
  for (std::uint32_t k = 0; k < s.slices; ++k) {
    frames.push_back(slice_at(s, s.origin + s.step * k));
    frames.back().order = k + 1;
  }
  return frames;
}

/// Fills a volume with value(column, row, slice) in stored units.
template <class T>
Volume filled(const VolumeLayout& layout, VoxelType type,
              const std::function<double(std::uint32_t, std::uint32_t, std::uint32_t)>& value) {
  Volume v = Volume::create(layout, type, 1, std::uint64_t{1} << 30).value();
  const VolumeGeometry& g = layout.affine;
  for (std::uint32_t k = 0; k < g.slices; ++k) {
    auto bytes = v.slice(0, k);
    for (std::uint32_t j = 0; j < g.rows; ++j) {
      for (std::uint32_t i = 0; i < g.columns; ++i) {
        const T x = static_cast<T>(value(i, j, k));
        std::memcpy(bytes.data() + (std::size_t{j} * g.columns + i) * sizeof(T), &x, sizeof(T));
      }
    }
  }
  return v;
}

/// Trilinear in float64 from the definition: no blocks, no clipping tricks. Empty outside.
template <class T>
std::optional<double> reference_value(const VolumeView& v, Vec3 p) {
  const VolumeGeometry& g = v.geometry;
  const Vec3 d = p - g.origin_mm;
  double x[3] = {dot(g.to_index[0], d), dot(g.to_index[1], d), dot(g.to_index[2], d)};
  const T* voxels = static_cast<const T*>(v.voxels);
  auto in_slice = [&](double cx, double cy, std::uint32_t k) -> std::optional<double> {
    if (cx < -0.5 || cy < -0.5 || cx > g.columns - 0.5 || cy > g.rows - 0.5) return std::nullopt;
    auto axis = [](double c, std::uint32_t n, std::uint32_t& lo, std::uint32_t& hi) {
      c = std::min(std::max(c, 0.0), n - 1.0);
      lo = static_cast<std::uint32_t>(c);
      hi = std::min(lo + 1, n - 1);
      return c - lo;
    };
    std::uint32_t i0, i1, j0, j1;
    const double fx = axis(cx, g.columns, i0, i1), fy = axis(cy, g.rows, j0, j1);
    auto at = [&](std::uint32_t i, std::uint32_t j) {
      return static_cast<double>(voxels[(std::size_t{k} * g.rows + j) * g.columns + i]) * v.slope[k] + v.intercept[k];
    };
    return (1 - fy) * ((1 - fx) * at(i0, j0) + fx * at(i1, j0)) + fy * ((1 - fx) * at(i0, j1) + fx * at(i1, j1));
  };
  std::uint32_t k0 = 0, k1 = 0;
  double f = 0, cx0 = x[0], cy0 = x[1], cx1 = x[0], cy1 = x[1];
  if (g.kind == GeometryClass::per_slice) {
    const std::uint32_t n = g.slices;
    if (x[2] < -g.first_half_step_mm || x[2] > g.depth_mm[n - 1] + g.last_half_step_mm) return std::nullopt;
    while (k0 + 1 < n && g.depth_mm[k0 + 1] <= x[2]) ++k0;
    k1 = k0;
    if (k0 + 1 < n && x[2] > g.depth_mm[k0]) {
      k1 = k0 + 1;
      f = (x[2] - g.depth_mm[k0]) / (g.depth_mm[k1] - g.depth_mm[k0]);
    }
    cx0 -= g.column_offset[k0];
    cy0 -= g.row_offset[k0];
    cx1 -= g.column_offset[k1];
    cy1 -= g.row_offset[k1];
  } else {
    if (x[2] < -0.5 || x[2] > g.slices - 0.5) return std::nullopt;
    const double z = std::min(std::max(x[2], 0.0), g.slices - 1.0);
    k0 = static_cast<std::uint32_t>(z);
    k1 = std::min(k0 + 1, g.slices - 1);
    f = z - k0;
  }
  const auto a = in_slice(cx0, cy0, k0), b = in_slice(cx1, cy1, k1);
  if (!a || !b) return std::nullopt;
  return (1 - f) * *a + f * *b;
}

}  // namespace cairn::recon::test
