#include "recon/assemble.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "phantom.h"

namespace cairn::recon {
namespace {
using test::Stack;
using test::stack;

bool has(const Assembly& a, OddityKind kind) {
  return std::any_of(a.report.oddities.begin(), a.report.oddities.end(),
                     [&](const Oddity& o) { return o.kind == kind; });
}

// Each corner pixel of each used slice lies where its own header puts it.
void expect_positions_met(const Assembly& a, std::span<const SliceGeometry> frames, double tolerance_mm) {
  for (const AssembledVolume& v : a.volumes) {
    const VolumeGeometry g = v.layout.view();
    for (std::size_t k = 0; k < v.frames.size(); ++k) {
      const SliceGeometry& s = frames[v.frames[k]];
      for (int c = 0; c < 4; ++c) {
        const double i = (c & 1) ? s.columns - 1.0 : 0, j = (c & 2) ? s.rows - 1.0 : 0;
        const Vec3 header = *s.position_mm + *s.row_direction * (i * *s.column_spacing_mm) +
                            *s.column_direction * (j * *s.row_spacing_mm);
        EXPECT_LT(norm(header - position_of(g, i, j, static_cast<double>(k))), tolerance_mm);
      }
    }
  }
}

void expect_all_accounted(const Assembly& a, std::size_t frames) {
  ASSERT_EQ(a.report.frames.size(), frames);
  std::vector<int> seen(frames, 0);
  for (const AssembledVolume& v : a.volumes) {
    for (std::size_t i : v.frames) ++seen[i];
  }
  for (std::size_t i = 0; i < frames; ++i) {
    EXPECT_EQ(seen[i], a.report.frames[i].fate == Fate::refused ? 0 : 1);
    EXPECT_EQ(a.report.frames[i].reason.empty(), a.report.frames[i].fate == Fate::used);
  }
}

TEST(Assemble, OrdersByPositionWhateverTheInputOrder) {
  auto frames = stack({});
  std::mt19937 random(7);
  std::shuffle(frames.begin(), frames.end(), random);
  for (auto& f : frames) f.order = static_cast<std::int64_t>(random() % 5);
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 1u);
  EXPECT_EQ(a.volumes[0].layout.affine.kind, GeometryClass::orthogonal);
  EXPECT_TRUE(a.report.oddities.empty());
  EXPECT_NEAR(a.volumes[0].median_step_mm, 2.5, 1e-12);
  expect_positions_met(a, frames, 1e-9);
  expect_all_accounted(a, frames.size());
}

TEST(Assemble, PixelSpacingIsRowsFirst) {
  const auto frames = stack({});
  const Assembly a = assemble(frames).value();
  const VolumeGeometry g = a.volumes[0].layout.view();
  EXPECT_EQ(g.row_spacing_mm, 0.6);
  const Vec3 p = position_of(g, 0, 10, 0);
  EXPECT_NEAR(p.y, -80 + 6.0, 1e-12);
}

TEST(Assemble, TiltBecomesShearAndIsSaid) {
  Stack s;
  const double t = 18.5 * M_PI / 180;
  s.column = {0, std::cos(t), -std::sin(t)};
  const auto frames = stack(s);
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 1u);
  EXPECT_EQ(a.volumes[0].layout.affine.kind, GeometryClass::sheared);
  EXPECT_NEAR(a.volumes[0].tilt_degrees, 18.5, 1e-9);
  EXPECT_TRUE(has(a, OddityKind::tilt));
  expect_positions_met(a, frames, 1e-9);
}

TEST(Assemble, MissingSliceKeepsPositionsAndNamesTheGap) {
  auto frames = stack({});
  frames.erase(frames.begin() + 4);
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 1u);
  EXPECT_EQ(a.volumes[0].layout.affine.kind, GeometryClass::per_slice);
  EXPECT_TRUE(has(a, OddityKind::gap));
  EXPECT_TRUE(has(a, OddityKind::non_uniform_spacing));
  expect_positions_met(a, frames, 1e-9);
}

TEST(Assemble, DriftInThePlaneIsKeptPerSlice) {
  auto frames = stack({});
  frames[3].position_mm->x += 1.5;
  const Assembly a = assemble(frames).value();
  EXPECT_EQ(a.volumes[0].layout.affine.kind, GeometryClass::per_slice);
  EXPECT_TRUE(has(a, OddityKind::in_plane_drift));
  EXPECT_TRUE(a.volumes[0].uniform_spacing);
  expect_positions_met(a, frames, 1e-9);
}

TEST(Assemble, TextRoundingIsNoOddity) {
  auto frames = stack({});
  for (std::size_t k = 0; k < frames.size(); ++k) frames[k].position_mm->z += (k % 3 == 1) ? 0.0005 : 0;
  const Assembly a = assemble(frames).value();
  EXPECT_TRUE(a.report.oddities.empty());
  expect_positions_met(a, frames, 1e-9);
}

TEST(Assemble, TimePointsAreSplitByTheirKeyAndNumbersSortAsNumbers) {
  std::vector<SliceGeometry> frames;
  for (int t : {10, 9, 2}) {
    for (SliceGeometry g : stack({})) {
      g.phase_keys = {"", std::to_string(t)};
      frames.push_back(g);
    }
  }
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 3u);
  EXPECT_EQ(frames[a.volumes[0].frames[0]].phase_keys[1], "2");
  EXPECT_EQ(frames[a.volumes[2].frames[0]].phase_keys[1], "10");
  EXPECT_TRUE(has(a, OddityKind::phases));
  expect_all_accounted(a, frames.size());
}

TEST(Assemble, KeyThatVariesAlongTheStackDoesNotSplitIt) {
  auto frames = stack({});
  for (std::size_t k = 0; k < frames.size(); ++k) frames[k].phase_keys = {std::to_string(k)};
  EXPECT_EQ(assemble(frames).value().volumes.size(), 1u);
}

TEST(Assemble, EqualDuplicatesWithoutKeyGoByOrder) {
  std::vector<SliceGeometry> frames = stack({}), again = stack({});
  for (auto& f : again) f.order += 100;
  frames.insert(frames.begin(), again.begin(), again.end());
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 2u);
  EXPECT_LT(frames[a.volumes[a.primary].frames[0]].order, 100);
  EXPECT_FALSE(has(a, OddityKind::ambiguous_duplicates));
  expect_all_accounted(a, frames.size());
}

TEST(Assemble, OneDuplicatedSliceIsSplitOffAndCalledAmbiguous) {
  auto frames = stack({});
  frames.push_back(frames[4]);
  frames.back().order = 99;
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 2u);
  EXPECT_EQ(a.volumes[a.primary].frames.size(), 9u);
  EXPECT_EQ(a.report.frames.back().fate, Fate::split_off);
  EXPECT_TRUE(has(a, OddityKind::ambiguous_duplicates));
  expect_all_accounted(a, frames.size());
}

TEST(Assemble, ThreePlanesAreThreeVolumes) {
  std::vector<SliceGeometry> frames;
  Stack axial, coronal, sagittal;
  coronal.column = {0, 0, -1};
  coronal.step = {0, 10, 0};
  sagittal.row = {0, 1, 0};
  sagittal.column = {0, 0, -1};
  sagittal.step = {10, 0, 0};
  sagittal.slices = 12;
  for (const Stack& s : {axial, coronal, sagittal}) {
    for (const auto& f : stack(s)) frames.push_back(f);
  }
  const Assembly a = assemble(frames).value();
  ASSERT_EQ(a.volumes.size(), 3u);
  EXPECT_TRUE(has(a, OddityKind::mixed_orientation));
  EXPECT_EQ(a.volumes[a.primary].frames.size(), 12u);
  expect_positions_met(a, frames, 1e-9);
  expect_all_accounted(a, frames.size());
}

TEST(Assemble, LocalizerIsNotPrimaryHoweverLong) {
  auto frames = stack({});
  Stack scout;
  scout.slices = 30;
  scout.column = {0, 0, -1};
  scout.step = {0, 4, 0};
  for (auto f : stack(scout)) {
    f.localizer = true;
    frames.push_back(f);
  }
  const Assembly a = assemble(frames).value();
  EXPECT_FALSE(a.volumes[a.primary].localizer);
  EXPECT_TRUE(has(a, OddityKind::localizer));
}

TEST(Assemble, FrameWithoutGeometryIsRefusedByName) {
  auto frames = stack({});
  frames[2].position_mm.reset();
  frames[3].row_direction = Vec3{1, 1, 0};
  frames[5].column_spacing_mm = 0.0;
  frames[6].position_mm->x = std::numeric_limits<double>::quiet_NaN();
  const Assembly a = assemble(frames).value();
  for (std::size_t i : {2u, 3u, 5u, 6u}) EXPECT_EQ(a.report.frames[i].fate, Fate::refused) << i;
  EXPECT_EQ(a.report.frames[2].reason, "missing Image Position (Patient)");
  EXPECT_TRUE(has(a, OddityKind::missing_geometry));
  EXPECT_TRUE(has(a, OddityKind::invalid_geometry));
  expect_all_accounted(a, frames.size());
}

TEST(Assemble, NothingUsableIsAnEmptyAnswerWithReasons) {
  std::vector<SliceGeometry> frames(3);
  const Assembly a = assemble(frames).value();
  EXPECT_TRUE(a.volumes.empty());
  expect_all_accounted(a, 3);
  EXPECT_TRUE(assemble({}).value().volumes.empty());
}

TEST(Assemble, SingleSliceIsAsThickAsItSays) {
  auto frames = stack({});
  frames.resize(1);
  frames[0].thickness_mm = 4.0;
  const Assembly a = assemble(frames).value();
  EXPECT_NEAR(norm(a.volumes[0].layout.affine.slice_step_mm), 4.0, 1e-12);
  EXPECT_TRUE(has(a, OddityKind::single_slice));
}

TEST(Assemble, TooManyFramesIsALimit) {
  std::vector<SliceGeometry> frames(kMaxSlices + 1);
  EXPECT_TRUE(assemble(frames).error() == Errc::limit_exceeded);
}

// Random acquisitions: obliques, shears, gaps, drifts. Every header position is met.
TEST(AssembleProperty, EveryHeaderPositionIsMet) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> u(-1, 1);
    Stack s;
    s.row = normalized({u(random), u(random), u(random) + 2});
    s.column = normalized(cross({u(random), u(random) + 3, u(random)}, s.row));
    const Vec3 n = cross(s.row, s.column);
    s.step = n * (1.5 + u(random)) + s.row * u(random);
    auto frames = stack(s);
    if (seed % 3 == 0) frames.erase(frames.begin() + 3);
    if (seed % 4 == 0) {
      for (auto& f : frames) f.position_mm = *f.position_mm + s.row * u(random) + n * (0.1 * u(random));
    }
    std::shuffle(frames.begin(), frames.end(), random);
    const Assembly a = assemble(frames).value();
    SCOPED_TRACE(seed);
    ASSERT_FALSE(a.volumes.empty());
    expect_positions_met(a, frames, 1e-6);
    expect_all_accounted(a, frames.size());
  }
}

}  // namespace
}  // namespace cairn::recon
