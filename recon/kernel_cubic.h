// Nearest and cubic sampling, beside the linear one of kernel_math.h and bit-defined as it is.
//
// Cubic is Catmull-Rom: through neighbours v0 v1 v2 v3 the curve between v1 and v2 has the slopes of the chords v0 v2
// and v1 v3. Chords are taken over true distances, so that slices at uneven places are treated as what they are; at
// even places this is the usual kernel. Beyond the volume the edge value is repeated.
#pragma once

#include "recon/kernel_math.h"

namespace cairn::recon {

/// Four neighbours along one axis: offsets in voxels from the start of the volume (or of a slice), and weights.
struct CubicAxis {
  std::int64_t tap[4];
  float weight[4];
};

/// `share_before` is the middle interval over the chord v0 v2, `share_after` over the chord v1 v3: a half when even.
CAIRN_HOST_DEVICE inline void cubic_weights(float t, float share_before, float share_after, float (&weight)[4]) {
  const float rest = 1.0f - t, square = t * t;
  const float rise = square * (3.0f - 2.0f * t);
  const float before = share_before * (t * (rest * rest)), after = share_after * (square * rest);
  weight[0] = -before;
  weight[1] = (1.0f - rise) + after;
  weight[2] = rise + before;
  weight[3] = -after;
}

CAIRN_HOST_DEVICE inline float weighted(const float (&weight)[4], float a, float b, float c, float d) {
  const float p = weight[0] * a, q = weight[1] * b, r = weight[2] * c, s = weight[3] * d;
  const float first = p + q, second = first + r;
  return second + s;
}

CAIRN_HOST_DEVICE inline std::int32_t tap_of(std::int32_t lo, int n, std::uint32_t count) {
  const std::int32_t at = lo - 1 + n, last = static_cast<std::int32_t>(count) - 1;
  return at < 0 ? 0 : at > last ? last : at;
}

CAIRN_HOST_DEVICE inline CubicAxis cubic_axis(Between b, std::uint32_t count, std::int64_t stride) {
  CubicAxis a{};
  for (int n = 0; n < 4; ++n) a.tap[n] = tap_of(b.lo, n, count) * stride;
  cubic_weights(b.fraction, 0.5f, 0.5f, a.weight);
  return a;
}

/// The 16 voxels of one slice around a sample; `y` starts at the slice's first voxel.
template <class T>
CAIRN_HOST_DEVICE inline float bicubic(const T* slice, const CubicAxis& x, const CubicAxis& y) {
  float row[4] = {};
  for (int n = 0; n < 4; ++n) {
    const T* p = slice + y.tap[n];
    row[n] = weighted(x.weight, static_cast<float>(p[x.tap[0]]), static_cast<float>(p[x.tap[1]]),
                      static_cast<float>(p[x.tap[2]]), static_cast<float>(p[x.tap[3]]));
  }
  return weighted(y.weight, row[0], row[1], row[2], row[3]);
}

/// Four slices, each with its own place in the plane.
struct CubicSample {
  CubicAxis x[4], y[4];
  std::uint32_t slice[4];
  float weight[4];
};

template <class T>
CAIRN_HOST_DEVICE inline float tricubic(const VolumeView& v, const CubicSample& s) {
  const T* voxels = static_cast<const T*>(v.voxels);
  const std::int64_t plane = static_cast<std::int64_t>(v.geometry.columns) * v.geometry.rows;
  float value[4] = {};
  for (int n = 0; n < 4; ++n) {
    const std::uint32_t k = s.slice[n];
    value[n] = rescaled(bicubic(voxels + plane * k, s.x[n], s.y[n]), v.slope[k], v.intercept[k]);
  }
  return weighted(s.weight, value[0], value[1], value[2], value[3]);
}

template <class T>
CAIRN_HOST_DEVICE inline bool meets_padding(const VolumeView& v, const CubicSample& s) {
  const T* voxels = static_cast<const T*>(v.voxels);
  const std::int64_t plane = static_cast<std::int64_t>(v.geometry.columns) * v.geometry.rows;
  for (int tap = 0; tap < 64; ++tap) {
    const int n = tap >> 4;
    const std::int64_t at = plane * s.slice[n] + s.y[n].tap[(tap >> 2) & 3] + s.x[n].tap[tap & 3];
    if (is_padding(v, static_cast<float>(voxels[at]))) return true;
  }
  return false;
}

/// As affine_sample.
CAIRN_HOST_DEVICE inline CubicSample affine_cubic(const VolumeGeometry& g, const IndexPlane& p, const BlockBase& b,
                                                  int lane) {
  CubicSample s{};
  s.x[0] = cubic_axis(lane_between(p, b, 0, lane, g.columns), g.columns, 1);
  s.y[0] = cubic_axis(lane_between(p, b, 1, lane, g.rows), g.rows, g.columns);
  const Between z = lane_between(p, b, 2, lane, g.slices);
  for (int n = 0; n < 4; ++n) {
    s.x[n] = s.x[0];
    s.y[n] = s.y[0];
    s.slice[n] = static_cast<std::uint32_t>(tap_of(z.lo, n, g.slices));
  }
  cubic_weights(z.fraction, 0.5f, 0.5f, s.weight);
  return s;
}

/// As per_slice_sample, whose answer `linear` is for the same place. An outer slice that does not reach the place gives
/// its neighbour's value.
CAIRN_HOST_DEVICE inline CubicSample per_slice_cubic(const VolumeGeometry& g, double column, double row,
                                                     const Sample& linear) {
  CubicSample s{};
  const auto lo = static_cast<std::int32_t>(linear.slice_lo);
  const bool between_two = linear.slice_hi != linear.slice_lo;
  s.slice[1] = linear.slice_lo;
  s.slice[2] = linear.slice_hi;
  const auto reaches = [&](std::uint32_t k, SliceCell& cell) { return cell_in_slice(g, column, row, k, cell); };
  SliceCell cell{};
  s.slice[0] = static_cast<std::uint32_t>(tap_of(lo, 0, g.slices));
  if (!between_two || !reaches(s.slice[0], cell)) s.slice[0] = s.slice[1];
  s.slice[3] = static_cast<std::uint32_t>(tap_of(lo, 3, g.slices));
  if (!between_two || !reaches(s.slice[3], cell)) s.slice[3] = s.slice[2];
  for (int n = 0; n < 4; ++n) {
    const std::uint32_t k = s.slice[n];
    const double x = column - g.column_offset[k], y = row - g.row_offset[k], wx = floor(x), wy = floor(y);
    s.x[n] = cubic_axis(between(static_cast<std::int32_t>(wx), static_cast<float>(x - wx), last_lo(g.columns)),
                        g.columns, 1);
    s.y[n] = cubic_axis(between(static_cast<std::int32_t>(wy), static_cast<float>(y - wy), last_lo(g.rows)), g.rows,
                        g.columns);
  }
  const double step = g.depth_mm[s.slice[2]] - g.depth_mm[s.slice[1]];
  double before = g.depth_mm[s.slice[1]] - g.depth_mm[s.slice[0]],
         after = g.depth_mm[s.slice[3]] - g.depth_mm[s.slice[2]];
  if (before == 0) before = step;  // repeated at an equal distance, as at the ends of an even stack
  if (after == 0) after = step;
  const float share_before = between_two ? static_cast<float>(step / (step + before)) : 0.5f;
  const float share_after = between_two ? static_cast<float>(step / (step + after)) : 0.5f;
  cubic_weights(linear.fz, share_before, share_after, s.weight);
  return s;
}

/// The voxel nearest to a sample. `background` when it is padding.
template <class T>
CAIRN_HOST_DEVICE inline float nearest(const VolumeView& v, const Sample& s, Strides strides, float background) {
  const bool upper = s.fz >= 0.5f;
  const SliceCell& c = upper ? s.hi : s.lo;
  const std::uint32_t slice = upper ? s.slice_hi : s.slice_lo;
  const std::int64_t at = c.offset + (c.fx >= 0.5f ? strides.column : 0) + (c.fy >= 0.5f ? strides.row : 0);
  const float stored = static_cast<float>(static_cast<const T*>(v.voxels)[at]);
  if (v.has_padding && is_padding(v, stored)) return background;
  return rescaled(stored, v.slope[slice], v.intercept[slice]);
}

/// One value the way the plane asks for, from samples of the same place.
template <class T, class MakeCubic>
CAIRN_HOST_DEVICE inline float interpolated(const VolumeView& v, Interpolation how, const Sample& s, Strides strides,
                                            float background, MakeCubic make_cubic) {
  if (how == Interpolation::nearest) return nearest<T>(v, s, strides, background);
  if (how == Interpolation::cubic) {
    const CubicSample c = make_cubic();
    if (!v.has_padding || !meets_padding<T>(v, c)) return tricubic<T>(v, c);
  }
  return v.has_padding ? trilinear_padded<T>(v, s, strides, background) : trilinear<T>(v, s, strides);
}

}  // namespace cairn::recon
