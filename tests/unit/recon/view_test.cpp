#include "recon/view.h"

#include <gtest/gtest.h>

#include "phantom.h"

namespace cairn::recon {
namespace {
using test::filled;
using test::Stack;
using test::stack;

// A phantom that marks its own ends: values say which of six zones of the patient a voxel lies in.
enum Zone { kMiddle = 0, kRight = 1, kLeft = 2, kFront = 3, kBack = 4, kFeet = 5, kHead = 6 };

Zone zone_at(Vec3 p, Vec3 middle, Vec3 half) {
  const double x = (p.x - middle.x) / half.x, y = (p.y - middle.y) / half.y, z = (p.z - middle.z) / half.z;
  const double ax = std::abs(x), ay = std::abs(y), az = std::abs(z);
  if (std::max({ax, ay, az}) < 0.4) return kMiddle;
  if (ax >= ay && ax >= az) return x > 0 ? kLeft : kRight;
  if (ay >= az) return y > 0 ? kBack : kFront;
  return z > 0 ? kHead : kFeet;
}

struct Marked {
  Volume volume;
  Vec3 middle;
};

Marked marked(const Stack& s) {
  const auto layout = assemble(stack(s)).value().volumes.at(0).layout;
  const VolumeGeometry g = layout.view();
  const Camera c = camera_for(Orientation::anterior, g);
  Vec3 half{};
  for (const Vec3& p : corners_of(g).point) {
    half.x = std::max(half.x, std::abs(p.x - c.look_at_mm.x));
    half.y = std::max(half.y, std::abs(p.y - c.look_at_mm.y));
    half.z = std::max(half.z, std::abs(p.z - c.look_at_mm.z));
  }
  return {filled<std::uint8_t>(
              layout, VoxelType::uint8,
              [&](auto i, auto j, auto k) { return zone_at(position_of(g, i, j, k), c.look_at_mm, half); }),
          c.look_at_mm};
}

struct Edges {
  int left, right, top, bottom;
};

Edges edges(const Marked& m, Orientation o) {
  const VolumeView v = m.volume.view();
  const Plane p = plane_for(camera_for(o, v.geometry), v.geometry, {101, 101}).value();
  std::vector<float> out(101 * 101);
  EXPECT_TRUE(sample_plane(v, p, {}, -1, out));
  // From the middle outwards to the last pixel that is inside.
  auto last = [&](int dx, int dy) {
    int value = -1;
    for (int n = 0; n <= 50; ++n) {
      const float x = out[static_cast<std::size_t>((50 + n * dy) * 101 + 50 + n * dx)];
      if (x >= 0) value = static_cast<int>(std::lround(x));
    }
    return value;
  };
  return {last(-1, 0), last(1, 0), last(0, -1), last(0, 1)};
}

void expect_conventions(const Stack& s) {
  const Marked m = marked(s);
  const Edges a = edges(m, Orientation::anterior), p = edges(m, Orientation::posterior),
              r = edges(m, Orientation::right), l = edges(m, Orientation::left), h = edges(m, Orientation::head),
              f = edges(m, Orientation::feet);
  auto check = [](const char* name, Edges e, int left, int right, int top, int bottom) {
    EXPECT_EQ(e.left, left) << name;
    EXPECT_EQ(e.right, right) << name;
    EXPECT_EQ(e.top, top) << name;
    EXPECT_EQ(e.bottom, bottom) << name;
  };
  check("a", a, kRight, kLeft, kHead, kFeet);
  check("p", p, kLeft, kRight, kHead, kFeet);
  check("r", r, kBack, kFront, kHead, kFeet);
  check("l", l, kFront, kBack, kHead, kFeet);
  check("h", h, kLeft, kRight, kFront, kBack);
  check("f", f, kRight, kLeft, kFront, kBack);
}

Stack cube() {
  Stack s;
  s.columns = s.rows = 40;
  s.slices = 40;
  s.column_spacing = s.row_spacing = 1;
  s.step = {0, 0, 1};
  return s;
}

TEST(View, ConventionsHoldForAxialSlices) {
  expect_conventions(cube());
}

TEST(View, ConventionsHoldForSagittalSlicesThatRunFromLeftToRight) {
  Stack s = cube();
  s.row = {0, 1, 0};
  s.column = {0, 0, -1};
  s.step = {-1, 0, 0};
  expect_conventions(s);
}

TEST(View, ConventionsHoldForCoronalSlicesAndForFeetFirstAxialOnes) {
  Stack s = cube();
  s.column = {0, 0, -1};
  s.step = {0, 1, 0};
  expect_conventions(s);
  s = cube();
  s.row = {-1, 0, 0};
  s.step = {0, 0, -1};
  expect_conventions(s);
}

TEST(View, AspectIsTrueAndTheRestIsBackground) {
  Stack s;
  s.columns = 50;
  s.rows = 40;
  s.column_spacing = 2;  // 100 mm wide
  s.row_spacing = 1;     // 40 mm deep
  s.step = {0, 0, 10};
  s.slices = 20;  // 200 mm tall
  const auto layout = assemble(stack(s)).value().volumes.at(0).layout;
  const Volume volume = filled<std::uint8_t>(layout, VoxelType::uint8, [](auto, auto, auto) { return 9; });
  const VolumeGeometry g = layout.view();
  const Plane p = plane_for(camera_for(Orientation::anterior, g), g, {400, 400}).value();
  std::vector<float> out(400 * 400);
  ASSERT_TRUE(sample_plane(volume.view(), p, {}, 0, out));
  std::size_t row = 0, column = 0;
  for (std::size_t n = 0; n < 400; ++n) {
    row += out[200 * 400 + n] == 9;
    column += out[n * 400 + 200] == 9;
  }
  EXPECT_EQ(row, 200u);  // 100 mm of 200 mm
  EXPECT_EQ(column, 400u);
  EXPECT_EQ(out[200 * 400 + 99], 0);
  EXPECT_EQ(out[200 * 400 + 100], 9);
}

TEST(View, NaturalViewportMeetsTheVoxels) {
  Stack s;
  const auto layout = assemble(stack(s)).value().volumes.at(0).layout;
  const VolumeGeometry g = layout.view();
  const Camera c = camera_for(Orientation::feet, g);
  const Viewport v = natural_viewport(c, g).value();
  EXPECT_EQ(v.height, s.rows);  // row spacing is the finest
  EXPECT_EQ(v.width, static_cast<std::uint32_t>(std::ceil(s.columns * s.column_spacing / s.row_spacing - 1e-6)));
  EXPECT_LE(natural_viewport(c, g, 8).value().width, 8u);
}

TEST(View, DegenerateCamerasAreRefused) {
  const auto layout = assemble(stack({})).value().volumes.at(0).layout;
  const VolumeGeometry g = layout.view();
  const Camera good = camera_for(Orientation::anterior, g);
  auto error = [&](Camera c) { return plane_for(c, g, {10, 10}).error(); };
  Camera c = good;
  c.up = {};
  EXPECT_TRUE(error(c) == Errc::malformed);
  c = good;
  c.up = c.look_at_mm - c.position_mm;
  EXPECT_TRUE(error(c) == Errc::malformed);
  c = good;
  c.position_mm = c.look_at_mm;
  EXPECT_TRUE(error(c) == Errc::malformed);
  c = good;
  c.look_at_mm.x = std::nan("");
  EXPECT_TRUE(error(c) == Errc::malformed);
  EXPECT_TRUE(plane_for(good, g, {0, 10}).error() == Errc::malformed);
  EXPECT_TRUE(plane_for(good, g, {100000, 10}).error() == Errc::limit_exceeded);
  EXPECT_FALSE(parse_orientation("x"));
  EXPECT_FALSE(parse_orientation(""));
  EXPECT_EQ(parse_orientation("f").value(), Orientation::feet);
}

// The camera of an orientation, asked for as a viewpoint, gives the same plane.
TEST(View, ViewpointAndOrientationAgree) {
  const auto layout = assemble(stack({})).value().volumes.at(0).layout;
  const VolumeGeometry g = layout.view();
  const Camera c = camera_for(Orientation::left, g);
  const Camera again{c.look_at_mm + (c.position_mm - c.look_at_mm) * 0.25, c.look_at_mm, c.up * 7};
  const Plane a = plane_for(c, g, {64, 48}).value(), b = plane_for(again, g, {64, 48}).value();
  EXPECT_LT(norm(a.origin_mm - b.origin_mm), 1e-9);
  EXPECT_LT(norm(a.right_mm - b.right_mm), 1e-12);
  EXPECT_LT(norm(a.down_mm - b.down_mm), 1e-12);
}

}  // namespace
}  // namespace cairn::recon
