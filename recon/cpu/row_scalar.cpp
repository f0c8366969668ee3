#include <algorithm>

#include "recon/cpu/row_kernel.h"
#include "recon/kernel_cubic.h"

namespace cairn::recon::cpu {
namespace {

bool inside(const VolumeGeometry& g, const IndexPlane& p, int axis, std::uint32_t row, std::uint32_t column) {
  const std::uint32_t n[3] = {g.columns, g.rows, g.slices};
  const double x = coordinate(p, axis, row, column);
  return x >= -kBorder && x <= n[axis] - 1 + kBorder;
}

template <class Body>
void with_type(VoxelType type, Body body) {
  switch (type) {
    case VoxelType::uint8:
      return body(std::uint8_t{});
    case VoxelType::int8:
      return body(std::int8_t{});
    case VoxelType::uint16:
      return body(std::uint16_t{});
    case VoxelType::int16:
      return body(std::int16_t{});
    case VoxelType::int32:
      return body(std::int32_t{});
    case VoxelType::float32:
      return body(float{});
  }
}

Strides strides_of(const VolumeGeometry& g) {
  return {g.columns > 1 ? 1 : 0, g.rows > 1 ? static_cast<std::int64_t>(g.columns) : 0};
}

}  // namespace

RowSpan clip_row(const VolumeGeometry& g, const IndexPlane& plane, std::uint32_t row, std::uint32_t width) {
  std::int64_t first = 0, last = width;
  const std::uint32_t n[3] = {g.columns, g.rows, g.slices};
  for (int a = 0; a < 3 && first < last; ++a) {
    const double start = coordinate(plane, a, row, 0), step = plane.right[a];
    const double low = -kBorder, high = n[a] - 1 + kBorder;
    if (step == 0) {
      if (!(start >= low && start <= high)) return {};
      continue;
    }
    // A guess from the quotient, made exact with the same predicate that defines inside.
    const double t0 = ((step > 0 ? low : high) - start) / step, t1 = ((step > 0 ? high : low) - start) / step;
    if (!(t1 >= -1 && t0 <= width)) return {};
    auto clamp = [&](double t) { return static_cast<std::int64_t>(std::clamp(t, 0.0, static_cast<double>(width))); };
    std::int64_t f = clamp(std::ceil(t0)), l = clamp(std::floor(t1) + 1);
    auto in = [&](std::int64_t c) { return inside(g, plane, a, row, static_cast<std::uint32_t>(c)); };
    while (f < l && !in(f)) ++f;
    while (f > 0 && f <= l && f - 1 < width && in(f - 1)) --f;
    while (l > f && !in(l - 1)) --l;
    while (l < width && l > f && in(l)) ++l;
    first = std::max(first, f);
    last = std::min(last, l);
  }
  if (first >= last) return {};
  return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)};
}

void affine_row_scalar(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float background,
                       float* out) {
  const VolumeGeometry& g = v.geometry;
  const Strides strides = strides_of(g);
  with_type(v.type, [&](auto type) {
    using T = decltype(type);
    for (std::uint32_t c = span.first; c < span.last; c += kBlock) {
      const BlockBase base = block_base(plane, row, c);
      const int lanes = static_cast<int>(std::min<std::uint32_t>(kBlock, span.last - c));
      for (int lane = 0; lane < lanes; ++lane) {
        const Sample s = affine_sample(g, plane, base, lane);
        out[c + static_cast<std::uint32_t>(lane)] = interpolated<T>(v, plane.interpolation, s, strides, background,
                                                                    [&] { return affine_cubic(g, plane, base, lane); });
      }
    }
  });
}

void per_slice_row(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float background,
                   float* out) {
  const VolumeGeometry& g = v.geometry;
  const Strides strides = strides_of(g);
  const double start = coordinate(plane, 2, row, span.first);
  const double* end = g.depth_mm + g.slices;
  const auto found = std::upper_bound(g.depth_mm, end, start) - g.depth_mm;
  auto hint = static_cast<std::uint32_t>(std::clamp<std::ptrdiff_t>(found - 1, 0, g.slices - 1));
  with_type(v.type, [&](auto type) {
    using T = decltype(type);
    for (std::uint32_t c = span.first; c < span.last; ++c) {
      const double x = coordinate(plane, 0, row, c), y = coordinate(plane, 1, row, c);
      const Sample s = per_slice_sample(g, x, y, coordinate(plane, 2, row, c), hint);
      if (!s.inside) continue;
      out[c] =
          interpolated<T>(v, plane.interpolation, s, strides, background, [&] { return per_slice_cubic(g, x, y, s); });
    }
  });
}

}  // namespace cairn::recon::cpu
