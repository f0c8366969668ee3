#include "recon/layout.h"

#include <algorithm>
#include <numbers>

#include "recon/text.h"

namespace cairn::recon {
namespace {

constexpr double kMaxCoordinateMm = 1e6;
constexpr double kMaxSpacingMm = 1e4, kMinSpacingMm = 1e-6;
constexpr std::uint32_t kMaxMatrix = 65'535;  // Rows and Columns are US

bool usable_spacing(double mm) {
  return std::isfinite(mm) && mm >= kMinSpacingMm && mm <= kMaxSpacingMm;
}

// Of the four corner pixels: how far the layout puts them from where the slice's own header does.
double corner_error_mm(const VolumeGeometry& g, const SliceGeometry& s, double slice) {
  double worst = 0;
  for (int c = 0; c < 4; ++c) {
    const double column = (c & 1) ? g.columns - 1.0 : 0.0, row = (c & 2) ? g.rows - 1.0 : 0.0;
    const Vec3 header = *s.position_mm + *s.row_direction * (column * *s.column_spacing_mm) +
                        *s.column_direction * (row * *s.row_spacing_mm);
    worst = std::max(worst, norm(header - position_of(g, column, row, slice)));
  }
  return worst;
}

void set_affine(VolumeGeometry& g) {
  const double advance = dot(g.slice_step_mm, g.normal);
  g.to_index[2] = g.normal * (1.0 / advance);
  g.to_index[0] =
      (g.row_direction - g.to_index[2] * dot(g.slice_step_mm, g.row_direction)) * (1.0 / g.column_spacing_mm);
  g.to_index[1] =
      (g.column_direction - g.to_index[2] * dot(g.slice_step_mm, g.column_direction)) * (1.0 / g.row_spacing_mm);
}

void set_tables(VolumeLayout& layout, std::span<const Vec3> origins) {
  VolumeGeometry& g = layout.affine;
  for (const Vec3& p : origins) {
    const Vec3 d = p - g.origin_mm;
    layout.depth_mm.push_back(dot(d, g.normal));
    layout.column_offset.push_back(dot(d, g.row_direction) / g.column_spacing_mm);
    layout.row_offset.push_back(dot(d, g.column_direction) / g.row_spacing_mm);
  }
  const std::size_t n = origins.size();
  g.first_half_step_mm = (layout.depth_mm[1] - layout.depth_mm[0]) / 2;
  g.last_half_step_mm = (layout.depth_mm[n - 1] - layout.depth_mm[n - 2]) / 2;
}

void measure_steps(AssembledVolume& v, std::span<const Vec3> origins) {
  const VolumeGeometry& g = v.layout.affine;
  std::vector<double> steps;
  for (std::size_t k = 0; k + 1 < origins.size(); ++k) steps.push_back(dot(origins[k + 1] - origins[k], g.normal));
  std::sort(steps.begin(), steps.end());
  v.smallest_step_mm = steps.front();
  v.largest_step_mm = steps.back();
  v.median_step_mm = steps[steps.size() / 2];
  const double tolerance = std::max(0.01, 0.01 * v.median_step_mm);
  v.uniform_spacing =
      v.largest_step_mm - v.median_step_mm <= tolerance && v.median_step_mm - v.smallest_step_mm <= tolerance;
  const Vec3 line = origins.back() - origins.front();
  const double along = dot(line, g.normal);
  v.tilt_degrees = std::atan2(norm(line - g.normal * along), along) * 180 / std::numbers::pi;
}

}  // namespace

bool check_frame(const SliceGeometry& s, Frame& frame, std::string& why) {
  if (!s.position_mm) return why = "missing Image Position (Patient)", false;
  if (!s.row_direction || !s.column_direction) return why = "missing Image Orientation (Patient)", false;
  if (!s.row_spacing_mm || !s.column_spacing_mm) return why = "missing Pixel Spacing", false;
  if (s.rows == 0 || s.columns == 0 || s.rows > kMaxMatrix || s.columns > kMaxMatrix)
    return why = "invalid Rows or Columns", false;
  if (!usable_spacing(*s.row_spacing_mm) || !usable_spacing(*s.column_spacing_mm))
    return why = "invalid Pixel Spacing", false;
  const Vec3 p = *s.position_mm, row = *s.row_direction, column = *s.column_direction;
  if (!is_finite(p) || std::max({std::abs(p.x), std::abs(p.y), std::abs(p.z)}) > kMaxCoordinateMm) {
    return why = "invalid Image Position (Patient)", false;
  }
  if (!is_finite(row) || !is_finite(column) || std::abs(norm(row) - 1) > kCosineTolerance ||
      std::abs(norm(column) - 1) > kCosineTolerance || std::abs(dot(row, column)) > kCosineTolerance) {
    return why = "invalid Image Orientation (Patient): directions are not unit vectors at right angles", false;
  }
  if (!std::isfinite(s.slope) || !std::isfinite(s.intercept)) return why = "invalid Rescale Slope or Intercept", false;
  frame.row_direction = normalized(row);
  frame.column_direction = normalized(column - frame.row_direction * dot(column, frame.row_direction));
  frame.normal = cross(frame.row_direction, frame.column_direction);
  return true;
}

void lay_out(AssembledVolume& v, std::span<const SliceGeometry> frames, const Frame& axes) {
  const SliceGeometry& first = frames[v.frames.front()];
  VolumeGeometry& g = v.layout.affine;
  g.columns = first.columns;
  g.rows = first.rows;
  g.slices = static_cast<std::uint32_t>(v.frames.size());
  g.origin_mm = *first.position_mm;
  g.row_direction = axes.row_direction;
  g.column_direction = axes.column_direction;
  g.normal = axes.normal;
  g.column_spacing_mm = *first.column_spacing_mm;
  g.row_spacing_mm = *first.row_spacing_mm;

  std::vector<Vec3> origins;
  for (std::size_t i : v.frames) {
    origins.push_back(*frames[i].position_mm);
    v.varying_rescale |= frames[i].slope != first.slope || frames[i].intercept != first.intercept;
  }
  if (origins.size() == 1) {
    // PS3.3 gives one slice no neighbour to measure against: its thickness, else as thick as a pixel is wide.
    const bool known = first.thickness_mm && usable_spacing(*first.thickness_mm);
    g.slice_step_mm = g.normal * (known ? *first.thickness_mm : std::min(g.column_spacing_mm, g.row_spacing_mm));
    set_affine(g);
  } else {
    measure_steps(v, origins);
    const double intervals = static_cast<double>(origins.size() - 1);
    g.slice_step_mm = (origins.back() - origins.front()) * (1.0 / intervals);
    double worst = 0;
    for (std::size_t k = 0; k < origins.size(); ++k) {
      worst = std::max(worst, norm(origins[k] - (g.origin_mm + g.slice_step_mm * static_cast<double>(k))));
    }
    const double along = dot(g.slice_step_mm, g.normal);
    const double shear_mm = norm(g.slice_step_mm - g.normal * along) * intervals;
    if (worst > kAffineToleranceMm) {
      g.kind = GeometryClass::per_slice;
      g.to_index[0] = g.row_direction * (1.0 / g.column_spacing_mm);
      g.to_index[1] = g.column_direction * (1.0 / g.row_spacing_mm);
      g.to_index[2] = g.normal;
      set_tables(v.layout, origins);
    } else {
      g.kind = shear_mm > kAffineToleranceMm ? GeometryClass::sheared : GeometryClass::orthogonal;
      set_affine(g);
    }
  }
  const VolumeGeometry view = v.layout.view();
  for (std::size_t k = 0; k < v.frames.size(); ++k) {
    v.corner_error_mm = std::max(v.corner_error_mm, corner_error_mm(view, frames[v.frames[k]], static_cast<double>(k)));
  }
}

double in_plane_drift_mm(const AssembledVolume& v) {
  const VolumeGeometry g = v.layout.view();
  if (g.kind != GeometryClass::per_slice) return 0;
  double worst = 0;
  const std::size_t last = g.slices - 1;
  for (std::size_t k = 0; k <= last; ++k) {
    const double t = g.depth_mm[k] / g.depth_mm[last];
    const double dx = (g.column_offset[k] - t * g.column_offset[last]) * g.column_spacing_mm;
    const double dy = (g.row_offset[k] - t * g.row_offset[last]) * g.row_spacing_mm;
    worst = std::max(worst, std::hypot(dx, dy));
  }
  return worst;
}

VolumeGeometry VolumeLayout::view() const noexcept {
  VolumeGeometry g = affine;
  if (g.kind == GeometryClass::per_slice) {
    g.depth_mm = depth_mm.data();
    g.column_offset = column_offset.data();
    g.row_offset = row_offset.data();
  }
  return g;
}

}  // namespace cairn::recon
