// The device gives the same bits as the host, sheared volumes included. Skips visibly without a device; that it was
// compiled shows that the maths still is fit for one.
#include <gtest/gtest.h>

#include <random>

#include "recon/cpu/row_kernel.h"
#include "recon/volume.h"
#include "tests/cuda/device_rows.h"
#include "tests/unit/recon/phantom.h"

namespace cairn::recon::test {
namespace {

TEST(DeviceMaths, SamplesObliquePlanesBitForBitAsTheHostDoes) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device";
  std::mt19937 random(11);
  std::uniform_real_distribution<double> u(-1, 1);
  const auto assembled = assemble(stack(Stack{})).value();
  auto volume = Volume::create(assembled.volumes.at(0).layout, VoxelType::int16, 1, 1u << 30).value();
  const VolumeGeometry g = volume.view().geometry;
  for (std::uint32_t k = 0; k < g.slices; ++k) {
    auto slice = volume.slice(0, k);
    for (std::byte& b : slice) b = static_cast<std::byte>(random());
    volume.set_rescale(k, 1.0 + 0.01 * k, -1024.0 + k);
  }
  const VolumeView view = volume.view();
  for (int round = 0; round < 20; ++round) {
    Plane plane;
    plane.width = 301;
    plane.height = 257;
    plane.right_mm = normalized({u(random), u(random), u(random)}) * 0.37;
    plane.down_mm = normalized(cross(plane.right_mm, {u(random), u(random), u(random)})) * 0.41;
    const Vec3 middle = position_of(g, g.columns / 2.0, g.rows / 2.0, static_cast<double>(g.slices / 2));
    plane.origin_mm = middle - plane.right_mm * (plane.width / 2.0) - plane.down_mm * (plane.height / 2.0);
    plane.interpolation = static_cast<Interpolation>(round % 3);
    const IndexPlane indexed = index_plane(view.geometry, plane, {});

    std::vector<Span> spans;
    std::vector<float> host(std::size_t{plane.width} * plane.height, -2000.0f), device = host;
    for (std::uint32_t row = 0; row < plane.height; ++row) {
      const cpu::RowSpan span = cpu::clip_row(view.geometry, indexed, row, plane.width);
      spans.push_back({span.first, span.last});
      cpu::affine_row_scalar(view, indexed, row, span, -2000.0f, host.data() + std::size_t{row} * plane.width);
    }
    ASSERT_TRUE(sample_on_device(view, indexed, plane.width, spans, device));
    EXPECT_EQ(host, device) << "round " << round;
  }
}

}  // namespace
}  // namespace cairn::recon::test
