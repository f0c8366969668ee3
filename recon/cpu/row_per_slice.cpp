#include <algorithm>
#include <vector>

#include "recon/cpu/row_kernel.h"

namespace cairn::recon::cpu {
namespace {

// Slices `first` and, unless `alone`, the one after it, as an affine volume of their own: z = 0 is `first`.
VolumeView cut_out(const VolumeView& v, std::uint32_t first, bool alone) {
  VolumeView sub = v;
  VolumeGeometry& g = sub.geometry;
  const std::size_t slice_bytes = std::size_t{g.columns} * g.rows * size_of(v.type);
  sub.voxels = static_cast<const std::byte*>(v.voxels) + slice_bytes * first;
  sub.slope = v.slope + first;
  sub.intercept = v.intercept + first;
  g.kind = GeometryClass::orthogonal;
  g.slices = alone ? 1 : 2;
  return sub;
}

IndexPlane level_plane(const VolumeGeometry& g, const IndexPlane& plane, std::uint32_t slice, double z) {
  IndexPlane q = plane;
  q.origin[0] -= g.column_offset[slice];
  q.origin[1] -= g.row_offset[slice];
  q.origin[2] = z;
  q.down[2] = 0;
  return q;
}

RowSpan run(const VolumeView& sub, const IndexPlane& q, std::uint32_t row, std::uint32_t width, float background,
            float* out) {
  const RowSpan span = clip_row(sub.geometry, q, row, width);
  if (span.first < span.last) choose_affine_row(sub, q)(sub, q, row, span, background, out);
  return span;
}

// One slice of the volume. A neighbour of weight 0 lets the vector kernel run; it leaves the value as it is as long as
// all values are finite, which those of integer voxels are.
RowSpan single(const VolumeView& v, const IndexPlane& plane, std::uint32_t slice, std::uint32_t row,
               std::uint32_t width, float background, float* out) {
  const bool alone = slice + 1 >= v.geometry.slices || v.type == VoxelType::float32;
  return run(cut_out(v, slice, alone), level_plane(v.geometry, plane, slice, 0), row, width, background, out);
}

}  // namespace

bool is_level(const VolumeView& v, const IndexPlane& plane) {
  return plane.right[2] == 0 && !v.has_padding && plane.interpolation == Interpolation::linear;
}

void level_row(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, std::uint32_t width, float background,
               float* out) {
  const VolumeGeometry& g = v.geometry;
  const double depth = coordinate(plane, 2, row, 0);
  const auto found = std::upper_bound(g.depth_mm, g.depth_mm + g.slices, depth) - g.depth_mm;
  auto hint = static_cast<std::uint32_t>(std::clamp<std::ptrdiff_t>(found - 1, 0, g.slices - 1));
  const DepthBetween z = depth_between(g, depth, hint);
  if (!z.inside) return;
  if (z.hi == z.lo) {
    single(v, plane, z.lo, row, width, background, out);
    return;
  }
  if (g.column_offset[z.lo] == g.column_offset[z.hi] && g.row_offset[z.lo] == g.row_offset[z.hi]) {
    run(cut_out(v, z.lo, false), level_plane(g, plane, z.lo, z.fraction), row, width, background, out);
    return;
  }
  std::vector<float> other(width, background);
  std::vector<float> mine(width, background);
  const RowSpan a = single(v, plane, z.lo, row, width, background, mine.data());
  const RowSpan b = single(v, plane, z.hi, row, width, background, other.data());
  for (std::uint32_t c = std::max(a.first, b.first); c < std::min(a.last, b.last); ++c)
    out[c] = lerp(mine[c], other[c], z.fraction);
}

}  // namespace cairn::recon::cpu
