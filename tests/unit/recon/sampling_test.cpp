// Nearest, cubic and slabs against a slow float64 reference written from the definitions, and the same bytes from every
// instruction set and every way of sharing rows out.
#include <map>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "instruction_sets.h"
#include "phantom.h"
#include "recon/cpu/row_kernel.h"

namespace cairn::recon {
namespace {
using test::filled;
using test::Stack;
using test::stack;

constexpr float kOutside = -3000;

enum Shape { kStraight, kSheared, kUneven, kDrifting };

VolumeLayout layout_of(Shape shape) {
  Stack s;
  s.columns = 31;
  s.rows = 27;
  s.slices = 21;
  if (shape == kSheared) s.step = {0.4, 0.3, 1.3};
  auto frames = stack(s);
  std::mt19937 random(8);
  std::uniform_real_distribution<double> u(-0.4, 0.4);
  for (auto& f : frames) {
    if (shape == kUneven) f.position_mm->z += u(random);
    if (shape == kDrifting) *f.position_mm = *f.position_mm + Vec3{u(random), u(random), u(random)};
  }
  if (shape >= kUneven) frames.erase(frames.begin() + 9, frames.begin() + 11);
  const auto layout = assemble(frames).value().volumes.at(0).layout;
  const GeometryClass want = shape == kStraight  ? GeometryClass::orthogonal
                             : shape == kSheared ? GeometryClass::sheared
                                                 : GeometryClass::per_slice;
  EXPECT_EQ(layout.affine.kind, want);
  return layout;
}

Volume noise_volume(Shape shape) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> u(-1000, 2000);
  Volume v = filled<std::int16_t>(layout_of(shape), VoxelType::int16, [&](auto, auto, auto) { return u(random); });
  for (std::uint32_t k = 0; k < v.layout().affine.slices; ++k) v.set_rescale(k, 1 + 0.01 * k, -20.0 + k);
  return v;
}

Plane random_plane(std::mt19937& random, const VolumeGeometry& g, Interpolation how) {
  std::uniform_real_distribution<double> u(-1, 1);
  Plane p;
  p.width = 75;
  p.height = 58;
  p.interpolation = how;
  p.right_mm = normalized({u(random), u(random), u(random)}) * (0.4 + 0.2 * u(random));
  p.down_mm = normalized(cross(p.right_mm, {u(random), u(random), u(random)})) * (0.4 + 0.2 * u(random));
  p.origin_mm = position_of(g, g.columns / 2.0, g.rows / 2.0, g.slices / 2) - p.right_mm * (p.width / 2.0) -
                p.down_mm * (p.height / 2.0);
  return p;
}

// Cubic Hermite through v1 and v2 with the slopes of the chords, in float64.
double hermite(const double (&at)[4], const double (&v)[4], double x) {
  const double h = at[2] - at[1], t = (x - at[1]) / h;
  const double m1 = (v[2] - v[0]) / (at[2] - at[0]), m2 = (v[3] - v[1]) / (at[3] - at[1]);
  return v[1] * (2 * t * t * t - 3 * t * t + 1) + h * m1 * (t * t * t - 2 * t * t + t) +
         v[2] * (3 * t * t - 2 * t * t * t) + h * m2 * (t * t * t - t * t);
}

// One place in the volume, however its slices lie: the enclosing slices' indices, and where the place is in each.
class Reference {
 public:
  explicit Reference(const VolumeView& v) : v_(v), g_(v.geometry) {}

  std::optional<double> value(Vec3 p, Interpolation how) const {
    const Vec3 d = p - g_.origin_mm;
    const double x = dot(g_.to_index[0], d), y = dot(g_.to_index[1], d), z = dot(g_.to_index[2], d);
    const int last = static_cast<int>(g_.slices) - 1;
    const double low = uneven() ? -g_.first_half_step_mm : -0.5;
    const double high = uneven() ? g_.depth_mm[last] + g_.last_half_step_mm : last + 0.5;
    if (z < low || z > high) return std::nullopt;
    const double held = std::clamp(z, place(0), place(last));
    int k = 0;
    while (k + 1 < last && place(k + 1) <= held) ++k;
    const double f = (held - place(k)) / (place(k + 1) - place(k));
    // A place on a slice needs only that slice.
    if ((f < 1 && !reaches(x, y, k)) || (f > 0 && !reaches(x, y, k + 1))) return std::nullopt;
    if (how == Interpolation::nearest) return in_slice(x, y, f >= 0.5 ? k + 1 : k, how);
    if (how == Interpolation::linear) return (1 - f) * in_slice(x, y, k, how) + f * in_slice(x, y, k + 1, how);
    const double step = place(k + 1) - place(k);
    const bool before = k > 0 && reaches(x, y, k - 1), after = k + 2 <= last && reaches(x, y, k + 2);
    const double at[4] = {before ? place(k - 1) : place(k) - step, place(k), place(k + 1),
                          after ? place(k + 2) : place(k + 1) + step};
    const double values[4] = {in_slice(x, y, before ? k - 1 : k, how), in_slice(x, y, k, how),
                              in_slice(x, y, k + 1, how), in_slice(x, y, after ? k + 2 : k + 1, how)};
    return hermite(at, values, held);
  }

 private:
  bool uneven() const { return g_.kind == GeometryClass::per_slice; }
  double place(int k) const { return uneven() ? g_.depth_mm[k] : k; }
  bool reaches(double x, double y, int k) const {
    if (uneven()) {
      x -= g_.column_offset[k];
      y -= g_.row_offset[k];
    }
    return x >= -0.5 && x <= g_.columns - 0.5 && y >= -0.5 && y <= g_.rows - 0.5;
  }
  double voxel(int i, int j, int k) const {
    i = std::clamp(i, 0, static_cast<int>(g_.columns) - 1);
    j = std::clamp(j, 0, static_cast<int>(g_.rows) - 1);
    const std::size_t at = (static_cast<std::size_t>(k) * g_.rows + static_cast<std::size_t>(j)) * g_.columns;
    return static_cast<const std::int16_t*>(v_.voxels)[at + static_cast<std::size_t>(i)] * double{v_.slope[k]} +
           double{v_.intercept[k]};
  }
  double in_slice(double x, double y, int k, Interpolation how) const {
    if (uneven()) {
      x -= g_.column_offset[k];
      y -= g_.row_offset[k];
    }
    x = std::clamp(x, 0.0, g_.columns - 1.0);
    y = std::clamp(y, 0.0, g_.rows - 1.0);
    if (how == Interpolation::nearest)
      return voxel(static_cast<int>(std::floor(x + 0.5)), static_cast<int>(std::floor(y + 0.5)), k);
    const int i = std::min(static_cast<int>(x), static_cast<int>(g_.columns) - 2),
              j = std::min(static_cast<int>(y), static_cast<int>(g_.rows) - 2);
    if (how == Interpolation::linear) {
      const double fx = x - i, fy = y - j;
      return (1 - fy) * ((1 - fx) * voxel(i, j, k) + fx * voxel(i + 1, j, k)) +
             fy * ((1 - fx) * voxel(i, j + 1, k) + fx * voxel(i + 1, j + 1, k));
    }
    const double even[4] = {-1, 0, 1, 2};
    double rows[4];
    for (int n = 0; n < 4; ++n) {
      const int r = j - 1 + n;
      const double taps[4] = {voxel(i - 1, r, k), voxel(i, r, k), voxel(i + 1, r, k), voxel(i + 2, r, k)};
      rows[n] = hermite(even, taps, x - i);
    }
    return hermite(even, rows, y - j);
  }

  const VolumeView& v_;
  const VolumeGeometry& g_;
};

std::vector<float> sampled(const VolumeView& v, const Plane& p, Slab slab = {}) {
  std::vector<float> out(std::size_t{p.width} * p.height);
  EXPECT_TRUE(sample_plane(v, p, slab, kOutside, out));
  return out;
}

// Nearest may differ where a place is half way between voxels to within rounding: such pixels are counted, and few.
void expect_reference(Shape shape, Interpolation how, double tolerance) {
  const Volume volume = noise_volume(shape);
  const VolumeView v = volume.view();
  const Reference reference(v);
  std::mt19937 random(17);
  std::size_t inside = 0, unlike = 0;
  double worst = 0;
  for (int n = 0; n < 15; ++n) {
    const Plane p = random_plane(random, v.geometry, how);
    const auto out = sampled(v, p);
    for (std::uint32_t j = 0; j < p.height; ++j) {
      for (std::uint32_t i = 0; i < p.width; ++i) {
        const auto want = reference.value(p.origin_mm + p.right_mm * i + p.down_mm * j, how);
        const double got = double{out[std::size_t{j} * p.width + i]};
        if (want.has_value() != (got != kOutside)) {
          ++unlike;
        } else if (want) {
          ++inside;
          if (std::abs(*want - got) > tolerance) ++unlike;
          if (how != Interpolation::nearest) worst = std::max(worst, std::abs(*want - got));
        }
      }
    }
  }
  EXPECT_GT(inside, 10'000u);
  EXPECT_LE(unlike, 2u) << "shape " << shape << ", worst " << worst;
}

TEST(Sampling, NearestIsTheStoredVoxelInEveryGeometry) {
  for (Shape s : {kStraight, kSheared, kUneven, kDrifting}) expect_reference(s, Interpolation::nearest, 1e-3);
}

TEST(Sampling, LinearMatchesTheReferenceInEveryGeometry) {
  for (Shape s : {kStraight, kSheared, kUneven, kDrifting}) expect_reference(s, Interpolation::linear, 5e-3);
}

TEST(Sampling, CubicMatchesTheReferenceInEveryGeometry) {
  for (Shape s : {kStraight, kSheared, kUneven, kDrifting}) expect_reference(s, Interpolation::cubic, 1e-2);
}

TEST(Sampling, CubicGoesThroughTheVoxels) {
  const Volume volume = noise_volume(kSheared);
  const VolumeGeometry g = volume.view().geometry;
  Plane p{position_of(g, 0, 0, 7), g.row_direction * g.column_spacing_mm, g.column_direction * g.row_spacing_mm,
          g.columns, g.rows};
  const auto linear = sampled(volume.view(), p);
  p.interpolation = Interpolation::cubic;
  const auto cubic = sampled(volume.view(), p);
  for (std::size_t n = 0; n < cubic.size(); ++n) EXPECT_NEAR(cubic[n], linear[n], 0.02);
}

TEST(Sampling, CubicNearPaddingIsNeverPulledTowardsIt) {
  Volume volume = filled<std::int16_t>(layout_of(kStraight), VoxelType::int16,
                                       [](auto i, auto, auto) { return i < 10 ? -2000 : 50; });
  volume.set_padding(-2000, -2000);
  std::mt19937 random(3);
  for (int n = 0; n < 10; ++n) {
    for (const Interpolation how : {Interpolation::nearest, Interpolation::cubic}) {
      for (float x : sampled(volume.view(), random_plane(random, volume.view().geometry, how)))
        ASSERT_TRUE(x == kOutside || std::abs(x - 50) < 1e-3f) << x;
    }
  }
}

TEST(Sampling, VolumesOfOneSliceRowOrColumnGiveTheirValue) {
  for (const auto& [columns, rows, slices] : {std::tuple{1u, 9u, 5u}, {9u, 1u, 5u}, {9u, 8u, 1u}, {3u, 2u, 2u}}) {
    Stack s;
    s.columns = columns;
    s.rows = rows;
    s.slices = slices;
    const auto layout = assemble(stack(s)).value().volumes.at(0).layout;
    const Volume volume = filled<std::int16_t>(layout, VoxelType::int16, [](auto, auto, auto) { return 77; });
    const VolumeGeometry g = volume.view().geometry;
    for (const Interpolation how : {Interpolation::nearest, Interpolation::cubic}) {
      Plane p{g.origin_mm, g.row_direction * 0.1, g.column_direction * 0.1, 3, 3, how};
      for (float x : sampled(volume.view(), p)) EXPECT_FLOAT_EQ(x, 77);
    }
  }
}

// A slab from its definition: n midpoints of n equal parts along right x down; what is outside takes no part.
std::optional<double> slab_value(const Reference& reference, const VolumeGeometry& g, const Plane& p, Slab slab,
                                 Vec3 at) {
  const double edge = std::min({g.column_spacing_mm, g.row_spacing_mm, std::abs(dot(g.slice_step_mm, g.normal))});
  const int n = std::max(1, static_cast<int>(std::ceil(slab.thickness_mm / edge)));
  const Vec3 normal = normalized(cross(p.right_mm, p.down_mm));
  double sum = 0, most = -1e9, least = 1e9;
  int count = 0;
  for (int k = 0; k < n; ++k) {
    const auto value = reference.value(at + normal * (slab.thickness_mm * ((k + 0.5) / n - 0.5)), p.interpolation);
    if (!value) continue;
    ++count;
    sum += *value;
    most = std::max(most, *value);
    least = std::min(least, *value);
  }
  if (count == 0) return std::nullopt;
  return slab.projection == Projection::mean ? sum / count : slab.projection == Projection::maximum ? most : least;
}

TEST(Slab, MatchesTheReferenceOverObliquePosesInEveryGeometry) {
  for (const Shape shape : {kStraight, kSheared, kUneven, kDrifting}) {
    const Volume volume = noise_volume(shape);
    const VolumeView v = volume.view();
    const Reference reference(v);
    std::mt19937 random(23);
    std::size_t inside = 0, unlike = 0;
    for (const Projection projection : {Projection::mean, Projection::maximum, Projection::minimum}) {
      for (const auto& [how, thickness] : {std::pair{Interpolation::linear, 7.3}, {Interpolation::cubic, 2.0}}) {
        const Plane p = random_plane(random, v.geometry, how);
        const Slab slab{thickness, projection};
        const auto out = sampled(v, p, slab);
        for (std::uint32_t j = 0; j < p.height; ++j) {
          for (std::uint32_t i = 0; i < p.width; ++i) {
            const auto want = slab_value(reference, v.geometry, p, slab, p.origin_mm + p.right_mm * i + p.down_mm * j);
            const double got = double{out[std::size_t{j} * p.width + i]};
            inside += want.has_value();
            unlike += want.has_value() != (got != kOutside) || (want && std::abs(*want - got) > 2e-2);
          }
        }
      }
    }
    EXPECT_GT(inside, 4'000u);
    EXPECT_LE(unlike, 4u) << "shape " << shape;  // samples within 2^-17 voxel of the border
  }
}

template <class T>
void same_bytes_on_every_instruction_set(VoxelType type) {
  std::mt19937 random(3);
  Stack s;
  s.columns = 61;
  s.rows = 53;
  s.slices = 37;
  s.step = {0.2, -0.3, 1.1};
  std::uniform_real_distribution<double> u(std::is_signed_v<T> ? -120 : 0, 120);
  Volume volume = filled<T>(assemble(stack(s)).value().volumes.at(0).layout, type, [&](auto, auto, auto) {
    return std::is_same_v<T, float> ? u(random) : std::floor(u(random));
  });
  for (std::uint32_t k = 0; k < s.slices; ++k) volume.set_rescale(k, 1 + 0.003 * k, -1024.0 + k);
  const VolumeView v = volume.view();
  for (const Interpolation how : {Interpolation::linear, Interpolation::nearest, Interpolation::cubic}) {
    for (int n = 0; n < 6; ++n) {
      const Plane p = random_plane(random, v.geometry, how);
      const IndexPlane q = index_plane(v.geometry, p, {});
      std::vector<float> scalar(std::size_t{p.width} * p.height, kOutside);
      for (std::uint32_t row = 0; row < p.height; ++row) {
        const cpu::RowSpan span = cpu::clip_row(v.geometry, q, row, p.width);
        cpu::affine_row_scalar(v, q, row, span, kOutside, scalar.data() + std::size_t{row} * p.width);
      }
      for_each_instruction_set([&](const std::string& name) {
        const auto out = sampled(v, p);
        EXPECT_EQ(std::memcmp(out.data(), scalar.data(), out.size() * sizeof(float)), 0)
            << name << ", interpolation " << static_cast<int>(how) << ", plane " << n;
      });
    }
  }
}

TEST(Sampling, EveryInstructionSetGivesTheSameBytes) {
  int sets = 0;
  for_each_instruction_set([&](const std::string&) { ++sets; });
  ASSERT_GE(sets, 2);  // else nothing is compared
  same_bytes_on_every_instruction_set<std::uint8_t>(VoxelType::uint8);
  same_bytes_on_every_instruction_set<std::int8_t>(VoxelType::int8);
  same_bytes_on_every_instruction_set<std::uint16_t>(VoxelType::uint16);
  same_bytes_on_every_instruction_set<std::int16_t>(VoxelType::int16);
  same_bytes_on_every_instruction_set<std::int32_t>(VoxelType::int32);
  same_bytes_on_every_instruction_set<float>(VoxelType::float32);
}

// A kernel that is taken before anything ran must not ask the processor again at each of its calls.
TEST(Sampling, TheFirstKernelOfAProcessIsTheOneOfLaterPlanes) {
  Stack s;
  const Volume volume = filled<std::int16_t>(assemble(stack(s)).value().volumes.at(0).layout, VoxelType::int16,
                                             [](auto, auto, auto) { return 1; });
  std::mt19937 random(3);
  const Plane plane = random_plane(random, volume.view().geometry, Interpolation::linear);
  const IndexPlane q = index_plane(volume.view().geometry, plane, {});
  hwy::GetChosenTarget().DeInit();
  const cpu::RowKernel first = cpu::choose_affine_row(volume.view(), q);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  ASSERT_NE(first, &cpu::affine_row_scalar);
  EXPECT_EQ(cpu::choose_affine_row(volume.view(), q), first);
}

TEST(Slab, EveryInstructionSetAndThreadCountGivesTheSameBytes) {
  for (const Shape shape : {kStraight, kDrifting}) {
    const Volume volume = noise_volume(shape);
    const VolumeView v = volume.view();
    std::mt19937 random(31);
    for (const Projection projection : {Projection::mean, Projection::maximum, Projection::minimum}) {
      const Plane p = random_plane(random, v.geometry, Interpolation::linear);
      const Slab slab{9, projection};
      const auto whole = sampled(v, p, slab);
      for_each_instruction_set([&](const std::string& name) { EXPECT_EQ(sampled(v, p, slab), whole) << name; });
      for (const unsigned threads : {2u, 5u, 16u}) {
        std::vector<float> parts(whole.size());
        std::vector<std::thread> running;
        for (unsigned t = 0; t < threads; ++t) {
          running.emplace_back([&, t] {
            for (std::uint32_t row = t; row < p.height; row += threads)
              sample_rows(v, p, slab, kOutside, row, std::span(parts).subspan(std::size_t{row} * p.width, p.width));
          });
        }
        for (auto& thread : running) thread.join();
        EXPECT_EQ(parts, whole) << threads << " threads";
      }
    }
  }
}

}  // namespace
}  // namespace cairn::recon
