// The maths of sampling, one body for host and device. Bit-defined: float32 with no fused multiply-add (targets that
// include this are compiled with contraction off), so scalar, vector and device code agree to the last bit.
//
// A row of a plane is cut into blocks of kBlock pixels that start at the first pixel inside the volume. Index
// coordinates are computed in double once a block, split into a whole part and a float fraction, and stepped in float
// from there: the error stays below 1e-6 voxel where plain float coordinates lose 1e-4.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "recon/sampling.h"

namespace cairn::recon {

inline constexpr int kBlock = 16;
/// Slack at the outer border, in voxels (2^-17, as VTK), so that rounding never drops a pixel on the very edge.
inline constexpr double kBorder = 0.5 + 1.0 / 131072;

/// Where a sample falls between two neighbours along one axis: lo and min(lo + 1, n - 1), and how far to the latter.
struct Between {
  std::int32_t lo;
  float fraction;
};

/// `base` + `part` is the index coordinate, part in [0, 2); `last_lo` is max(n - 2, 0).
CAIRN_HOST_DEVICE inline Between between(std::int32_t base, float part, std::int32_t last_lo) {
  std::int32_t lo = base + (part >= 1.0f ? 1 : 0);
  lo = lo < 0 ? 0 : lo;
  lo = lo > last_lo ? last_lo : lo;
  float fraction = part - static_cast<float>(lo - base);
  fraction = fraction < 0.0f ? 0.0f : fraction;
  fraction = fraction > 1.0f ? 1.0f : fraction;
  return {lo, fraction};
}

CAIRN_HOST_DEVICE inline float lerp(float a, float b, float t) {
  const float step = (b - a) * t;
  return a + step;
}

/// The four corners of one slice around a sample, and the fractions across them.
struct SliceCell {
  std::int64_t offset;  ///< of the corner (lo, lo) from the first voxel of the volume, in voxels
  float fx, fy;
};

/// Strides to the next column and row in voxels; 0 along an axis with a single voxel.
struct Strides {
  std::int64_t column, row;
};

template <class T>
CAIRN_HOST_DEVICE inline float bilinear(const T* voxels, SliceCell c, Strides s) {
  const T* p = voxels + c.offset;
  const float top = lerp(static_cast<float>(p[0]), static_cast<float>(p[s.column]), c.fx);
  const float bottom = lerp(static_cast<float>(p[s.row]), static_cast<float>(p[s.row + s.column]), c.fx);
  return lerp(top, bottom, c.fy);
}

CAIRN_HOST_DEVICE inline float rescaled(float stored, float slope, float intercept) {
  const float product = stored * slope;
  return product + intercept;
}

/// One sample, ready to interpolate: a cell in each of two slices (the same slice twice when there is one) and the
/// way between them.
struct Sample {
  SliceCell lo, hi;
  std::uint32_t slice_lo, slice_hi;
  float fz;
  bool inside;
};

template <class T>
CAIRN_HOST_DEVICE inline float trilinear(const VolumeView& v, const Sample& s, Strides strides) {
  const T* voxels = static_cast<const T*>(v.voxels);
  const float lo = rescaled(bilinear(voxels, s.lo, strides), v.slope[s.slice_lo], v.intercept[s.slice_lo]);
  const float hi = rescaled(bilinear(voxels, s.hi, strides), v.slope[s.slice_hi], v.intercept[s.slice_hi]);
  return lerp(lo, hi, s.fz);
}

CAIRN_HOST_DEVICE inline bool is_padding(const VolumeView& v, float stored) {
  return stored >= v.padding_low && stored <= v.padding_high;
}

/// As trilinear, but voxels in the padding range take no part; `background` when the nearest voxel is one.
template <class T>
CAIRN_HOST_DEVICE inline float trilinear_padded(const VolumeView& v, const Sample& s, Strides strides,
                                                float background) {
  const T* voxels = static_cast<const T*>(v.voxels);
  float sum = 0, weight_sum = 0;
  bool any_padding = false;
  for (int corner = 0; corner < 8; ++corner) {
    const bool x1 = corner & 1, y1 = corner & 2, z1 = corner & 4;
    const SliceCell& c = z1 ? s.hi : s.lo;
    const T stored_value = voxels[c.offset + (x1 ? strides.column : 0) + (y1 ? strides.row : 0)];
    const float stored = static_cast<float>(stored_value);
    const float wx = x1 ? c.fx : 1.0f - c.fx, wy = y1 ? c.fy : 1.0f - c.fy, wz = z1 ? s.fz : 1.0f - s.fz;
    if (is_padding(v, stored)) {
      any_padding = true;
      const bool nearest = (x1 == (c.fx >= 0.5f)) && (y1 == (c.fy >= 0.5f)) && (z1 == (s.fz >= 0.5f));
      if (nearest) return background;
      continue;
    }
    const float weight = wx * wy * wz;
    const std::uint32_t slice = z1 ? s.slice_hi : s.slice_lo;
    const float value = rescaled(stored, v.slope[slice], v.intercept[slice]) * weight;
    sum = sum + value;
    weight_sum = weight_sum + weight;
  }
  if (!any_padding) return trilinear<T>(v, s, strides);
  return weight_sum > 0 ? sum / weight_sum : background;
}

/// A plane in the coordinates of VolumeGeometry::to_index.
struct IndexPlane {
  double origin[3], right[3], down[3];
  std::int32_t lane_whole[3][kBlock];  ///< lane * right, split; held to +-kMaxAdvance (such lanes are far outside)
  float lane_part[3][kBlock];
  Interpolation interpolation;
};
inline constexpr double kMaxAdvance = 1 << 28;

CAIRN_HOST_DEVICE inline IndexPlane index_plane(const VolumeGeometry& g, const Plane& p, Vec3 shift_mm) {
  IndexPlane q{};
  q.interpolation = p.interpolation;
  const Vec3 d = p.origin_mm + shift_mm - g.origin_mm;
  for (int a = 0; a < 3; ++a) {
    q.origin[a] = dot(g.to_index[a], d);
    q.right[a] = dot(g.to_index[a], p.right_mm);
    q.down[a] = dot(g.to_index[a], p.down_mm);
    for (int lane = 0; lane < kBlock; ++lane) {
      const double advance = lane * q.right[a];
      const double held = advance < -kMaxAdvance ? -kMaxAdvance : advance > kMaxAdvance ? kMaxAdvance : advance;
      const double whole = floor(held);
      q.lane_whole[a][lane] = static_cast<std::int32_t>(whole);
      q.lane_part[a][lane] = static_cast<float>(held - whole);
    }
  }
  return q;
}

/// Index coordinate of pixel (column, row) along one axis; monotone in `column`, which row clipping relies on.
CAIRN_HOST_DEVICE inline double coordinate(const IndexPlane& p, int axis, std::uint32_t row, std::uint32_t column) {
  const double at_row = p.origin[axis] + p.down[axis] * row;
  return at_row + p.right[axis] * column;
}

/// Coordinates of the first pixel of a block: whole and fractional part, per axis.
struct BlockBase {
  std::int32_t whole[3];
  float part[3];
};

CAIRN_HOST_DEVICE inline BlockBase block_base(const IndexPlane& p, std::uint32_t row, std::uint32_t column) {
  BlockBase b{};
  for (int a = 0; a < 3; ++a) {
    const double x = coordinate(p, a, row, column);
    const double whole = floor(x);
    b.whole[a] = static_cast<std::int32_t>(whole);
    b.part[a] = static_cast<float>(x - whole);
  }
  return b;
}

CAIRN_HOST_DEVICE inline std::int32_t last_lo(std::uint32_t n) {
  return n > 1 ? static_cast<std::int32_t>(n) - 2 : 0;
}

CAIRN_HOST_DEVICE inline Between lane_between(const IndexPlane& p, const BlockBase& b, int axis, int lane,
                                              std::uint32_t n) {
  return between(b.whole[axis] + p.lane_whole[axis][lane], b.part[axis] + p.lane_part[axis][lane], last_lo(n));
}

/// Sample of one lane in an affine volume. The lane must lie inside (kBorder), which row clipping sees to.
CAIRN_HOST_DEVICE inline Sample affine_sample(const VolumeGeometry& g, const IndexPlane& p, const BlockBase& b,
                                              int lane) {
  const Between x = lane_between(p, b, 0, lane, g.columns);
  const Between y = lane_between(p, b, 1, lane, g.rows);
  const Between z = lane_between(p, b, 2, lane, g.slices);
  const std::int64_t plane = static_cast<std::int64_t>(g.columns) * g.rows;
  const std::int64_t offset = x.lo + static_cast<std::int64_t>(g.columns) * y.lo + plane * z.lo;
  const std::uint32_t lo = static_cast<std::uint32_t>(z.lo), hi = g.slices > 1 ? lo + 1 : lo;
  return {{offset, x.fraction, y.fraction},
          {g.slices > 1 ? offset + plane : offset, x.fraction, y.fraction},
          lo,
          hi,
          z.fraction,
          true};
}

/// The slice at or before `depth_mm` (0 when before all), found by walking from `hint`.
CAIRN_HOST_DEVICE inline std::uint32_t slice_before(const VolumeGeometry& g, double depth_mm, std::uint32_t hint) {
  std::uint32_t k = hint;
  while (k + 1 < g.slices && g.depth_mm[k + 1] <= depth_mm) ++k;
  while (k > 0 && g.depth_mm[k] > depth_mm) --k;
  return k;
}

CAIRN_HOST_DEVICE inline bool cell_in_slice(const VolumeGeometry& g, double column, double row, std::uint32_t k,
                                            SliceCell& c) {
  const double x = column - g.column_offset[k], y = row - g.row_offset[k];
  if (!(x >= -kBorder && x <= g.columns - 1 + kBorder && y >= -kBorder && y <= g.rows - 1 + kBorder)) return false;
  const double wx = floor(x), wy = floor(y);
  const Between bx = between(static_cast<std::int32_t>(wx), static_cast<float>(x - wx), last_lo(g.columns));
  const Between by = between(static_cast<std::int32_t>(wy), static_cast<float>(y - wy), last_lo(g.rows));
  const std::int64_t plane = static_cast<std::int64_t>(g.columns) * g.rows;
  c.offset = bx.lo + static_cast<std::int64_t>(g.columns) * by.lo + plane * k;
  c.fx = bx.fraction;
  c.fy = by.fraction;
  return true;
}

/// The two slices that enclose a depth (the same one twice on a slice and in the outer half steps).
struct DepthBetween {
  std::uint32_t lo, hi;
  float fraction;
  bool inside;
};

CAIRN_HOST_DEVICE inline DepthBetween depth_between(const VolumeGeometry& g, double depth_mm, std::uint32_t& hint) {
  const double border = kBorder - 0.5;
  const std::uint32_t last = g.slices - 1;
  const double first_mm = -g.first_half_step_mm * (1 + border);
  const double last_mm = g.depth_mm[last] + g.last_half_step_mm * (1 + border);
  if (!(depth_mm >= first_mm && depth_mm <= last_mm)) return {0, 0, 0.0f, false};
  hint = slice_before(g, depth_mm, hint);
  if (!(depth_mm > g.depth_mm[hint]) || hint == last) return {hint, hint, 0.0f, true};
  const double step = g.depth_mm[hint + 1] - g.depth_mm[hint];
  return {hint, hint + 1, static_cast<float>((depth_mm - g.depth_mm[hint]) / step), true};
}

/// Sample at in-plane index coordinates and depth (mm) in a per-slice volume. `hint` is any slice; it is moved to the
/// one found.
CAIRN_HOST_DEVICE inline Sample per_slice_sample(const VolumeGeometry& g, double column, double row, double depth_mm,
                                                 std::uint32_t& hint) {
  Sample s{};
  const DepthBetween z = depth_between(g, depth_mm, hint);
  if (!z.inside) return s;
  s.slice_lo = z.lo;
  s.slice_hi = z.hi;
  s.fz = z.fraction;
  s.inside = cell_in_slice(g, column, row, z.lo, s.lo) && cell_in_slice(g, column, row, z.hi, s.hi);
  return s;
}

}  // namespace cairn::recon
