#include "recon/scene.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/check.h"

namespace cairn::recon {
namespace {

constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
constexpr double kMostPlanes = 4096;
constexpr double kFarthestMm = 1e6;                           // beyond, doubles no longer place a voxel to a thousandth
constexpr double kHalfWidthFromInside = 0.57735026918962573;  // tan 30 degrees

double smallest_edge_mm(const VolumeGeometry& g) {
  return std::min({g.column_spacing_mm, g.row_spacing_mm, std::abs(dot(g.slice_step_mm, g.normal))});
}

// The same stack with its slices at even places, when they are there to 1 % of an edge.
VolumeGeometry evened(const VolumeGeometry& g) {
  if (g.kind != GeometryClass::per_slice || g.slices < 2) return g;
  const Vec3 first = position_of(g, 0, 0, 0);
  const Vec3 step = (position_of(g, 0, 0, g.slices - 1) - first) * (1.0 / (g.slices - 1));
  for (std::uint32_t k = 0; k < g.slices; ++k) {
    if (norm(position_of(g, 0, 0, k) - (first + step * k)) > 0.01 * smallest_edge_mm(g)) return g;
  }
  VolumeGeometry even = g;
  even.kind = GeometryClass::sheared;
  even.origin_mm = first;
  even.slice_step_mm = step;
  const Vec3 a = g.row_direction * g.column_spacing_mm, b = g.column_direction * g.row_spacing_mm;
  const double volume = dot(cross(a, b), step);
  even.to_index[0] = cross(b, step) * (1 / volume);
  even.to_index[1] = cross(step, a) * (1 / volume);
  even.to_index[2] = cross(a, b) * (1 / volume);
  even.depth_mm = even.column_offset = even.row_offset = nullptr;
  return even;
}

// Where samples can be, in the coordinates of to_index.
struct Bounds {
  double low[3], high[3];
};

Bounds bounds_of(const VolumeGeometry& g) {
  Bounds b{{-0.51, -0.51, -0.51}, {g.columns - 0.49, g.rows - 0.49, g.slices - 0.49}};
  if (g.kind != GeometryClass::per_slice) return b;
  const auto [x0, x1] = std::minmax_element(g.column_offset, g.column_offset + g.slices);
  const auto [y0, y1] = std::minmax_element(g.row_offset, g.row_offset + g.slices);
  b.low[0] += *x0, b.high[0] += *x1, b.low[1] += *y0, b.high[1] += *y1;
  b.low[2] = -g.first_half_step_mm * 1.01;
  b.high[2] = g.depth_mm[g.slices - 1] + g.last_half_step_mm * 1.01;
  return b;
}

cpu::RowSpan meet(cpu::RowSpan a, cpu::RowSpan b) {
  return {std::max(a.first, b.first), std::min(a.last, b.last)};
}

}  // namespace

Result<> SceneRenderer::set_up_planes(const Scene& scene) {
  const VolumeGeometry& g = view_.geometry;
  CAIRN_TRY(plane_, plane_for(scene.camera, g, scene.viewport));
  const Vec3 view = normalized(scene.camera.look_at_mm - scene.camera.position_mm);
  const Vec3 right = normalized(plane_.right_mm), down = normalized(plane_.down_mm);
  const Vec3 eye = perspective_ ? scene.camera.position_mm : scene.camera.look_at_mm;
  double nearest = std::numeric_limits<double>::infinity(), farthest = -nearest, wide = 0, high = 0;
  for (const Vec3& corner : corners_of(g).point) {
    const Vec3 d = corner - eye;
    const double z = dot(d, view);
    nearest = std::min(nearest, z);
    farthest = std::max(farthest, z);
    wide = std::max(wide, std::abs(dot(d, right)) / z);
    high = std::max(high, std::abs(dot(d, down)) / z);
  }
  const double edge = smallest_edge_mm(g), w = scene.viewport.width, h = scene.viewport.height;
  if (perspective_) {
    if (!(farthest < kFarthestMm)) return fail(Errc::limit_exceeded, "viewpoint: too far from the volume");
    if (!(farthest > edge)) return fail(Errc::malformed, "viewpoint: the volume lies behind the eye");
    if (nearest > edge) {
      pixel_tangent_ = std::max(2 * wide / w, 2 * high / h);
    } else {
      pixel_tangent_ = 2 * kHalfWidthFromInside / std::max(w, h);
    }
    nearest = std::max(nearest, edge);
    const double distance = norm(scene.camera.look_at_mm - eye);
    plane_.right_mm = right * (pixel_tangent_ * distance);
    plane_.down_mm = down * (pixel_tangent_ * distance);
    plane_.origin_mm = scene.camera.look_at_mm - plane_.right_mm * (0.5 * (w - 1)) - plane_.down_mm * (0.5 * (h - 1));
  }
  // A voxel, and down to half of one where pixels are that small: a surface is lit where it was met, and coarser steps
  // show as rings on it. Projections have the steps of slabs.
  const double pixel = norm(plane_.right_mm);
  step_mm_ = look_ == Look::volume ? std::clamp(pixel, edge / 2, edge) : edge;
  step_mm_ = std::max(step_mm_, (farthest - nearest) / (kMostPlanes - 2));
  const auto count = static_cast<std::size_t>((farthest - nearest) / step_mm_) + 1;
  for (std::size_t k = 0; k < count; ++k) {
    const double z = nearest + (static_cast<double>(k) + 0.5) * step_mm_;
    Plane p = plane_;
    if (perspective_) {
      p.right_mm = right * (pixel_tangent_ * z);
      p.down_mm = down * (pixel_tangent_ * z);
      p.origin_mm = eye + view * z - p.right_mm * (0.5 * (w - 1)) - p.down_mm * (0.5 * (h - 1));
    } else {
      p.origin_mm = plane_.origin_mm + view * z;
    }
    planes_.push_back(p);
    index_.push_back(index_plane(g, p, {}));
  }
  const Vec3 to_light = normalized(-view - right * 0.30 - down * 0.45);
  lamp_ = {{static_cast<float>(to_light.x), static_cast<float>(to_light.y), static_cast<float>(to_light.z)},
           {static_cast<float>(-view.x), static_cast<float>(-view.y), static_cast<float>(-view.z)},
           0.28f,
           0.78f,
           0.22f,
           24.0f,
           1.0f};
  return outcome::success();
}

Result<SceneRenderer> SceneRenderer::of(const VolumeView& v, const Scene& scene, const Cells* cells) {
  SceneRenderer r;
  r.view_ = v;
  r.view_.geometry = evened(v.geometry);
  r.look_ = scene.look;
  r.perspective_ = scene.perspective;
  r.crop_ = scene.crop;
  if (const auto& box = scene.crop) {
    if (!is_finite(box->low) || !is_finite(box->high) || !(box->low.x < box->high.x) || !(box->low.y < box->high.y) ||
        !(box->low.z < box->high.z))
      return fail(Errc::malformed, "crop box");
  }
  CAIRN_TRYV(r.set_up_planes(scene));
  const VolumeGeometry& g = r.view_.geometry;
  r.kernel_ = cpu::choose_affine_row(r.view_, r.index_.back());
  if (cpu::choose_affine_row(r.view_, r.index_.front()) != r.kernel_) r.kernel_ = &cpu::affine_row_scalar;
  if (g.kind != GeometryClass::per_slice) r.cells_ = cells;
  if (scene.look == Look::volume) {
    CAIRN_TRY(auto table, TransferTable::of(scene.transfer));
    const double range = scene.transfer.points.back().value - scene.transfer.points.front().value;
    r.table_ = std::move(table);
    r.shaded_ = scene.transfer.shaded;
    r.lamp_.full_gradient = static_cast<float>(0.08 * range / smallest_edge_mm(g));
    const Vec3 edges[3] = {g.row_direction * g.column_spacing_mm, g.column_direction * g.row_spacing_mm,
                           g.slice_step_mm};
    for (const Vec3& e : edges) {
      const double along[3] = {std::abs(e.x), std::abs(e.y), std::abs(e.z)};
      for (int a = 0; a < 3; ++a) r.gradient_step_mm_[a] = std::max(r.gradient_step_mm_[a], along[a]);
    }
    if (r.cells_ != nullptr) r.distance_ = distance_to_visible(*r.cells_, *r.table_);
  } else if (r.cells_ != nullptr && scene.look != Look::mean) {
    r.around_ = dilated(*r.cells_);
  }
  return r;
}

// One row, packet after packet. Where the planes meet the volume is found once a row, when it is first asked for.
class Tracer {
 public:
  explicit Tracer(const SceneRenderer& r)
      : r_(r), bounds_(bounds_of(r.view_.geometry)), spans_(r.planes_.size()), known_(r.planes_.size()) {}

  void start(std::uint32_t row) {
    row_ = row;
    std::fill(known_.begin(), known_.end(), false);
  }

  void paint(std::uint32_t first, std::uint32_t last, Light* light);
  void project(std::uint32_t first, std::uint32_t last, float* out);

 private:
  using Values = float[kBlock];

  // The packet's middle in index coordinates at plane k is middle + k step; no pixel is farther from it than half.
  struct Path {
    double middle[3], step[3], half, pace;  // half and pace: along the longest axis
    std::int64_t first, last;               // planes that can meet the volume
  };

  Path path_of(std::uint32_t first, std::uint32_t last) const;
  std::size_t cell_at(const Path& p, std::int64_t k) const;
  std::int64_t planes_to_jump(const Path& p, std::int64_t k) const;
  bool adds_nothing(const Path& p, std::int64_t k, const Values& best, std::uint32_t lanes) const;
  cpu::RowSpan span_of(std::size_t k);
  cpu::RowSpan cropped(std::size_t k) const;
  bool sample(std::size_t k, cpu::RowSpan packet, Values& out);
  void shifted(const IndexPlane& plane, cpu::RowSpan span, std::uint32_t first, Values& out) const;
  void gradients(std::size_t k, cpu::RowSpan span, std::uint32_t first, const Values& here, Values (&g)[3]) const;
  void composite(std::size_t k, cpu::RowSpan span, std::uint32_t first, const Values& front, const Values& back,
                 const Values& length, Light* light) const;

  const SceneRenderer& r_;
  Bounds bounds_;
  std::uint32_t row_ = 0;
  std::vector<cpu::RowSpan> spans_;
  std::vector<char> known_;
};

Tracer::Path Tracer::path_of(std::uint32_t first, std::uint32_t last) const {
  Path p{};
  const auto n = static_cast<std::int64_t>(r_.index_.size());
  const IndexPlane &front = r_.index_.front(), &back = r_.index_.back();
  p.first = 0;
  p.last = n - 1;
  const double column = 0.5 * (first + (last - 1.0)), reach = 0.5 * (last - 1.0 - first);
  for (int a = 0; a < 3; ++a) {
    const double from = front.origin[a] + front.down[a] * row_ + front.right[a] * column;
    const double to = back.origin[a] + back.down[a] * row_ + back.right[a] * column;
    p.middle[a] = from;
    p.step[a] = n > 1 ? (to - from) / static_cast<double>(n - 1) : 0;
    const double half = reach * std::max(std::abs(front.right[a]), std::abs(back.right[a])) + 1e-6;
    p.half = std::max(p.half, half);
    p.pace = std::max(p.pace, std::abs(p.step[a]));
    const double low = bounds_.low[a] - half, high = bounds_.high[a] + half;
    if (std::abs(p.step[a]) < 1e-12) {
      if (from < low || from > high) p.last = -1;
      continue;
    }
    double enter = (low - from) / p.step[a], leave = (high - from) / p.step[a];
    if (enter > leave) std::swap(enter, leave);
    const double most = static_cast<double>(n);
    p.first = std::max(p.first, static_cast<std::int64_t>(std::clamp(std::floor(enter), 0.0, most)));
    p.last = std::min(p.last, static_cast<std::int64_t>(std::clamp(std::ceil(leave), -1.0, most)));
  }
  return p;
}

std::size_t Tracer::cell_at(const Path& p, std::int64_t k) const {
  const VolumeGeometry& g = r_.view_.geometry;
  const std::uint32_t n[3] = {g.columns, g.rows, g.slices};
  std::uint32_t cell[3] = {};
  for (int a = 0; a < 3; ++a) {
    const double at = std::clamp(p.middle[a] + static_cast<double>(k) * p.step[a], 0.0, n[a] - 1.0);
    cell[a] = static_cast<std::uint32_t>(at) / kCellEdge;
  }
  return r_.cells_->at(cell[0], cell[1], cell[2]);
}

// All within 8 (d - 1) voxels of the middle is invisible when the nearest visible cell is d cells away.
std::int64_t Tracer::planes_to_jump(const Path& p, std::int64_t k) const {
  if (r_.distance_.empty()) return 0;
  const double free = double{kCellEdge} * (r_.distance_[cell_at(p, k)] - 1.0) - p.half - 1e-3;
  if (free < 0) return 0;
  return 1 + (p.pace > 0 ? static_cast<std::int64_t>(std::min(free / p.pace, 1e6)) : 0);
}

bool Tracer::adds_nothing(const Path& p, std::int64_t k, const Values& best, std::uint32_t lanes) const {
  if (r_.around_.low.empty() || p.half > kCellEdge - 0.01) return false;
  const std::size_t cell = cell_at(p, k);
  const float low = r_.around_.low[cell], high = r_.around_.high[cell];
  for (std::uint32_t n = 0; n < lanes; ++n) {
    // A little more than the range: interpolation may round beyond it.
    const float slack = 1e-5f * (std::abs(low) + std::abs(high)) + 1e-6f;
    if (!(r_.look_ == Look::maximum ? best[n] >= high + slack : best[n] <= low - slack)) return false;
  }
  return true;
}

cpu::RowSpan Tracer::cropped(std::size_t k) const {
  const std::uint32_t width = r_.plane_.width;
  if (!r_.crop_) return {0, width};
  const Plane& plane = r_.planes_[k];
  const Vec3 start = plane.origin_mm + plane.down_mm * row_;
  const double from[3] = {start.x, start.y, start.z}, step[3] = {plane.right_mm.x, plane.right_mm.y, plane.right_mm.z};
  const double low[3] = {r_.crop_->low.x, r_.crop_->low.y, r_.crop_->low.z},
               high[3] = {r_.crop_->high.x, r_.crop_->high.y, r_.crop_->high.z};
  double enter = 0, leave = width - 1.0;
  for (int a = 0; a < 3; ++a) {
    if (std::abs(step[a]) < 1e-12) {
      if (from[a] < low[a] || from[a] > high[a]) return {};
      continue;
    }
    const double t0 = (low[a] - from[a]) / step[a], t1 = (high[a] - from[a]) / step[a];
    enter = std::max(enter, std::min(t0, t1));
    leave = std::min(leave, std::max(t0, t1));
  }
  if (!(enter <= leave)) return {};
  return {static_cast<std::uint32_t>(std::ceil(enter)), static_cast<std::uint32_t>(std::floor(leave)) + 1};
}

cpu::RowSpan Tracer::span_of(std::size_t k) {
  if (!known_[k]) {
    known_[k] = true;
    spans_[k] = cropped(k);
    if (r_.view_.geometry.kind != GeometryClass::per_slice)
      spans_[k] = meet(spans_[k], cpu::clip_row(r_.view_.geometry, r_.index_[k], row_, r_.plane_.width));
  }
  return spans_[k];
}

// False when no pixel of the packet lies in the volume.
bool Tracer::sample(std::size_t k, cpu::RowSpan packet, Values& out) {
  std::fill_n(out, kBlock, kNothing);
  const cpu::RowSpan span = meet(span_of(k), packet);
  if (span.first >= span.last) return false;
  shifted(r_.index_[k], span, packet.first, out);
  return true;
}

void Tracer::shifted(const IndexPlane& plane, cpu::RowSpan span, std::uint32_t first, Values& out) const {
  float row[2 * kBlock];  // kernels write at the pixel's own index: `row` stands for pixels from `first` on
  std::fill_n(row, kBlock, kNothing);
  IndexPlane local = plane;
  for (int a = 0; a < 3; ++a) local.origin[a] += local.right[a] * first;
  const cpu::RowSpan own{span.first - first, span.last - first};
  if (r_.view_.geometry.kind == GeometryClass::per_slice)
    cpu::per_slice_row(r_.view_, local, row_, own, kNothing, row);
  else
    r_.kernel_(r_.view_, local, row_, own, kNothing, row);
  std::copy_n(row, kBlock, out);
}

// Central differences over one voxel to each side, along the patient's axes, per mm. Beyond the volume the edge value
// goes on; next to padding or past the end of an uneven stack the value here stands in.
void Tracer::gradients(std::size_t k, cpu::RowSpan span, std::uint32_t first, const Values& here,
                       Values (&g)[3]) const {
  const VolumeGeometry& geometry = r_.view_.geometry;
  const Vec3 axes[3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  IndexPlane plane = r_.index_[k];
  for (int axis = 0; axis < 3; ++axis) {
    const double h = r_.gradient_step_mm_[axis];
    Values side[2];
    for (int s = 0; s < 2; ++s) {
      for (int a = 0; a < 3; ++a)
        plane.origin[a] = r_.index_[k].origin[a] + dot(geometry.to_index[a], axes[axis]) * (s == 0 ? -h : h);
      shifted(plane, span, first, side[s]);
    }
    for (std::uint32_t n = span.first - first; n < span.last - first; ++n) {
      const float before = side[0][n] == side[0][n] ? side[0][n] : here[n];
      const float after = side[1][n] == side[1][n] ? side[1][n] : here[n];
      g[axis][n] = (after - before) / static_cast<float>(2 * h);
    }
  }
}

void Tracer::composite(std::size_t k, cpu::RowSpan span, std::uint32_t first, const Values& front, const Values& back,
                       const Values& length, Light* light) const {
  const TransferView table = r_.table_->view();
  TransferEntry mean[kBlock];
  bool any = false;
  for (std::uint32_t n = span.first - first; n < span.last - first; ++n) {
    mean[n] = {};
    if (back[n] != back[n] || light[n].alpha >= kOpaque) continue;
    mean[n] = between_values(table, front[n] == front[n] ? front[n] : back[n], back[n]);
    any = any || mean[n].extinction > 0;
  }
  if (!any) return;
  Values g[3];
  if (r_.shaded_) gradients(k, span, first, back, g);
  for (std::uint32_t n = span.first - first; n < span.last - first; ++n) {
    if (!(mean[n].extinction > 0)) continue;
    const Shade s = r_.shaded_ ? shade(r_.lamp_, g[0][n], g[1][n], g[2][n]) : Shade{1, 0};
    add_behind(light[n], mean[n], length[n], s);
  }
}

void Tracer::paint(std::uint32_t first, std::uint32_t last, Light* light) {
  const cpu::RowSpan packet{first, last};
  Values length;
  for (std::uint32_t n = 0; n < kBlock; ++n) {
    const double x = (first + n - 0.5 * (r_.plane_.width - 1.0)) * r_.pixel_tangent_;
    const double y = (row_ - 0.5 * (r_.plane_.height - 1.0)) * r_.pixel_tangent_;
    length[n] = static_cast<float>(r_.step_mm_ * std::sqrt(1 + x * x + y * y));
    light[n] = {};
  }
  const Path path = path_of(first, last);
  Values front, back;
  bool front_known = false;
  for (std::int64_t k = path.first; k <= path.last && k < static_cast<std::int64_t>(r_.index_.size());) {
    if (const std::int64_t jump = planes_to_jump(path, k); jump > 0) {
      k += jump;
      front_known = false;
      continue;
    }
    const auto at = static_cast<std::size_t>(k++);
    if (!front_known) {
      std::fill_n(front, kBlock, kNothing);
      if (at > 0) sample(at - 1, packet, front);
    }
    front_known = true;
    if (sample(at, packet, back)) {
      composite(at, meet(span_of(at), packet), first, front, back, length, light);
      const bool done = std::all_of(light, light + (last - first), [](const Light& l) { return l.alpha >= kOpaque; });
      if (done) return;
    }
    std::copy_n(back, kBlock, front);
  }
}

void Tracer::project(std::uint32_t first, std::uint32_t last, float* out) {
  const cpu::RowSpan packet{first, last};
  const std::uint32_t lanes = last - first;
  const Path path = path_of(first, last);
  Values best, sum = {}, count = {}, here;
  std::fill_n(best, kBlock, kNothing);
  for (std::int64_t k = path.first; k <= path.last && k < static_cast<std::int64_t>(r_.index_.size()); ++k) {
    if (adds_nothing(path, k, best, lanes)) continue;
    if (!sample(static_cast<std::size_t>(k), packet, here)) continue;
    for (int n = 0; n < kBlock; ++n) {
      if (here[n] != here[n]) continue;
      if (r_.look_ == Look::mean) {
        sum[n] += here[n];
        count[n] += 1;
        best[n] = sum[n] / count[n];
      } else if (best[n] != best[n] || (r_.look_ == Look::maximum ? here[n] > best[n] : here[n] < best[n])) {
        best[n] = here[n];
      }
    }
  }
  std::copy_n(best, lanes, out);
}

void SceneRenderer::paint(std::uint32_t first_row, std::span<std::uint8_t> rgb) const {
  const std::uint32_t width = plane_.width;
  CAIRN_CHECK(look_ == Look::volume && rgb.size() % (std::size_t{3} * width) == 0);
  const auto rows = static_cast<std::uint32_t>(rgb.size() / (std::size_t{3} * width));
  CAIRN_CHECK(first_row <= plane_.height && rows <= plane_.height - first_row);
  Tracer tracer(*this);
  Light light[kBlock];
  for (std::uint32_t r = 0; r < rows; ++r) {
    tracer.start(first_row + r);
    for (std::uint32_t c = 0; c < width; c += kBlock) {
      const std::uint32_t last = std::min(c + kBlock, width);
      tracer.paint(c, last, light);
      std::uint8_t* to = rgb.data() + (std::size_t{r} * width + c) * 3;
      for (std::uint32_t n = 0; n < last - c; ++n) {
        for (const float x : {light[n].red, light[n].green, light[n].blue})
          *to++ = static_cast<std::uint8_t>(std::min(x * 255.0f + 0.5f, 255.0f));
      }
    }
  }
}

void SceneRenderer::project(std::uint32_t first_row, std::span<float> values) const {
  const std::uint32_t width = plane_.width;
  CAIRN_CHECK(look_ != Look::volume && values.size() % width == 0);
  const auto rows = static_cast<std::uint32_t>(values.size() / width);
  CAIRN_CHECK(first_row <= plane_.height && rows <= plane_.height - first_row);
  Tracer tracer(*this);
  for (std::uint32_t r = 0; r < rows; ++r) {
    tracer.start(first_row + r);
    for (std::uint32_t c = 0; c < width; c += kBlock)
      tracer.project(c, std::min(c + kBlock, width), values.data() + std::size_t{r} * width + c);
  }
}

}  // namespace cairn::recon
