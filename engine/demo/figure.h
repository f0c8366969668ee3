// Shapes in patient coordinates (LPS, millimetres) painted in order onto transverse slices, each with soft edges and
// one attenuation. What a later shape covers it replaces, so a figure is built from the skin inwards.
//
// A figure is immutable once built; paint() may run on many threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace cairn::demo {

struct Point {
  float x = 0, y = 0, z = 0;
};
inline Point operator+(Point a, Point b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
inline Point operator-(Point a, Point b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
inline Point operator*(Point a, float k) {
  return {a.x * k, a.y * k, a.z * k};
}
float length(Point p);
/// From `a` (t = 0) to `b` (t = 1).
inline Point between(Point a, Point b, float t) {
  return a + (b - a) * t;
}

struct Box {
  Point low, high;
};

/// A transverse slice: sample (row, column) lies at (first.x + column * spacing, first.y + row * spacing, first.z).
struct Slice {
  Point first;
  float spacing_mm = 1;
  int rows = 0, columns = 0;
};

class Shape {
 public:
  virtual ~Shape() = default;
  virtual Box bounds() const = 0;
  /// Approximate signed distances in mm, negative inside, of points (x + i * step, y, z) into out[i].
  virtual void distances(float x, float step, float y, float z, std::span<float> out) const = 0;
};

/// A cross-section of a loft: a superellipse between an ellipse (squareness 0) and a rounded square (1).
struct Section {
  float z, x, y, half_width, half_depth, squareness = 0;
};

class Figure {
 public:
  /// An ellipsoid, turned about the axis through its centre parallel to z, then x (degrees).
  Figure& ellipsoid(float hounsfield, Point centre, Point radii, float turn_z = 0, float turn_x = 0);
  /// As ellipsoid(), but flat at both ends in z: a drum with rounded edges.
  Figure& drum(float hounsfield, Point centre, Point radii, float turn_z = 0);
  /// A rod from `a` to `b` with round ends, radius changing from `radius_a` to `radius_b`.
  Figure& rod(float hounsfield, Point a, Point b, float radius_a, float radius_b);
  Figure& rod(float hounsfield, Point a, Point b, float radius) { return rod(hounsfield, a, b, radius, radius); }
  /// Rods joined through a smooth curve that passes through `points` (two at least).
  Figure& tube(float hounsfield, std::span<const Point> points, float radius_first, float radius_last);
  /// A body through cross-sections of ascending z (two at least), with flat ends.
  Figure& loft(float hounsfield, std::vector<Section> sections);
  /// The cerebral cortex: an ellipsoid whose surface is folded `depth` mm deep.
  Figure& folded(float hounsfield, Point centre, Point radii, float depth, float period);
  /// One letter of "RLHF", `height` mm high, its middle at `centre`: `across` and `up` are the directions of reading,
  /// and it is as thick as `thickness` along the third axis. Directions are along an axis of the patient.
  Figure& letter(float hounsfield, char letter, Point centre, Point across, Point up, float height, float thickness);

  /// Paints the slice in Hounsfield units, air (-1000) where nothing is. `out` holds rows * columns samples.
  void paint(const Slice& slice, std::span<float> out) const;
  std::size_t size() const noexcept { return shapes_.size(); }

 private:
  struct Painted {
    std::unique_ptr<const Shape> shape;
    Box bounds;
    float hounsfield;
  };
  Figure& add(float hounsfield, std::unique_ptr<const Shape> shape);
  std::vector<Painted> shapes_;
};

/// The cross-section of `sections` at `z`, smoothly interpolated; the end ones beyond the ends.
Section section_at(std::span<const Section> sections, float z);

}  // namespace cairn::demo
