// How long does one plane take on one core? 512x512 pixels of a 512x512x400 int16 volume, orthogonal, oblique, and as a
// slab; linear, nearest and cubic. Before anything is timed, each linear plane is checked against a float64 computation
// from the definition (the unit tests judge the other two).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <benchmark/benchmark.h>

#include "recon/cpu/row_kernel.h"
#include "recon/plane.h"

namespace {

using namespace cairn::recon;

constexpr std::uint32_t kColumns = 512, kRows = 512, kSlices = 400, kEdge = 512;
constexpr double kPixelMm = 0.7, kSliceMm = 1.0;

enum Kind { kStraight, kTilted, kUneven };

Volume make_volume(Kind kind) {
  const double tilt = kind == kTilted ? 0.32 : 0;
  std::vector<SliceGeometry> frames(kSlices);
  for (std::uint32_t k = 0; k < kSlices; ++k) {
    SliceGeometry& f = frames[k];
    // A few micrometres of rounding, as positions in headers have it, make the third one a volume with a position per
    // slice.
    f.position_mm = Vec3{0, 0, kSliceMm * k + (kind == kUneven && k % 2 == 1 ? 0.0003 : 0)};
    f.row_direction = Vec3{1, 0, 0};
    f.column_direction = Vec3{0, std::cos(tilt), -std::sin(tilt)};
    f.row_spacing_mm = f.column_spacing_mm = kPixelMm;
    f.rows = kRows;
    f.columns = kColumns;
  }
  auto assembly = assemble(frames).value();
  Volume volume = Volume::create(assembly.volumes.at(0).layout, VoxelType::int16, 1, std::uint64_t{1} << 30).value();
  std::uint32_t noise = 1;
  for (std::uint32_t k = 0; k < kSlices; ++k) {
    auto bytes = volume.slice(0, k);
    for (std::uint32_t j = 0; j < kRows; ++j) {
      for (std::uint32_t i = 0; i < kColumns; ++i) {
        noise = noise * 1664525u + 1013904223u;
        const double x = (i - 255.5) / 220, y = (j - 255.5) / 180, z = (k - 199.5) / 190.0, r = x * x + y * y + z * z;
        const int value = (r > 1 ? -1000 : r > 0.85 ? 1200 : r < 0.1 ? 300 : 40) + static_cast<int>(noise >> 28);
        const auto voxel = static_cast<std::int16_t>(value);
        std::memcpy(bytes.data() + (std::size_t{j} * kColumns + i) * sizeof voxel, &voxel, sizeof voxel);
      }
    }
    volume.set_rescale(k, 1, -24);
  }
  return volume;
}

enum View { kAxial, kCoronal, kSagittal, kOblique };

Plane plane_of(const VolumeGeometry& g, View view) {
  const double a = 33 * M_PI / 180, b = 27 * M_PI / 180;
  const Vec3 right[] = {{1, 0, 0}, {1, 0, 0}, {0, 1, 0}, {std::cos(b), 0, -std::sin(b)}};
  const Vec3 down[] = {
      {0, 1, 0}, {0, 0, 1}, {0, 0, 1}, {std::sin(b) * std::sin(a), std::cos(a), std::cos(b) * std::sin(a)}};
  Plane p;
  p.width = p.height = kEdge;
  p.right_mm = right[view] * kPixelMm;
  p.down_mm = down[view] * kPixelMm;
  p.origin_mm = position_of(g, (kColumns - 1) / 2.0, (kRows - 1) / 2.0, (kSlices - 1) / 2.0 + 0.13) -
                (p.right_mm + p.down_mm) * (0.5 * (kEdge - 1));
  return p;
}

double reference(const VolumeView& v, Vec3 at, bool& inside) {
  const VolumeGeometry& g = v.geometry;
  const Vec3 d = at - g.origin_mm;
  const double n[3] = {kColumns, kRows, kSlices};
  double f[3];
  std::size_t lo[3];
  inside = true;
  for (int a = 0; a < 3; ++a) {
    double x = dot(g.to_index[a], d);
    if (a == 2 && g.kind == GeometryClass::per_slice) {
      std::size_t k = 0;
      while (k + 2 < kSlices && g.depth_mm[k + 1] <= x) ++k;
      x = static_cast<double>(k) + (x - g.depth_mm[k]) / (g.depth_mm[k + 1] - g.depth_mm[k]);
    }
    inside = inside && x >= -0.5 && x <= n[a] - 0.5;
    x = std::clamp(x, 0.0, n[a] - 1);
    lo[a] = static_cast<std::size_t>(std::min(x, n[a] - 2));
    f[a] = x - static_cast<double>(lo[a]);
  }
  const auto* voxels = static_cast<const std::int16_t*>(v.voxels);
  double sum = 0;
  for (std::size_t c = 0; c < 8; ++c) {
    const std::size_t dx = c & 1, dy = (c >> 1) & 1, dz = c >> 2;
    const double w = (dx ? f[0] : 1 - f[0]) * (dy ? f[1] : 1 - f[1]) * (dz ? f[2] : 1 - f[2]);
    sum += w * (voxels[((lo[2] + dz) * kRows + lo[1] + dy) * kColumns + lo[0] + dx] - 24.0);
  }
  return sum;
}

void check(const VolumeView& v, const Plane& p, const std::vector<float>& out) {
  double worst = 0;
  std::size_t compared = 0;
  for (std::uint32_t j = 0; j < kEdge; ++j) {
    for (std::uint32_t i = 0; i < kEdge; ++i) {
      bool inside = false;
      const double want = reference(v, p.origin_mm + p.right_mm * i + p.down_mm * j, inside);
      if (!inside) continue;
      ++compared;
      worst = std::max(worst, std::abs(want - static_cast<double>(out[std::size_t{j} * kEdge + i])));
    }
  }
  if (compared < 100'000 || worst > 0.003) {
    std::fprintf(stderr, "plane_bench: wrong answer: %zu pixels compared, worst difference %g\n", compared, worst);
    std::exit(1);
  }
}

const Volume& volume(Kind kind) {
  static const Volume straight = make_volume(kStraight);
  static const Volume sheared = make_volume(kTilted);
  static const Volume uneven = make_volume(kUneven);
  return kind == kTilted ? sheared : kind == kUneven ? uneven : straight;
}

void plane(benchmark::State& state, View view, Kind kind, Slab slab, Interpolation how = Interpolation::linear) {
  const VolumeView v = volume(kind).view();
  Plane p = plane_of(v.geometry, view);
  std::vector<float> out(std::size_t{kEdge} * kEdge);
  if (!sample_plane(v, p, {}, -1024, out)) std::exit(1);
  check(v, p, out);
  p.interpolation = how;
  for (auto _ : state) {
    sample_rows(v, p, slab, -1024, 0, out);
    benchmark::DoNotOptimize(out.data());
  }
  const double samples = std::max(1.0, std::ceil(slab.thickness_mm / kPixelMm)) * kEdge * kEdge;
  state.counters["samples/s"] =
      benchmark::Counter(samples * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.SetLabel(cpu::vector_target());
}

BENCHMARK_CAPTURE(plane, axial, kAxial, kStraight, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, coronal, kCoronal, kStraight, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, sagittal, kSagittal, kStraight, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, oblique, kOblique, kStraight, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, tilted_coronal, kCoronal, kTilted, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, tilted_oblique, kOblique, kTilted, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, uneven_coronal, kCoronal, kUneven, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, uneven_oblique, kOblique, kUneven, Slab{})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, oblique_mip_14mm, kOblique, kStraight, Slab{14, Projection::maximum})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, oblique_mean_14mm, kOblique, kStraight, Slab{14, Projection::mean})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, uneven_coronal_mip_14mm, kCoronal, kUneven, Slab{14, Projection::maximum})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, oblique_nearest, kOblique, kStraight, Slab{}, Interpolation::nearest)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, axial_cubic, kAxial, kStraight, Slab{}, Interpolation::cubic)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, oblique_cubic, kOblique, kStraight, Slab{}, Interpolation::cubic)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plane, uneven_coronal_cubic, kCoronal, kUneven, Slab{}, Interpolation::cubic)
    ->Unit(benchmark::kMillisecond);

}  // namespace
