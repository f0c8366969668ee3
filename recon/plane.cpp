#include "recon/plane.h"

#include <algorithm>

#include "engine/core/check.h"
#include "recon/cpu/row_kernel.h"

namespace cairn::recon {
namespace {

constexpr double kMaxExtentMm = 1e7;

double smallest_edge_mm(const VolumeGeometry& g) {
  double depth = std::abs(dot(g.slice_step_mm, g.normal));
  return std::min({g.column_spacing_mm, g.row_spacing_mm, depth});
}

double slab_samples(const VolumeGeometry& g, double thickness_mm) {
  return std::max(1.0, std::ceil(thickness_mm / smallest_edge_mm(g)));
}

void thin_row(const VolumeView& v, const IndexPlane& plane, cpu::RowKernel kernel, std::uint32_t row,
              std::uint32_t width, float background, float* out) {
  std::fill_n(out, width, background);
  if (v.geometry.kind == GeometryClass::per_slice) {
    if (cpu::is_level(v, plane))
      cpu::level_row(v, plane, row, width, background, out);
    else
      cpu::per_slice_row(v, plane, row, {0, width}, background, out);
    return;
  }
  const cpu::RowSpan span = cpu::clip_row(v.geometry, plane, row, width);
  if (span.first < span.last) kernel(v, plane, row, span, background, out);
}

// Combines the thin rows of a slab in a fixed order, so that the sum is the same for every caller.
class SlabRow {
 public:
  SlabRow(Projection projection, std::uint32_t width) : projection_(projection), value_(width), count_(width) {}

  void start() {
    std::fill(value_.begin(), value_.end(), 0.0f);
    std::fill(count_.begin(), count_.end(), 0u);
  }
  void add(std::span<const float> row) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const float x = row[c];
      if (x != x) continue;
      if (count_[c]++ == 0)
        value_[c] = x;
      else if (projection_ == Projection::mean)
        value_[c] += x;
      else
        value_[c] = projection_ == Projection::maximum ? std::max(value_[c], x) : std::min(value_[c], x);
    }
  }
  void finish(float background, float* out) const {
    for (std::size_t c = 0; c < value_.size(); ++c) {
      const float divisor = projection_ == Projection::mean ? static_cast<float>(count_[c]) : 1.0f;
      out[c] = count_[c] == 0 ? background : value_[c] / divisor;
    }
  }

 private:
  Projection projection_;
  std::vector<float> value_;
  std::vector<std::uint32_t> count_;
};

}  // namespace

Result<> check_plane(const VolumeView& v, const Plane& p, const Slab& slab) {
  if (p.width == 0 || p.height == 0) return fail(Errc::malformed, "plane without pixels");
  if (p.width > kMaxPlaneEdge || p.height > kMaxPlaneEdge) return fail(Errc::limit_exceeded, "plane size");
  if (!is_finite(p.origin_mm) || !is_finite(p.right_mm) || !is_finite(p.down_mm))
    return fail(Errc::malformed, "plane position");
  const double right = norm(p.right_mm), down = norm(p.down_mm);
  if (!(right > 0) || !(down > 0) || !(norm(cross(p.right_mm, p.down_mm)) > 1e-9 * right * down)) {
    return fail(Errc::malformed, "plane directions");
  }
  if (norm(p.origin_mm) > kMaxExtentMm || right * p.width > kMaxExtentMm || down * p.height > kMaxExtentMm) {
    return fail(Errc::limit_exceeded, "plane extent");
  }
  if (!std::isfinite(slab.thickness_mm) || slab.thickness_mm < 0) return fail(Errc::malformed, "slab thickness");
  if (slab_samples(v.geometry, slab.thickness_mm) > kMaxSlabSamples)
    return fail(Errc::limit_exceeded, "slab thickness");
  return outcome::success();
}

void sample_rows(const VolumeView& v, const Plane& plane, const Slab& slab, float background, std::uint32_t first_row,
                 std::span<float> out) {
  CAIRN_CHECK(plane.width != 0 && out.size() % plane.width == 0);
  const auto rows = static_cast<std::uint32_t>(out.size() / plane.width);
  CAIRN_CHECK(first_row <= plane.height && rows <= plane.height - first_row);
  if (slab.thickness_mm == 0) {
    const IndexPlane thin = index_plane(v.geometry, plane, {});
    const cpu::RowKernel kernel = cpu::choose_affine_row(v, thin);
    for (std::uint32_t r = 0; r < rows; ++r) {
      thin_row(v, thin, kernel, first_row + r, plane.width, background, out.data() + std::size_t{r} * plane.width);
    }
    return;
  }
  const auto samples = static_cast<int>(slab_samples(v.geometry, slab.thickness_mm));
  const Vec3 normal = normalized(cross(plane.right_mm, plane.down_mm));
  std::vector<IndexPlane> planes;
  for (int k = 0; k < samples; ++k) {
    planes.push_back(index_plane(v.geometry, plane, normal * (((k + 0.5) / samples - 0.5) * slab.thickness_mm)));
  }
  const cpu::RowKernel kernel = cpu::choose_affine_row(v, planes.front());
  std::vector<float> row(plane.width);
  SlabRow combined(slab.projection, plane.width);
  for (std::uint32_t r = 0; r < rows; ++r) {
    combined.start();
    for (const IndexPlane& thin : planes) {
      thin_row(v, thin, kernel, first_row + r, plane.width, std::numeric_limits<float>::quiet_NaN(), row.data());
      combined.add(row);
    }
    combined.finish(background, out.data() + std::size_t{r} * plane.width);
  }
}

Result<> sample_plane(const VolumeView& v, const Plane& plane, const Slab& slab, float background,
                      std::span<float> out) {
  CAIRN_TRYV(check_plane(v, plane, slab));
  if (out.size() != std::size_t{plane.width} * plane.height) return fail(Errc::mismatch, "plane buffer");
  sample_rows(v, plane, slab, background, 0, out);
  return outcome::success();
}

}  // namespace cairn::recon
