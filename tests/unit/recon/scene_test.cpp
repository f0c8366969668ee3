// 3D against a slow float64 reference; that nothing that makes it fast changes a byte; and that it looks where it
// should.
#include "recon/scene.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "instruction_sets.h"
#include "phantom.h"

namespace cairn::recon {
namespace {
using test::filled;
using test::reference_value;
using test::Stack;
using test::stack;

VolumeLayout layout_of(Stack s, bool uneven = false) {
  auto frames = stack(s);
  if (uneven) {
    for (std::size_t k = 0; k < frames.size(); ++k) frames[k].position_mm->z += k % 3 == 1 ? 0.4 : 0;
  }
  return assemble(frames).value().volumes.at(0).layout;
}

// A ball of 300 with a shell of 900 in -1000, off the middle.
Volume ball(const VolumeLayout& layout) {
  const VolumeGeometry g = layout.view();
  const Vec3 middle = position_of(g, g.columns * 0.55, g.rows * 0.45, g.slices / 2);
  return filled<std::int16_t>(layout, VoxelType::int16, [&](auto i, auto j, auto k) {
    const double r = norm(position_of(g, i, j, k) - middle);
    return r < 9 ? 300.0 + 5 * (i % 3) : r < 11 ? 900.0 : -1000.0;
  });
}

Stack roomy() {
  Stack s;
  s.columns = 61;
  s.rows = 57;
  s.slices = 40;
  s.step = {0.2, -0.1, 0.9};
  return s;
}

TransferFunction function(bool shaded) {
  return {{{0, .9, .2, .1, 0}, {250, .9, .3, .1, .05}, {600, .2, .9, .3, .3}, {1000, 1, 1, 1, .6}}, shaded};
}

Scene scene_of(const VolumeGeometry& g, Look look, Vec3 from = {0.4, -1, 0.3}) {
  Scene s;
  s.camera = camera_for(Orientation::anterior, g);
  const double distance = norm(s.camera.position_mm - s.camera.look_at_mm);
  s.camera.position_mm = s.camera.look_at_mm + normalized(from) * distance;
  s.viewport = {75, 66};
  s.look = look;
  s.transfer = function(false);
  return s;
}

Cells cells_of(const VolumeView& v) {
  Cells c = empty_cells(v.geometry);
  fill_cells(v, c, 0, c.slices);
  return c;
}

std::vector<std::uint8_t> painted(const SceneRenderer& r) {
  std::vector<std::uint8_t> rgb(std::size_t{3} * r.plane().width * r.plane().height);
  r.paint(0, rgb);
  return rgb;
}

std::vector<float> projected(const SceneRenderer& r) {
  std::vector<float> values(std::size_t{r.plane().width} * r.plane().height);
  r.project(0, values);
  return values;
}

// The places of one orthographic ray, from the definition in scene.h.
std::vector<Vec3> ray(const SceneRenderer& r, const Scene& s, const VolumeGeometry& g, std::uint32_t i,
                      std::uint32_t j) {
  const Vec3 view = normalized(s.camera.look_at_mm - s.camera.position_mm);
  double nearest = 1e9, farthest = -1e9;
  for (const Vec3& corner : corners_of(g).point) {
    nearest = std::min(nearest, dot(corner - s.camera.look_at_mm, view));
    farthest = std::max(farthest, dot(corner - s.camera.look_at_mm, view));
  }
  const Vec3 at = r.plane().origin_mm + r.plane().right_mm * i + r.plane().down_mm * j;
  std::vector<Vec3> places;
  for (double z = nearest + r.step_mm() / 2; z < farthest; z += r.step_mm()) places.push_back(at + view * z);
  return places;
}

double linear(const std::vector<TransferPoint>& points, double v, double TransferPoint::* m) {
  if (v <= points.front().value) return points.front().*m;
  for (std::size_t n = 1; n < points.size(); ++n) {
    if (v <= points[n].value) {
      const double f = (v - points[n - 1].value) / (points[n].value - points[n - 1].value);
      return points[n - 1].*m * (1 - f) + points[n].*m * f;
    }
  }
  return points.back().*m;
}

TEST(Scene, VolumeRenderingIsTheIntegralAlongTheRay) {
  const Volume volume = ball(layout_of(roomy()));
  const VolumeView v = volume.view();
  const Cells cells = cells_of(v);
  const Scene scene = scene_of(v.geometry, Look::volume);
  const auto renderer = SceneRenderer::of(v, scene, &cells).value();
  const auto rgb = painted(renderer);
  double worst = 0;
  int lit = 0;
  for (std::uint32_t j = 0; j < 66; j += 3) {
    for (std::uint32_t i = 0; i < 75; i += 3) {
      double through = 1, colour[3] = {};
      std::optional<double> before;
      for (const Vec3& place : ray(renderer, scene, v.geometry, i, j)) {
        const auto here = reference_value<std::int16_t>(v, place);
        if (here) {
          const double from = before.value_or(*here);
          constexpr int kParts = 200;  // the value changes linearly from sample to sample
          double depth = 0, sum[3] = {};
          for (int n = 0; n < kParts; ++n) {
            const double x = from + (*here - from) * (n + 0.5) / kParts;
            // Opacity is linear between points and turned into extinction there.
            const double extinction = -std::log1p(-linear(scene.transfer.points, x, &TransferPoint::opacity));
            depth += extinction / kParts;
            sum[0] += extinction / kParts * linear(scene.transfer.points, x, &TransferPoint::red);
            sum[1] += extinction / kParts * linear(scene.transfer.points, x, &TransferPoint::green);
            sum[2] += extinction / kParts * linear(scene.transfer.points, x, &TransferPoint::blue);
          }
          const double opacity = 1 - std::exp(-depth * renderer.step_mm());
          for (int c = 0; c < 3 && depth > 0; ++c) colour[c] += through * opacity * sum[c] / depth;
          through *= 1 - opacity;
        }
        before = here;
      }
      for (std::size_t c = 0; c < 3; ++c) {
        const double got = rgb[(std::size_t{j} * 75 + i) * 3 + c] / 255.0;
        worst = std::max(worst, std::abs(got - colour[c]));
        lit += got > 0.1;
      }
    }
  }
  EXPECT_GT(lit, 50);
  EXPECT_LE(worst, 2.0 / 255);
}

TEST(Scene, ProjectionsAreTheGreatestLeastAndMeanOfTheRay) {
  const Volume volume = ball(layout_of(roomy()));
  const VolumeView v = volume.view();
  const Cells cells = cells_of(v);
  for (const Look look : {Look::maximum, Look::minimum, Look::mean}) {
    const Scene scene = scene_of(v.geometry, look);
    const auto renderer = SceneRenderer::of(v, scene, &cells).value();
    const auto got = projected(renderer);
    int met = 0;
    for (std::uint32_t j = 0; j < 66; j += 2) {
      for (std::uint32_t i = 0; i < 75; i += 2) {
        double most = -1e9, least = 1e9, sum = 0;
        int count = 0;
        for (const Vec3& place : ray(renderer, scene, v.geometry, i, j)) {
          const auto here = reference_value<std::int16_t>(v, place);
          if (!here) continue;
          most = std::max(most, *here);
          least = std::min(least, *here);
          sum += *here;
          ++count;
        }
        const double x = double{got[std::size_t{j} * 75 + i]};
        if (count < 2) continue;  // a ray that touches an edge
        ++met;
        ASSERT_NEAR(x,
                    look == Look::maximum   ? most
                    : look == Look::minimum ? least
                                            : sum / count,
                    0.02)
            << i << ' ' << j;
      }
    }
    EXPECT_GT(met, 500);
  }
}

TEST(Scene, JumpingOverWhatIsEmptyChangesNoByte) {
  for (const bool perspective : {false, true}) {
    for (const Stack& s : {roomy(), Stack{}}) {
      const Volume volume = ball(layout_of(s));
      const VolumeView v = volume.view();
      const Cells cells = cells_of(v);
      std::mt19937 random(4);
      std::uniform_real_distribution<double> u(-1, 1);
      for (int n = 0; n < 6; ++n) {
        Scene scene = scene_of(v.geometry, Look::volume, {u(random), u(random), 0.2 * u(random)});
        scene.perspective = perspective;
        scene.transfer = function(n % 2 == 0);
        EXPECT_EQ(painted(SceneRenderer::of(v, scene, &cells).value()),
                  painted(SceneRenderer::of(v, scene, nullptr).value()));
        for (const Look look : {Look::maximum, Look::minimum}) {
          scene.look = look;
          const auto a = projected(SceneRenderer::of(v, scene, &cells).value());
          const auto b = projected(SceneRenderer::of(v, scene, nullptr).value());
          EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
        }
      }
    }
  }
}

TEST(Scene, EveryInstructionSetAndSharingGivesTheSameBytes) {
  const Volume volume = ball(layout_of(roomy()));
  const VolumeView v = volume.view();
  const Cells cells = cells_of(v);
  Scene scene = scene_of(v.geometry, Look::volume);
  scene.transfer = function(true);
  scene.perspective = true;
  const auto renderer = SceneRenderer::of(v, scene, &cells).value();
  const auto whole = painted(renderer);
  EXPECT_GT(std::ranges::count_if(whole, [](auto x) { return x > 100; }), 100);
  for_each_instruction_set(
      [&](const std::string& name) { EXPECT_EQ(painted(SceneRenderer::of(v, scene, &cells).value()), whole) << name; });
  std::vector<std::uint8_t> parts(whole.size());
  const std::size_t row = std::size_t{3} * 75;
  for (std::uint32_t first = 0; first < 66; first += 7)
    renderer.paint(first, std::span(parts).subspan(row * first, row * std::min(7u, 66 - first)));
  EXPECT_EQ(parts, whole);
}

TEST(Scene, OpacityIsPerMillimetreWhateverTheStep) {
  for (const double slice : {0.5, 2.0}) {
    Stack s;
    s.columns = s.rows = 40;
    s.column_spacing = s.row_spacing = slice;
    s.slices = 11;
    s.step = {0, 0, slice};
    const Volume volume = filled<std::int16_t>(layout_of(s), VoxelType::int16, [](auto, auto, auto) { return 500; });
    const VolumeView v = volume.view();
    Scene scene = scene_of(v.geometry, Look::volume, {0, 0, -1});
    scene.camera.up = {0, -1, 0};
    scene.transfer = {{{499, 1, 1, 1, .04}, {501, 1, 1, 1, .04}}, false};
    const auto rgb = painted(SceneRenderer::of(v, scene, nullptr).value());
    const double through_mm = 11 * slice;
    EXPECT_NEAR(rgb[(33 * 75 + 37) * 3], 255 * (1 - std::pow(0.96, through_mm)), 4);
  }
}

// A mark at the patient's left and head, seen from the front, is to the right and at the top.
TEST(Scene, LeftIsOnTheRightSeenFromTheFrontAndHeadIsUp) {
  const auto layout = layout_of(roomy());
  const Volume volume = filled<std::int16_t>(layout, VoxelType::int16, [](auto i, auto, auto k) {
    return i > 45 && k > 30 ? 1000 : -1000;  // row direction is +x, to the left; slices go to the head
  });
  const VolumeView v = volume.view();
  for (const bool perspective : {false, true}) {
    Scene scene = scene_of(v.geometry, Look::volume, {0, -1, 0});
    scene.perspective = perspective;
    const auto rgb = painted(SceneRenderer::of(v, scene, nullptr).value());
    double x = 0, y = 0, weight = 0;
    for (std::uint32_t j = 0; j < 66; ++j) {
      for (std::uint32_t i = 0; i < 75; ++i) {
        const double w = rgb[(std::size_t{j} * 75 + i) * 3];
        x += w * i;
        y += w * j;
        weight += w;
      }
    }
    ASSERT_GT(weight, 1000);
    EXPECT_GT(x / weight, 45);
    EXPECT_LT(y / weight, 25);
  }
}

TEST(Scene, CropShowsOnlyWhatIsInTheBox) {
  const Volume volume =
      filled<std::int16_t>(layout_of(roomy()), VoxelType::int16, [](auto, auto, auto) { return 1000; });
  const VolumeView v = volume.view();
  Scene scene = scene_of(v.geometry, Look::volume, {0, -1, 0});
  const auto all = painted(SceneRenderer::of(v, scene, nullptr).value());
  const Vec3 middle = scene.camera.look_at_mm;
  scene.crop = Box{{middle.x, -1e3, -1e3}, {1e3, 1e3, 1e3}};  // the left half, on the right of the picture
  const auto half = painted(SceneRenderer::of(v, scene, nullptr).value());
  for (std::uint32_t i = 0; i < 75; ++i) {
    const std::size_t at = (33 * 75 + i) * 3;
    if (i < 37) EXPECT_EQ(half[at], 0) << i;
    if (i > 38) EXPECT_EQ(half[at], all[at]) << i;
  }
  scene.crop = Box{{1, 0, 0}, {0, 1, 1}};
  EXPECT_TRUE(SceneRenderer::of(v, scene, nullptr).error() == Errc::malformed);
}

TEST(Scene, UnevenStacksAndPaddingAreSeenAsTheyAre) {
  const Volume even = ball(layout_of(roomy())), uneven = ball(layout_of(roomy(), true));
  ASSERT_EQ(uneven.layout().affine.kind, GeometryClass::per_slice);
  const Scene scene = scene_of(even.view().geometry, Look::maximum);
  const auto a = projected(SceneRenderer::of(even.view(), scene, nullptr).value());
  const auto b = projected(SceneRenderer::of(uneven.view(), scene, nullptr).value());
  const auto greatest = [](const std::vector<float>& values) {
    float most = -1e9f;
    for (const float x : values) most = x > most ? x : most;
    return most;
  };
  EXPECT_GT(greatest(a), 700);
  EXPECT_NEAR(greatest(a), greatest(b), 50);
  Volume padded = ball(layout_of(roomy()));
  padded.set_padding(-1000, -1000);
  const Cells cells = cells_of(padded.view());
  for (const float x :
       projected(SceneRenderer::of(padded.view(), scene_of(even.view().geometry, Look::minimum), &cells).value()))
    ASSERT_TRUE(x != x || x >= 300);
}

TEST(Scene, EyesInsideBehindAndNowhere) {
  const Volume volume = ball(layout_of(roomy()));
  const VolumeView v = volume.view();
  Scene scene = scene_of(v.geometry, Look::volume);
  scene.perspective = true;
  scene.camera.position_mm = scene.camera.look_at_mm + Vec3{0, -3, 0};
  EXPECT_TRUE(SceneRenderer::of(v, scene, nullptr));
  scene.camera.look_at_mm = scene.camera.look_at_mm + Vec3{0, -900, 0};
  scene.camera.position_mm = scene.camera.look_at_mm + Vec3{0, 10, 0};
  EXPECT_TRUE(SceneRenderer::of(v, scene, nullptr).error() == Errc::malformed);
  scene.camera.look_at_mm = camera_for(Orientation::anterior, v.geometry).look_at_mm;
  for (const double far : {1e7, 1e20, 1e100}) {
    scene.camera.position_mm = scene.camera.look_at_mm + Vec3{0, -far, 0};
    EXPECT_TRUE(SceneRenderer::of(v, scene, nullptr).error() == Errc::limit_exceeded) << far;
  }
  scene.camera.position_mm.x = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(SceneRenderer::of(v, scene, nullptr));
  std::mt19937 random(6);
  std::uniform_real_distribution<double> u(-1, 1);
  const Cells cells = cells_of(v);
  for (int n = 0; n < 60; ++n) {  // anywhere, from a hair's breadth to far away
    Scene any = scene_of(v.geometry, n % 2 ? Look::volume : Look::maximum);
    any.perspective = n % 3 != 0;
    any.viewport = {static_cast<std::uint32_t>(1 + n % 40), static_cast<std::uint32_t>(1 + n % 7)};
    any.camera.position_mm =
        any.camera.look_at_mm + Vec3{u(random), u(random), u(random)} * std::pow(10.0, 4 * u(random));
    const auto renderer = SceneRenderer::of(v, any, &cells);
    if (!renderer) continue;
    if (any.look == Look::volume)
      painted(renderer.value());
    else
      projected(renderer.value());
  }
}

TEST(Transfer, PresetsAreSoundAndBadFunctionsAreRefused) {
  for (const std::string_view name : kPresets)
    EXPECT_TRUE(TransferTable::of(transfer_preset(name, 10, 500).value())) << name;
  EXPECT_FALSE(transfer_preset("x-ray", 0, 1));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(TransferTable::of({{{0, 0, 0, 0, 0}}, true}));
  EXPECT_FALSE(TransferTable::of({{{0, 0, 0, 0, 0}, {0, 1, 1, 1, .5}}, true}));
  EXPECT_FALSE(TransferTable::of({{{0, 0, 0, 0, 0}, {1, 1, 1, 1, 1}}, true}));
  EXPECT_FALSE(TransferTable::of({{{nan, 0, 0, 0, 0}, {1, 1, 1, 1, .5}}, true}));
  EXPECT_FALSE(TransferTable::of({{{0, 0, 0, 0, nan}, {1, 1, 1, 1, .5}}, true}));
}

TEST(Cells, DistanceIsThatOfTheNearestVisibleCell) {
  Cells c{7, 5, 6, {}, {}};
  c.low.assign(210, -1000);
  c.high.assign(210, -900);
  c.high[c.at(5, 1, 4)] = c.high[c.at(0, 4, 0)] = 500;
  const auto table = TransferTable::of(function(false)).value();
  const auto d = distance_to_visible(c, table);
  for (std::uint32_t z = 0; z < 6; ++z) {
    for (std::uint32_t y = 0; y < 5; ++y) {
      for (std::uint32_t x = 0; x < 7; ++x) {
        const auto far = [&](int a, int b, int e) {
          return std::max({std::abs(int(x) - a), std::abs(int(y) - b), std::abs(int(z) - e)});
        };
        EXPECT_EQ(d[c.at(x, y, z)], std::min(far(5, 1, 4), far(0, 4, 0)));
      }
    }
  }
}

}  // namespace
}  // namespace cairn::recon
