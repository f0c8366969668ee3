#include "engine/demo/figure.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "engine/core/check.h"

namespace cairn::demo {
namespace {

constexpr float kEdgeMm = 1.4f;  // width of an edge: what a scanner's point spread does to it
constexpr float kAir = -1000;

float radians(float degrees) {
  return degrees * std::numbers::pi_v<float> / 180;
}

// The distance along the ray from the centre: exact enough for soft edges. `f` is 1 on the surface.
inline float radial_distance(float r, float f) {
  return f > 1e-4f ? r - r / f : -1e3f;
}

class Ellipsoid final : public Shape {
 public:
  Ellipsoid(Point centre, Point radii, float turn_z, float turn_x, bool flat)
      : c_(centre),
        r_(radii),
        cz_(std::cos(radians(turn_z))),
        sz_(std::sin(radians(turn_z))),
        cx_(std::cos(radians(turn_x))),
        sx_(std::sin(radians(turn_x))),
        flat_(flat),
        turned_(turn_z != 0 || turn_x != 0) {}

  Box bounds() const override {
    const float m = turned_ ? std::max({r_.x, r_.y, r_.z}) : 0;
    const Point half = turned_ ? Point{m, m, flat_ ? r_.z : m} : r_;
    return {c_ - half, c_ + half};
  }
  void distances(float x, float step, float y, float z, std::span<float> out) const override {
    const float dy = y - c_.y, dz = z - c_.z;
    const float ix = 1 / r_.x, iy = 1 / r_.y, iz = 1 / r_.z;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float dx = x + static_cast<float>(i) * step - c_.x;
      const float u = cz_ * dx + sz_ * dy;
      const float v0 = cz_ * dy - sz_ * dx;
      const float v = cx_ * v0 + sx_ * dz, w = cx_ * dz - sx_ * v0;
      const float a = u * ix * u * ix + v * iy * v * iy, b = w * iz * w * iz;
      const float f = flat_ ? std::sqrt(std::sqrt(a * a + b * b)) : std::sqrt(a + b);
      out[i] = radial_distance(std::sqrt(u * u + v * v + w * w), f);
    }
  }

 private:
  Point c_, r_;
  float cz_, sz_, cx_, sx_;
  bool flat_, turned_;
};

class Rod final : public Shape {
 public:
  Rod(Point a, Point b, float ra, float rb) : a_(a), d_(b - a), ra_(ra), rb_(rb) {
    const float n = d_.x * d_.x + d_.y * d_.y + d_.z * d_.z;
    inverse_ = n > 0 ? 1 / n : 0;
  }
  Box bounds() const override {
    const Point b = a_ + d_;
    const float r = std::max(ra_, rb_);
    return {{std::min(a_.x, b.x) - r, std::min(a_.y, b.y) - r, std::min(a_.z, b.z) - r},
            {std::max(a_.x, b.x) + r, std::max(a_.y, b.y) + r, std::max(a_.z, b.z) + r}};
  }
  void distances(float x, float step, float y, float z, std::span<float> out) const override {
    const float py = y - a_.y, pz = z - a_.z;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float px = x + static_cast<float>(i) * step - a_.x;
      const float t = std::clamp((px * d_.x + py * d_.y + pz * d_.z) * inverse_, 0.0f, 1.0f);
      const float qx = px - t * d_.x, qy = py - t * d_.y, qz = pz - t * d_.z;
      out[i] = std::sqrt(qx * qx + qy * qy + qz * qz) - (ra_ + t * (rb_ - ra_));
    }
  }

 private:
  Point a_, d_;
  float ra_, rb_, inverse_;
};

class Loft final : public Shape {
 public:
  explicit Loft(std::vector<Section> sections) : sections_(std::move(sections)) { CAIRN_CHECK(sections_.size() >= 2); }

  Box bounds() const override {
    Box b{{1e9f, 1e9f, sections_.front().z}, {-1e9f, -1e9f, sections_.back().z}};
    for (const Section& s : sections_) {
      // The interpolation may pass its points by a little.
      const float w = s.half_width * 1.15f, d = s.half_depth * 1.15f;
      b.low = {std::min(b.low.x, s.x - w), std::min(b.low.y, s.y - d), b.low.z};
      b.high = {std::max(b.high.x, s.x + w), std::max(b.high.y, s.y + d), b.high.z};
    }
    return b;
  }
  void distances(float x, float step, float y, float z, std::span<float> out) const override {
    const Section s = section_at(sections_, z);
    const float end = std::max(sections_.front().z - z, z - sections_.back().z);
    const float v = (y - s.y) / s.half_depth, v2 = v * v, iw = 1 / s.half_width, dy = y - s.y;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float dx = x + static_cast<float>(i) * step - s.x;
      const float u = dx * iw, u2 = u * u;
      const float round = std::sqrt(u2 + v2), square = std::sqrt(std::sqrt(u2 * u2 + v2 * v2));
      const float f = round + s.squareness * (square - round);
      out[i] = std::max(radial_distance(std::sqrt(dx * dx + dy * dy), f), end);
    }
  }

 private:
  std::vector<Section> sections_;
};

class Folded final : public Shape {
 public:
  Folded(Point centre, Point radii, float depth, float period)
      : c_(centre), r_(radii), depth_(depth), k_(2 * std::numbers::pi_v<float> / period) {}
  Box bounds() const override { return {c_ - r_, c_ + r_}; }
  void distances(float x, float step, float y, float z, std::span<float> out) const override {
    const float dy = y - c_.y, dz = z - c_.z;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float dx = x + static_cast<float>(i) * step - c_.x;
      const float r = std::sqrt(dx * dx + dy * dy + dz * dz);
      const float f = std::sqrt(dx * dx / (r_.x * r_.x) + dy * dy / (r_.y * r_.y) + dz * dz / (r_.z * r_.z));
      float d = radial_distance(r, f);
      // Folds only near the surface; the interior would be thrown away.
      if (d > -3 * depth_ && d < kEdgeMm) {
        const float bend = 1.7f * std::sin(k_ * 0.37f * (dx + dz)) + 1.3f * std::sin(k_ * 0.29f * (dy - dx));
        const float wave =
            std::sin(k_ * dx + bend) * std::sin(k_ * 0.8f * dy - bend) + std::sin(k_ * 0.9f * dz + 1.6f * bend);
        d += depth_ * (0.5f + 0.5f * std::clamp(wave, -1.0f, 1.0f)) * (dx > -2 && dx < 2 ? 1.5f : 1.0f);
      }
      out[i] = d;
    }
  }

 private:
  Point c_, r_;
  float depth_, k_;
};

struct Stroke {
  float u0, v0, u1, v1;
};
// Strokes in a box of width 0.7 and height 1 around the middle.
constexpr Stroke kR[] = {{-.3f, -.5f, -.3f, .5f}, {-.3f, .5f, .1f, .5f}, {.1f, .5f, .3f, .36f}, {.3f, .36f, .3f, .14f},
                         {.3f, .14f, .1f, 0},     {.1f, 0, -.3f, 0},     {0, 0, .32f, -.5f}};
constexpr Stroke kL[] = {{-.3f, .5f, -.3f, -.5f}, {-.3f, -.5f, .3f, -.5f}};
constexpr Stroke kH[] = {{-.3f, -.5f, -.3f, .5f}, {.3f, -.5f, .3f, .5f}, {-.3f, 0, .3f, 0}};
constexpr Stroke kF[] = {{-.3f, -.5f, -.3f, .5f}, {-.3f, .5f, .3f, .5f}, {-.3f, .05f, .18f, .05f}};

class Letter final : public Shape {
 public:
  Letter(std::span<const Stroke> strokes, Point centre, Point across, Point up, float height, float thickness)
      : strokes_(strokes), c_(centre), across_(across), up_(up), height_(height), half_(thickness / 2) {
    out_ = {across.y * up.z - across.z * up.y, across.z * up.x - across.x * up.z, across.x * up.y - across.y * up.x};
  }
  Box bounds() const override {
    const auto extent = [&](float a, float u, float o) {
      return std::abs(a) * height_ * .5f + std::abs(u) * height_ * .6f + std::abs(o) * half_ + kStrokeMm;
    };
    const Point half{extent(across_.x, up_.x, out_.x), extent(across_.y, up_.y, out_.y),
                     extent(across_.z, up_.z, out_.z)};
    return {c_ - half, c_ + half};
  }
  void distances(float x, float step, float y, float z, std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Point p = Point{x + static_cast<float>(i) * step, y, z} - c_;
      const float u = p.x * across_.x + p.y * across_.y + p.z * across_.z;
      const float v = p.x * up_.x + p.y * up_.y + p.z * up_.z;
      const float o = std::abs(p.x * out_.x + p.y * out_.y + p.z * out_.z) - half_;
      float d = 1e9f;
      for (const Stroke& s : strokes_) {
        const float ax = s.u0 * height_, ay = s.v0 * height_, bx = s.u1 * height_ - ax, by = s.v1 * height_ - ay;
        const float t = std::clamp(((u - ax) * bx + (v - ay) * by) / (bx * bx + by * by), 0.0f, 1.0f);
        d = std::min(d, std::hypot(u - ax - t * bx, v - ay - t * by));
      }
      out[i] = std::max(d - kStrokeMm, o);
    }
  }

 private:
  static constexpr float kStrokeMm = 2.4f;
  std::span<const Stroke> strokes_;
  Point c_, across_, up_, out_;
  float height_, half_;
};

float cubic(float a, float b, float c, float d, float t) {
  return b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

}  // namespace

float length(Point p) {
  return std::sqrt(p.x * p.x + p.y * p.y + p.z * p.z);
}

Section section_at(std::span<const Section> s, float z) {
  if (z <= s.front().z) return s.front();
  if (z >= s.back().z) return s.back();
  std::size_t i = 0;
  while (s[i + 1].z < z) ++i;
  const Section& b = s[i];
  const Section& c = s[i + 1];
  const Section& a = i > 0 ? s[i - 1] : b;
  const Section& d = i + 2 < s.size() ? s[i + 2] : c;
  const float t = (z - b.z) / (c.z - b.z);
  return {z,
          cubic(a.x, b.x, c.x, d.x, t),
          cubic(a.y, b.y, c.y, d.y, t),
          std::max(0.5f, cubic(a.half_width, b.half_width, c.half_width, d.half_width, t)),
          std::max(0.5f, cubic(a.half_depth, b.half_depth, c.half_depth, d.half_depth, t)),
          b.squareness + t * (c.squareness - b.squareness)};
}

Figure& Figure::add(float hounsfield, std::unique_ptr<const Shape> shape) {
  Box b = shape->bounds();
  const Point edge{kEdgeMm, kEdgeMm, kEdgeMm};
  b = {b.low - edge, b.high + edge};
  shapes_.push_back({std::move(shape), b, hounsfield});
  return *this;
}

Figure& Figure::ellipsoid(float hounsfield, Point centre, Point radii, float turn_z, float turn_x) {
  return add(hounsfield, std::make_unique<Ellipsoid>(centre, radii, turn_z, turn_x, false));
}

Figure& Figure::drum(float hounsfield, Point centre, Point radii, float turn_z) {
  return add(hounsfield, std::make_unique<Ellipsoid>(centre, radii, turn_z, 0.0f, true));
}

Figure& Figure::rod(float hounsfield, Point a, Point b, float radius_a, float radius_b) {
  return add(hounsfield, std::make_unique<Rod>(a, b, radius_a, radius_b));
}

Figure& Figure::tube(float hounsfield, std::span<const Point> p, float radius_first, float radius_last) {
  CAIRN_CHECK(p.size() >= 2);
  const std::size_t spans = p.size() - 1;
  constexpr int kPieces = 6;
  Point last = p[0];
  float r_last = radius_first;
  for (std::size_t i = 0; i < spans; ++i) {
    const Point &b = p[i], &c = p[i + 1], &a = p[i > 0 ? i - 1 : 0], &d = p[std::min(i + 2, spans)];
    for (int k = 1; k <= kPieces; ++k) {
      const float t = static_cast<float>(k) / kPieces;
      const Point next{cubic(a.x, b.x, c.x, d.x, t), cubic(a.y, b.y, c.y, d.y, t), cubic(a.z, b.z, c.z, d.z, t)};
      const float whole = (static_cast<float>(i) + t) / static_cast<float>(spans);
      const float r = radius_first + whole * (radius_last - radius_first);
      rod(hounsfield, last, next, r_last, r);
      last = next;
      r_last = r;
    }
  }
  return *this;
}

Figure& Figure::loft(float hounsfield, std::vector<Section> sections) {
  return add(hounsfield, std::make_unique<Loft>(std::move(sections)));
}

Figure& Figure::folded(float hounsfield, Point centre, Point radii, float depth, float period) {
  return add(hounsfield, std::make_unique<Folded>(centre, radii, depth, period));
}

Figure& Figure::letter(float hounsfield, char letter, Point centre, Point across, Point up, float height,
                       float thickness) {
  const std::span<const Stroke> strokes = letter == 'R'   ? std::span<const Stroke>(kR)
                                          : letter == 'L' ? std::span<const Stroke>(kL)
                                          : letter == 'H' ? std::span<const Stroke>(kH)
                                                          : std::span<const Stroke>(kF);
  return add(hounsfield, std::make_unique<Letter>(strokes, centre, across, up, height, thickness));
}

void Figure::paint(const Slice& slice, std::span<float> out) const {
  CAIRN_CHECK(out.size() == static_cast<std::size_t>(slice.rows) * static_cast<std::size_t>(slice.columns));
  std::fill(out.begin(), out.end(), kAir);
  std::vector<float> distance(static_cast<std::size_t>(slice.columns));
  const auto index = [&](float from, float origin, int limit) {
    return static_cast<int>(std::clamp(std::ceil((from - origin) / slice.spacing_mm), 0.0f, static_cast<float>(limit)));
  };
  for (const Painted& p : shapes_) {
    if (slice.first.z < p.bounds.low.z || slice.first.z > p.bounds.high.z) continue;
    const int row_end = index(p.bounds.high.y, slice.first.y, slice.rows);
    const int column = index(p.bounds.low.x, slice.first.x, slice.columns);
    const int columns = index(p.bounds.high.x, slice.first.x, slice.columns) - column;
    if (columns <= 0) continue;
    const std::span<float> d(distance.data(), static_cast<std::size_t>(columns));
    for (int row = index(p.bounds.low.y, slice.first.y, slice.rows); row < row_end; ++row) {
      p.shape->distances(slice.first.x + static_cast<float>(column) * slice.spacing_mm, slice.spacing_mm,
                         slice.first.y + static_cast<float>(row) * slice.spacing_mm, slice.first.z, d);
      float* samples = out.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(slice.columns) + column;
      for (std::size_t i = 0; i < d.size(); ++i) {
        const float covered = std::clamp(0.5f - d[i] * (1 / kEdgeMm), 0.0f, 1.0f);
        samples[i] += covered * (p.hounsfield - samples[i]);
      }
    }
  }
}

}  // namespace cairn::demo
