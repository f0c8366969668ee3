// How long does one 3D picture take on one core? 512x512 pixels of a 512x512x400 int16 volume: bone on 1 mm slices,
// with and without shading, a haze in which nothing can be jumped over, and projections; and what has to be made once.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <benchmark/benchmark.h>

#include "recon/scene.h"

namespace {

using namespace cairn::recon;

constexpr std::uint32_t kColumns = 512, kRows = 512, kSlices = 400, kEdge = 512;

Volume make_volume() {
  std::vector<SliceGeometry> frames(kSlices);
  for (std::uint32_t k = 0; k < kSlices; ++k) {
    SliceGeometry& f = frames[k];
    f.position_mm = Vec3{0, 0, 1.0 * k};
    f.row_direction = Vec3{1, 0, 0};
    f.column_direction = Vec3{0, 1, 0};
    f.row_spacing_mm = f.column_spacing_mm = 0.7;
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
        const double ribs = std::sin(0.12 * k + 0.01 * i);
        const int value = (r > 1                               ? -1000
                           : r > 0.8 && r < 0.88 && ribs > 0.3 ? 900
                           : r < 0.02                          ? 600
                                                               : 40) +
                          static_cast<int>(noise >> 27) - 16;
        const auto voxel = static_cast<std::int16_t>(value);
        std::memcpy(bytes.data() + (std::size_t{j} * kColumns + i) * sizeof voxel, &voxel, sizeof voxel);
      }
    }
  }
  return volume;
}

const Volume& volume() {
  static const Volume made = make_volume();
  return made;
}

const Cells& cells() {
  static const Cells made = [] {
    Cells c = empty_cells(volume().view().geometry);
    fill_cells(volume().view(), c, 0, c.slices);
    return c;
  }();
  return made;
}

Scene scene_of(Look look, TransferFunction transfer, bool perspective) {
  Scene s;
  s.camera = camera_for(Orientation::anterior, volume().view().geometry);
  s.camera.position_mm = s.camera.position_mm + Vec3{180, 0, 90};
  s.viewport = {kEdge, kEdge};
  s.look = look;
  s.perspective = perspective;
  s.transfer = std::move(transfer);
  return s;
}

TransferFunction bone(bool shaded) {
  TransferFunction f = transfer_preset("bone", 0, 0).value();
  f.shaded = shaded;
  return f;
}

TransferFunction haze() {
  return {{{-1100, 1, 1, 1, .0002}, {0, .9, .5, .4, .002}, {900, 1, 1, .9, .05}}, false};
}

std::vector<std::uint8_t> picture(const Scene& scene, const Cells* with) {
  const auto renderer = SceneRenderer::of(volume().view(), scene, with).value();
  std::vector<std::uint8_t> rgb(std::size_t{3} * kEdge * kEdge);
  renderer.paint(0, rgb);
  return rgb;
}

void paint(benchmark::State& state, TransferFunction transfer, bool perspective, bool jumping) {
  const Scene scene = scene_of(Look::volume, std::move(transfer), perspective);
  const Cells* with = jumping ? &cells() : nullptr;
  const auto rgb = picture(scene, with);
  std::size_t lit = 0;
  for (const std::uint8_t x : rgb) lit += x > 30;
  if (lit < 50'000) {
    std::fprintf(stderr, "scene_bench: a dark picture, %zu samples lit\n", lit);
    std::exit(1);
  }
  for (auto _ : state) benchmark::DoNotOptimize(picture(scene, with));
  state.SetLabel(cpu::vector_target());
}

void project(benchmark::State& state, Look look) {
  const Scene scene = scene_of(look, {}, false);
  std::vector<float> values(std::size_t{kEdge} * kEdge);
  for (auto _ : state) {
    SceneRenderer::of(volume().view(), scene, &cells()).value().project(0, values);
    benchmark::DoNotOptimize(values.data());
  }
  state.SetLabel(cpu::vector_target());
}

void fill(benchmark::State& state) {
  for (auto _ : state) {
    Cells c = empty_cells(volume().view().geometry);
    fill_cells(volume().view(), c, 0, c.slices);
    benchmark::DoNotOptimize(c.low.data());
  }
}

void distances(benchmark::State& state) {
  const auto table = TransferTable::of(bone(true)).value();
  for (auto _ : state) benchmark::DoNotOptimize(distance_to_visible(cells(), table));
}

BENCHMARK_CAPTURE(paint, bone, bone(true), false, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(paint, bone_unshaded, bone(false), false, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(paint, bone_perspective, bone(true), true, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(paint, bone_without_jumping, bone(true), false, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(paint, haze, haze(), false, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project, maximum, Look::maximum)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project, mean, Look::mean)->Unit(benchmark::kMillisecond);
BENCHMARK(fill)->Name("cells")->Unit(benchmark::kMillisecond);
BENCHMARK(distances)->Unit(benchmark::kMillisecond);

}  // namespace
