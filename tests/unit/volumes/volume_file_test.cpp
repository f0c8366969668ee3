#include "engine/volumes/volume_file.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "engine/core/bytes.h"
#include "tests/unit/recon/phantom.h"

namespace cairn::volumes {
namespace {

using recon::Vec3;
using recon::test::filled;
using recon::test::Stack;
using recon::test::stack;

BuiltVolume built_from(std::vector<recon::SliceGeometry> frames, double base = 0) {
  auto assembled = recon::assemble(frames).value().volumes.at(0);
  auto volume = filled<std::int16_t>(assembled.layout, recon::VoxelType::int16,
                                     [&](auto i, auto j, auto k) { return base + i + 100.0 * j + 1000.0 * (k % 20); });
  BuiltVolume built{std::move(volume), std::move(assembled), {}, false, false, {}, 0};
  return built;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

float float_at(const std::vector<std::byte>& h, std::size_t at) {
  return std::bit_cast<float>(load_le<std::uint32_t>(h.data() + at));
}

std::int16_t short_at(const std::vector<std::byte>& h, std::size_t at) {
  return static_cast<std::int16_t>(load_le<std::uint16_t>(h.data() + at));
}

TEST(VolumeFile, NRRDStatesTheSlicesPlacesInLPS) {
  Stack s;
  s.step = {0, 0.5, 2};  // sheared: NRRD can say so
  const BuiltVolume built = built_from(stack(s));
  const auto file = VolumeFile::of(built, VolumeFormat::nrrd).value();
  const std::string h = text_of(file.header());
  EXPECT_TRUE(h.starts_with("NRRD0004\n"));
  EXPECT_TRUE(h.ends_with("\n\n"));
  EXPECT_NE(h.find("\ntype: short\n"), std::string::npos);
  EXPECT_NE(h.find("\nsizes: 23 17 9\n"), std::string::npos);
  EXPECT_NE(h.find("\nspace: left-posterior-superior\n"), std::string::npos);
  EXPECT_NE(h.find("\nspace origin: (-100,-80,30)\n"), std::string::npos);
  EXPECT_NE(h.find("(0.80000000000000004,0,0) (0,0.59999999999999998,0) (0,0.5,2)\n"), std::string::npos) << h;
  EXPECT_EQ(file.size_bytes(), file.header().size() + 23u * 17 * 9 * 2);
  const auto slice = file.slice(4);
  EXPECT_EQ(short_at(slice, 2 * (3 * 23 + 5)), 5 + 300 + 4000);
}

// The affine that a reader makes of the quaternion (nifti1.h, method 2) and the one of the sform are the same, for
// axes that look anywhere.
TEST(VolumeFile, NIfTIStatesTheSamePlacesTwiceInRAS) {
  for (int turn = 0; turn < 24; ++turn) {
    const double a = 0.7 * turn, b = 0.4 * turn, c = 1.1 * turn;
    Stack s;
    s.row = {std::cos(a) * std::cos(b), std::sin(a) * std::cos(b), -std::sin(b)};
    const Vec3 side = {-std::sin(a), std::cos(a), 0}, up = recon::cross(s.row, side);
    s.column = side * std::cos(c) + up * std::sin(c);
    s.step = recon::cross(s.row, s.column) * (turn % 2 ? -2.5 : 2.5);
    const BuiltVolume built = built_from(stack(s));
    const recon::VolumeGeometry g = built.volume.view().geometry;
    const auto file = VolumeFile::of(built, VolumeFormat::nifti).value();
    const auto& h = file.header();
    ASSERT_EQ(h.size(), 352u);
    EXPECT_EQ(load_le<std::uint32_t>(h.data()), 348u);
    EXPECT_EQ(short_at(h, 70), 4);
    EXPECT_EQ(short_at(h, 252), 1) << turn;
    EXPECT_EQ(short_at(h, 254), 1);
    const double x = double{float_at(h, 256)}, y = double{float_at(h, 260)}, z = double{float_at(h, 264)};
    const double w = std::sqrt(std::max(0.0, 1 - x * x - y * y - z * z));
    const double handed = double{float_at(h, 76)};
    const double rotation[3][3] = {{w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)},
                                   {2 * (x * y + w * z), w * w + y * y - x * x - z * z, 2 * (y * z - w * x)},
                                   {2 * (x * z - w * y), 2 * (y * z + w * x), w * w + z * z - x * x - y * y}};
    for (std::size_t r = 0; r < 3; ++r) {
      for (std::size_t n = 0; n < 3; ++n) {
        const double by_quaternion = rotation[r][n] * double{float_at(h, 80 + 4 * n)} * (n == 2 ? handed : 1);
        EXPECT_NEAR(by_quaternion, double{float_at(h, 280 + 16 * r + 4 * n)}, 2e-3) << turn;
      }
      EXPECT_FLOAT_EQ(float_at(h, 268 + 4 * r), float_at(h, 292 + 16 * r));
    }
    // The far corner by the sform is where the volume says, with x and y turned round.
    const Vec3 want = recon::position_of(g, 22, 16, 8);
    const double index[4] = {22, 16, 8, 1};
    double got[3] = {};
    for (std::size_t r = 0; r < 3; ++r) {
      for (std::size_t n = 0; n < 4; ++n) got[r] += double{float_at(h, 280 + 16 * r + 4 * n)} * index[n];
    }
    EXPECT_NEAR(got[0], -want.x, 1e-4);
    EXPECT_NEAR(got[1], -want.y, 1e-4);
    EXPECT_NEAR(got[2], want.z, 1e-4);
  }
}

TEST(VolumeFile, NIfTIOfATiltedStackHasOnlyAnSform) {
  Stack s;
  s.step = {0, 0.5, 2};
  const BuiltVolume built = built_from(stack(s));
  const auto file = VolumeFile::of(built, VolumeFormat::nifti).value();
  EXPECT_EQ(short_at(file.header(), 252), 0);
  EXPECT_EQ(short_at(file.header(), 254), 1);
}

TEST(VolumeFile, TheTypeHoldsEveryValue) {
  BuiltVolume built = built_from(stack({}));
  built.volume.set_rescale(3, 2, 0);  // 2 x 3000 + …: still 16 bits
  EXPECT_EQ(VolumeFile::of(built, VolumeFormat::nrrd).value().slice_bytes(), 23u * 17 * 2);
  built.volume.set_rescale(3, 20, 0);
  const auto wide = VolumeFile::of(built, VolumeFormat::nrrd).value();
  EXPECT_NE(text_of(wide.header()).find("type: int\n"), std::string::npos);
  EXPECT_EQ(load_le<std::uint32_t>(wide.slice(3).data() + 4), 20u * 3001);
  built.volume.set_rescale(3, 0.25, 0);
  const auto real = VolumeFile::of(built, VolumeFormat::nrrd).value();
  EXPECT_NE(text_of(real.header()).find("type: float\n"), std::string::npos);
  EXPECT_EQ(float_at(real.slice(3), 4), 3001 * 0.25f);
}

TEST(VolumeFile, UnevenSlicesAreRefusedAndRoundingIsNamed) {
  auto frames = stack({});
  frames[4].position_mm->z += 0.0004;
  const BuiltVolume rounded = built_from(frames);
  EXPECT_NE(VolumeFile::of(rounded, VolumeFormat::nrrd).value().warning().find("0.0004"), std::string::npos);
  frames.erase(frames.begin() + 3);
  const BuiltVolume gap = built_from(frames);
  EXPECT_TRUE(VolumeFile::of(gap, VolumeFormat::nrrd).error() == Errc::unsupported);
  EXPECT_TRUE(VolumeFile::of(gap, VolumeFormat::nifti).error() == Errc::unsupported);
}

}  // namespace
}  // namespace cairn::volumes
