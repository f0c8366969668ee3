#include "recon/plane.h"

#include <random>

#include <gtest/gtest.h>

#include "phantom.h"
#include "recon/cpu/row_kernel.h"

namespace cairn::recon {
namespace {
using test::filled;
using test::reference_value;
using test::Stack;
using test::stack;

constexpr float kOutside = -1024;

VolumeLayout layout_of(const Stack& s) {
  return assemble(stack(s)).value().volumes.at(0).layout;
}

Plane random_plane(std::mt19937& random, const VolumeGeometry& g, std::uint32_t width, std::uint32_t height) {
  std::uniform_real_distribution<double> u(-1, 1);
  const Vec3 middle = position_of(g, g.columns / 2.0, g.rows / 2.0, static_cast<double>(g.slices / 2));
  const Vec3 right = normalized({u(random), u(random), u(random)});
  const Vec3 down = normalized(cross(right, {u(random), u(random), u(random)}));
  Plane p;
  p.width = width;
  p.height = height;
  p.right_mm = right * (0.4 + 0.3 * u(random));
  p.down_mm = down * (0.4 + 0.3 * u(random));
  p.origin_mm =
      middle - p.right_mm * (width / 2.0) - p.down_mm * (height / 2.0) + Vec3{u(random), u(random), u(random)} * 3;
  return p;
}

Vec3 pixel_position(const Plane& p, std::uint32_t i, std::uint32_t j) {
  return p.origin_mm + p.right_mm * i + p.down_mm * j;
}

std::vector<float> sampled(const VolumeView& v, const Plane& p, Slab slab = {}) {
  std::vector<float> out(std::size_t{p.width} * p.height);
  EXPECT_TRUE(sample_plane(v, p, slab, kOutside, out));
  return out;
}

// Inside and outside may differ only within `slack_mm` of the border; elsewhere values agree.
template <class T>
void expect_matches_reference(const VolumeView& v, const Plane& p, double tolerance) {
  const auto out = sampled(v, p);
  std::size_t inside = 0, border = 0;
  for (std::uint32_t j = 0; j < p.height; ++j) {
    for (std::uint32_t i = 0; i < p.width; ++i) {
      const auto want = reference_value<T>(v, pixel_position(p, i, j));
      const float got = out[std::size_t{j} * p.width + i];
      if (!want) {
        border += got != kOutside;
        continue;
      }
      ++inside;
      ASSERT_NEAR(got, *want, tolerance) << i << "," << j;
    }
  }
  EXPECT_GT(inside, 100u);
  EXPECT_LE(border, 2u);  // pixels within 2^-17 voxel of the border
}

double ramp(Vec3 p) {
  return 3 * p.x - 2 * p.y + 5 * p.z + 7;
}

// float voxels of a linear function of the patient position.
Volume ramp_volume(const VolumeLayout& layout) {
  const VolumeGeometry g = layout.view();
  return filled<float>(layout, VoxelType::float32,
                       [&](auto i, auto j, auto k) { return ramp(position_of(g, i, j, k)); });
}

void expect_ramp(const Volume& volume) {
  const VolumeView v = volume.view();
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const Plane p = random_plane(random, v.geometry, 90, 70);
    const auto out = sampled(v, p);
    std::size_t inside = 0;
    for (std::uint32_t j = 0; j < p.height; ++j) {
      for (std::uint32_t i = 0; i < p.width; ++i) {
        const float got = out[std::size_t{j} * p.width + i];
        if (got == kOutside) continue;
        const Vec3 at = pixel_position(p, i, j);
        const Vec3 d = at - v.geometry.origin_mm;
        const double z = dot(v.geometry.to_index[2], d), x = dot(v.geometry.to_index[0], d),
                     y = dot(v.geometry.to_index[1], d);
        // The outer half voxel repeats the edge, so a ramp ends there.
        const double z_end = v.geometry.kind == GeometryClass::per_slice ? v.geometry.depth_mm[v.geometry.slices - 1]
                                                                         : v.geometry.slices - 1.0;
        if (x < 3 || y < 3 || z < 0 || x > v.geometry.columns - 4 || y > v.geometry.rows - 4 || z > z_end) continue;
        ++inside;
        ASSERT_NEAR(got, ramp(at), 2e-3) << seed;
      }
    }
    EXPECT_GT(inside, 100u) << seed;
  }
}

TEST(Plane, LinearRampIsReproducedExactlyInAnOrthogonalVolume) {
  expect_ramp(ramp_volume(layout_of({})));
}

TEST(Plane, LinearRampIsReproducedExactlyInATiltedVolume) {
  Stack s;
  s.column = {0, std::cos(0.3), -std::sin(0.3)};
  const auto layout = layout_of(s);
  ASSERT_EQ(layout.affine.kind, GeometryClass::sheared);
  expect_ramp(ramp_volume(layout));
}

TEST(Plane, LinearRampIsReproducedExactlyAcrossGapsAndDrift) {
  auto frames = stack({});
  frames.erase(frames.begin() + 5);
  frames[2].position_mm->x += 1.1;
  frames[3].position_mm->z += 0.9;
  const auto layout = assemble(frames).value().volumes.at(0).layout;
  ASSERT_EQ(layout.affine.kind, GeometryClass::per_slice);
  expect_ramp(ramp_volume(layout));
}

template <class T>
void random_planes_match(VoxelType type, double low, double high, double tolerance) {
  std::mt19937 random(42);
  Stack s;
  s.step = {0.4, 0.1, 1.3};
  s.slices = 25;
  std::uniform_real_distribution<double> u(low, high);
  Volume volume = filled<T>(layout_of(s), type, [&](auto, auto, auto) { return std::floor(u(random)); });
  for (std::uint32_t k = 0; k < s.slices; ++k) volume.set_rescale(k, 0.5 + 0.01 * k, -3.0 * k);
  const VolumeView v = volume.view();
  for (int n = 0; n < 10; ++n) expect_matches_reference<T>(v, random_plane(random, v.geometry, 83, 61), tolerance);
}

TEST(PlaneProperty, EveryVoxelTypeMatchesTheReference) {
  random_planes_match<std::uint8_t>(VoxelType::uint8, 0, 256, 1e-3);
  random_planes_match<std::int8_t>(VoxelType::int8, -128, 128, 1e-3);
  random_planes_match<std::uint16_t>(VoxelType::uint16, 0, 65536, 0.2);
  random_planes_match<std::int16_t>(VoxelType::int16, -1024, 3072, 1e-2);
  random_planes_match<std::int32_t>(VoxelType::int32, -100000, 100000, 0.5);
  random_planes_match<float>(VoxelType::float32, -1000, 1000, 1e-2);
}

TEST(PlaneProperty, PerSliceVolumeMatchesTheReference) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> u(-1, 1);
  Stack s;
  s.slices = 25;
  auto frames = stack(s);
  for (auto& f : frames) f.position_mm = *f.position_mm + Vec3{u(random), u(random), u(random)};
  frames.erase(frames.begin() + 10, frames.begin() + 13);
  const auto layout = assemble(frames).value().volumes.at(0).layout;
  Volume volume =
      filled<std::int16_t>(layout, VoxelType::int16, [&](auto, auto, auto) { return std::floor(u(random) * 2000); });
  volume.set_rescale(4, 0.25, 17);
  const VolumeView v = volume.view();
  for (int n = 0; n < 20; ++n)
    expect_matches_reference<std::int16_t>(v, random_plane(random, v.geometry, 83, 61), 5e-3);
}

// Standard planes, whose rows stay at one depth, through stacks with gaps and with drift: the same answers as pixel by
// pixel.
TEST(PlaneProperty, LevelRowsOfPerSliceVolumesMatchTheReference) {
  std::mt19937 random(6);
  std::uniform_real_distribution<double> u(-1, 1);
  for (const bool drift : {false, true}) {
    Stack s;
    s.slices = 25;
    auto frames = stack(s);
    for (auto& f : frames)
      *f.position_mm = *f.position_mm + Vec3{drift ? u(random) : 0, drift ? u(random) : 0, u(random)};
    frames.erase(frames.begin() + 10, frames.begin() + 13);
    const auto layout = assemble(frames).value().volumes.at(0).layout;
    ASSERT_EQ(layout.affine.kind, GeometryClass::per_slice);
    Volume volume =
        filled<std::int16_t>(layout, VoxelType::int16, [&](auto, auto, auto) { return std::floor(u(random) * 2000); });
    volume.set_rescale(4, 0.25, 17);
    const VolumeView v = volume.view();
    for (int n = 0; n < 20; ++n) {
      Plane p = random_plane(random, v.geometry, 83, 61);
      p.right_mm.z = 0;
      ASSERT_TRUE(cpu::is_level(v, index_plane(v.geometry, p, {})));
      expect_matches_reference<std::int16_t>(v, p, 5e-3);
    }
    Plane on_slice{position_of(v.geometry, 0, 0, 7), {0.8, 0, 0}, {0, 0.6, 0}, 23, 17};
    expect_matches_reference<std::int16_t>(v, on_slice, 1e-6);
  }
}

// The accuracy that the product states: CT edges, many planes, at most 0.003 HU.
TEST(PlaneProperty, CTValuesAreWithinThreeThousandthsOfAHounsfieldUnit) {
  std::mt19937 random(11);
  Stack s;
  s.columns = 160;
  s.rows = 150;
  s.slices = 90;
  s.step = {0, 0, 1.0};
  s.column_spacing = s.row_spacing = 0.7;
  Volume volume = filled<std::int16_t>(layout_of(s), VoxelType::int16,
                                       [&](auto, auto, auto) { return random() % 2 ? 3071.0 : -829.0; });
  const VolumeView v = volume.view();
  double worst = 0;
  for (int n = 0; n < 15; ++n) {
    const Plane p = random_plane(random, v.geometry, 256, 200);
    const auto out = sampled(v, p);
    for (std::uint32_t j = 0; j < p.height; ++j) {
      for (std::uint32_t i = 0; i < p.width; ++i) {
        const auto want = reference_value<std::int16_t>(v, pixel_position(p, i, j));
        if (want) worst = std::max(worst, std::abs(out[std::size_t{j} * p.width + i] - *want));
      }
    }
  }
  EXPECT_LT(worst, 0.003);
  RecordProperty("worst_hu", std::to_string(worst));
}

template <class T>
void vector_equals_scalar(VoxelType type, bool same_rescale) {
  std::mt19937 random(3);
  Stack s;
  s.columns = 61;
  s.rows = 53;
  s.slices = 37;
  s.step = {0.2, -0.3, 1.1};
  std::uniform_real_distribution<double> u(std::is_signed_v<T> ? -120 : 0, 120);
  Volume volume = filled<T>(layout_of(s), type, [&](auto, auto, auto) {
    return std::is_same_v<T, float> ? u(random) : std::floor(u(random));
  });
  for (std::uint32_t k = 0; k < s.slices; ++k) {
    volume.set_rescale(k, same_rescale ? 0.7 : 1 + 0.003 * k, same_rescale ? -1024.0 : -1024.0 + k);
  }
  const VolumeView v = volume.view();
  ASSERT_EQ(v.same_rescale, same_rescale);
  for (int n = 0; n < 25; ++n) {
    const Plane p = random_plane(random, v.geometry, 131, 77);
    const IndexPlane q = index_plane(v.geometry, p, {});
    const cpu::RowKernel kernel = cpu::choose_affine_row(v, q);
    ASSERT_NE(kernel, &cpu::affine_row_scalar);
    for (std::uint32_t row = 0; row < p.height; ++row) {
      std::vector<float> a(p.width, kOutside), b(p.width, kOutside);
      const cpu::RowSpan span = cpu::clip_row(v.geometry, q, row, p.width);
      kernel(v, q, row, span, kOutside, a.data());
      cpu::affine_row_scalar(v, q, row, span, kOutside, b.data());
      ASSERT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << "plane " << n << " row " << row;
    }
  }
}

TEST(Plane, VectorAndScalarAgreeBitForBit) {
  for (bool same_rescale : {true, false}) {
    vector_equals_scalar<std::uint8_t>(VoxelType::uint8, same_rescale);
    vector_equals_scalar<std::int8_t>(VoxelType::int8, same_rescale);
    vector_equals_scalar<std::uint16_t>(VoxelType::uint16, same_rescale);
    vector_equals_scalar<std::int16_t>(VoxelType::int16, same_rescale);
    vector_equals_scalar<std::int32_t>(VoxelType::int32, same_rescale);
    vector_equals_scalar<float>(VoxelType::float32, same_rescale);
  }
}

TEST(Plane, RowsSharedOutGiveTheSameBytes) {
  std::mt19937 random(9);
  const Volume volume = ramp_volume(layout_of({}));
  const Plane p = random_plane(random, volume.view().geometry, 120, 64);
  for (const Slab slab : {Slab{}, Slab{5, Projection::mean}}) {
    const auto whole = sampled(volume.view(), p, slab);
    std::vector<float> parts(whole.size());
    for (std::uint32_t row = 0; row < p.height; row += 7) {
      const std::uint32_t rows = std::min(7u, p.height - row);
      sample_rows(volume.view(), p, slab, kOutside, row,
                  std::span(parts).subspan(std::size_t{row} * p.width, std::size_t{rows} * p.width));
    }
    EXPECT_EQ(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)), 0);
  }
}

Plane along_slices(const VolumeGeometry& g, Vec3 right, Vec3 down, std::uint32_t width, std::uint32_t height) {
  return {g.origin_mm, right, down, width, height};
}

TEST(Plane, HalfAVoxelBeyondTheCentresIsInsideAndNoMore) {
  const auto layout = layout_of({});
  const Volume volume = filled<std::int16_t>(layout, VoxelType::int16, [](auto, auto, auto) { return 100; });
  const VolumeGeometry g = layout.view();
  Plane p =
      along_slices(g, g.row_direction * (g.column_spacing_mm * 0.25), g.column_direction * g.row_spacing_mm, 8, 1);
  p.origin_mm = p.origin_mm - g.row_direction * (g.column_spacing_mm * 1.0);
  const auto out = sampled(volume.view(), p);
  const std::vector<float> want{kOutside, kOutside, 100, 100, 100, 100, 100, 100};  // -1, -0.75, -0.5, …
  EXPECT_EQ(out, want);
}

TEST(Plane, RescaleAppliesPerSliceBeforeMixing) {
  const auto layout = layout_of({});
  Volume volume = filled<std::int16_t>(layout, VoxelType::int16, [](auto, auto, auto) { return 10; });
  volume.set_rescale(0, 1, 0);
  volume.set_rescale(1, 3, 100);
  const VolumeGeometry g = layout.view();
  const Plane p = along_slices(g, g.slice_step_mm * 0.5, g.column_direction, 3, 1);
  const auto out = sampled(volume.view(), p);
  EXPECT_FLOAT_EQ(out[0], 10);
  EXPECT_FLOAT_EQ(out[1], 70);
  EXPECT_FLOAT_EQ(out[2], 130);
}

TEST(Plane, PaddingNeverEntersAValue) {
  const auto layout = layout_of({});
  Volume volume =
      filled<std::int16_t>(layout, VoxelType::int16, [](auto i, auto, auto) { return i < 10 ? -2000 : 50; });
  volume.set_padding(-2000, -2000);
  const VolumeGeometry g = layout.view();
  Plane p = along_slices(g, g.row_direction * (g.column_spacing_mm * 0.25), g.column_direction, 8, 1);
  p.origin_mm = position_of(g, 8.75, 3, 2);
  const auto out = sampled(volume.view(), p);  // 8.75 … 9.25 | 9.5 …
  const std::vector<float> want{kOutside, kOutside, kOutside, 50, 50, 50, 50, 50};
  EXPECT_EQ(out, want);
  EXPECT_EQ(sampled(volume.view(), p, {3, Projection::minimum})[4], 50);
}

// One marked slice per volume: a slab of full thickness T sees it exactly when it is within T / 2.
TEST(Slab, ThicknessIsFullAndCentred) {
  Stack s;
  s.slices = 21;
  s.step = {0, 0, 1};
  const auto layout = layout_of(s);
  const VolumeGeometry g = layout.view();
  for (std::uint32_t marked = 0; marked < 21; ++marked) {
    const Volume volume =
        filled<std::int16_t>(layout, VoxelType::int16, [&](auto, auto, auto k) { return k == marked ? 1000 : 0; });
    Plane p{position_of(g, 5, 5, 10), g.row_direction, g.column_direction, 2, 2};
    const float seen = sampled(volume.view(), p, {6, Projection::maximum})[0];
    const double distance = std::abs(static_cast<double>(marked) - 10);
    EXPECT_EQ(seen > 0, distance < 4) << marked;  // a slice reaches one step by interpolation
    if (distance < 3) EXPECT_GT(seen, 600) << marked;
  }
}

TEST(Slab, MeanOfARampIsItsMiddle) {
  const auto layout = layout_of({});
  const Volume volume = ramp_volume(layout);
  const VolumeGeometry g = layout.view();
  const Vec3 at = position_of(g, 8, 7, 4);
  Plane p{at, g.row_direction, g.column_direction, 1, 1};
  EXPECT_NEAR(sampled(volume.view(), p, {7, Projection::mean})[0], ramp(at), 1e-3);
  EXPECT_NEAR(sampled(volume.view(), p, {0, Projection::mean})[0], ramp(at), 1e-3);
}

TEST(Plane, SingleSliceRowAndColumnVolumesAreSampled) {
  for (const auto& [columns, rows, slices] : {std::tuple{1u, 9u, 5u}, {9u, 1u, 5u}, {9u, 8u, 1u}, {1u, 1u, 1u}}) {
    Stack s;
    s.columns = columns;
    s.rows = rows;
    s.slices = slices;
    const Volume volume = filled<std::int16_t>(layout_of(s), VoxelType::int16, [](auto, auto, auto) { return 77; });
    const VolumeGeometry g = volume.view().geometry;
    Plane p{g.origin_mm, g.row_direction * 0.1, g.column_direction * 0.1, 3, 3};
    for (float x : sampled(volume.view(), p)) EXPECT_EQ(x, 77);
  }
}

TEST(Plane, BadRequestsAreRefused) {
  const Volume volume = ramp_volume(layout_of({}));
  const VolumeView v = volume.view();
  const Plane good{v.geometry.origin_mm, {1, 0, 0}, {0, 1, 0}, 4, 4};
  std::vector<float> out(16);
  EXPECT_TRUE(sample_plane(v, good, {}, 0, out));
  Plane p = good;
  p.width = 0;
  EXPECT_TRUE(sample_plane(v, p, {}, 0, out).error() == Errc::malformed);
  p = good;
  p.down_mm = p.right_mm;
  EXPECT_TRUE(sample_plane(v, p, {}, 0, out).error() == Errc::malformed);
  p = good;
  p.origin_mm.x = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(sample_plane(v, p, {}, 0, out).error() == Errc::malformed);
  p = good;
  p.height = 1u << 20;
  EXPECT_TRUE(sample_plane(v, p, {}, 0, out).error() == Errc::limit_exceeded);
  EXPECT_TRUE(sample_plane(v, good, {1e9}, 0, out).error() == Errc::limit_exceeded);
  EXPECT_TRUE(sample_plane(v, good, {-1}, 0, out).error() == Errc::malformed);
  EXPECT_TRUE(sample_plane(v, good, {}, 0, std::span(out).first(15)).error() == Errc::mismatch);
}

// Hostile but allowed planes: steps of thousands of voxels, planes that miss, planes edge-on.
TEST(PlaneProperty, ExtremePlanesNeitherCrashNorLie) {
  std::mt19937 random(77);
  std::uniform_real_distribution<double> u(-1, 1);
  const Volume volume = filled<std::int16_t>(layout_of({}), VoxelType::int16, [](auto, auto, auto) { return 5; });
  for (int n = 0; n < 500; ++n) {
    const double scale = std::pow(10.0, 6 * u(random) - 2);
    Plane p{Vec3{u(random), u(random), u(random)} * std::pow(10.0, 3 * u(random) + 2),
            Vec3{u(random), u(random), u(random)} * scale, Vec3{u(random), u(random), u(random)} * scale, 40, 20};
    std::vector<float> out(800);
    if (!sample_plane(volume.view(), p, {}, kOutside, out)) continue;
    for (float x : out) ASSERT_TRUE(x == 5 || x == kOutside);
  }
}

}  // namespace
}  // namespace cairn::recon
