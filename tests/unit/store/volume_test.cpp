#include <gtest/gtest.h>

#include <algorithm>

#include "engine/io/testing/manual_file_system.h"
#include "engine/store/volume.h"

namespace cairn::store {
namespace {

constexpr std::uint64_t kSegment = 1u << 20;

struct VolumeTest : testing::Test {
  VolumeTest() {
    LogOptions options;
    options.segment_bytes = kSegment;
    options.reserve_bytes = 0;
    volume.emplace(VolumeOptions{0, "/volume"}, options, files);
    EXPECT_TRUE(volume->read_volume_file());
    volume->join(Identity{});
    EXPECT_TRUE(volume->create_volume_file());
    EXPECT_TRUE(volume->recover());
  }
  void prewrite(std::uint64_t stock) {
    while (volume->prewrite_step(stock).value()) {
    }
  }

  io::testing::ManualFileSystem files{1};
  std::optional<Volume> volume;
};

TEST_F(VolumeTest, ASegmentPreparedBeforeThereWasAStockIsMadeAgainFromIt) {
  ASSERT_TRUE(volume->prepare_segment().value());
  EXPECT_FALSE(volume->prepare_segment().value()) << "nothing better to make it from";
  prewrite(2 * kSegment);
  ASSERT_EQ(volume->counts().spares, 2u);
  EXPECT_TRUE(volume->prepare_segment().value());
  EXPECT_FALSE(volume->prepare_segment().value());
  EXPECT_FALSE(volume->prewrite_step(2 * kSegment).value()) << "the prepared one belongs to the stock";
  const OpenSegment taken = volume->take_segment({}).value();
  EXPECT_EQ(taken.header.segment, 2u);
  const auto names = files.list("/volume").value();
  EXPECT_EQ(std::count(names.begin(), names.end(), "seg-00000001.cairn"), 0) << "the first one is gone";
  EXPECT_EQ(std::count_if(names.begin(), names.end(), [](const auto& n) { return n.starts_with("spare-"); }), 1);
}

}  // namespace
}  // namespace cairn::store
