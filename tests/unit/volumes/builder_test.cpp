#include "engine/volumes/builder.h"

#include <atomic>
#include <set>

#include "engine/io/worker_pool.h"
#include "engine/volumes/cache.h"
#include "engine/volumes/fan_out.h"
#include "engine/volumes/samples.h"
#include "synthetic.h"

namespace cairn::volumes {
namespace {

namespace tags = dicom::tags;
using test::FileOpener;
using test::Series;

constexpr std::uint64_t kLimit = std::uint64_t{1} << 30;

// Fails to open some instances.
class FaultyOpener final : public InstanceOpener {
 public:
  FaultyOpener(const Series& files, std::set<std::size_t> broken, Errc error = Errc::corrupt)
      : files_(files), broken_(std::move(broken)), error_(error) {}
  Result<std::unique_ptr<codec::ByteSource>> open(std::size_t instance) const override {
    if (broken_.contains(instance)) return fail(error_, "part of the instance");
    return files_.open(instance);
  }

 private:
  FileOpener files_;
  std::set<std::size_t> broken_;
  Errc error_;
};

TEST(Builder, DecodesEverySliceIntoItsPlace) {
  const Series files = test::simple_series(40);
  const SeriesPlan plan = test::plan_of(files).value();
  io::WorkerPool pool(2, "test");
  const BuiltVolume built = build_volume(plan, 0, FileOpener(files), &pool, kLimit).value();
  EXPECT_EQ(built.decoded_frames, 40u);
  EXPECT_TRUE(built.warnings.empty() || built.window_from_values);
  const auto* voxels = static_cast<const std::int16_t*>(built.volume.view().voxels);
  for (std::size_t k = 0; k < 40; ++k) EXPECT_EQ(voxels[k * 64 + 5], static_cast<std::int16_t>(10 * k));
}

TEST(Builder, AFrameThatDoesNotDecodeBecomesANamedGap) {
  const Series files = test::simple_series(30);
  const SeriesPlan plan = test::plan_of(files).value();
  const auto built = build_volume(plan, 0, FaultyOpener(files, {12}), nullptr, kLimit);
  ASSERT_TRUE(built);
  EXPECT_EQ(built.value().assembled.frames.size(), 29u);
  EXPECT_EQ(built.value().assembled.layout.affine.kind, recon::GeometryClass::per_slice);
  for (std::size_t k = 0; k < 29; ++k) {  // in terms of the caller's plan
    const FrameInfo& f = plan.frame_of(built.value().assembled, k);
    EXPECT_EQ(f.geometry.position_mm->z, built.value().assembled.layout.depth_mm[k]);
  }
  const auto& warnings = built.value().warnings;
  EXPECT_NE(warnings.at(0).find("1.2.3.4.5.13"), std::string::npos) << warnings[0];
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const auto& w) { return w.find("gap") == 0; }));
}

TEST(Builder, AFaultThatMayPassFailsTheVolumeInsteadOfLeavingAGap) {
  const Series files = test::simple_series(30);
  const SeriesPlan plan = test::plan_of(files).value();
  EXPECT_TRUE(build_volume(plan, 0, FaultyOpener(files, {12}, Errc::io), nullptr, kLimit).error() == Errc::io);
}

TEST(Builder, ManyBrokenFramesFailTheVolume) {
  const Series files = test::simple_series(30);
  const SeriesPlan plan = test::plan_of(files).value();
  EXPECT_TRUE(build_volume(plan, 0, FaultyOpener(files, {1, 2, 3, 4, 5}), nullptr, kLimit).error() == Errc::corrupt);
}

TEST(Builder, SizeIsLimitedBeforeAllocation) {
  const Series files = test::simple_series(3);
  const SeriesPlan plan = test::plan_of(files).value();
  EXPECT_EQ(voxel_bytes(plan, 0), 3u * 64 * 2);
  EXPECT_TRUE(build_volume(plan, 0, FileOpener(files), nullptr, 100).error() == Errc::limit_exceeded);
}

TEST(Builder, WindowFallsBackToTheValues) {
  const Series files = test::simple_series(11);  // 0 … 100
  const SeriesPlan plan = test::plan_of(files).value();
  const BuiltVolume built = build_volume(plan, 0, FileOpener(files), nullptr, kLimit).value();
  EXPECT_TRUE(built.window_from_values);
  EXPECT_NEAR(built.window->center, 50, 1);
  EXPECT_NEAR(built.window->width, 100, 2);
}

// 12 bits stored with High Bit 15: the value lies in the upper bits; the lower four are no part of it (PS3.5 8.1.1).
TEST(Samples, UnusedBitsAreDroppedAndTheSignExtended) {
  codec::PixelFormat format;
  format.rows = 1;
  format.columns = 3;
  format.bits_allocated = 16;
  format.bits_stored = 12;
  format.is_signed = true;
  recon::SliceGeometry g;
  g.position_mm = recon::Vec3{};
  g.row_direction = recon::Vec3{1, 0, 0};
  g.column_direction = recon::Vec3{0, 1, 0};
  g.row_spacing_mm = g.column_spacing_mm = 1;
  g.rows = 1;
  g.columns = 3;
  const auto layout = recon::assemble(std::span(&g, 1)).value().volumes[0].layout;
  auto stored = [&](std::uint16_t high_bit, std::vector<std::uint16_t> words) {
    format.high_bit = high_bit;
    codec::Frame frame;
    frame.rows = 1;
    frame.columns = 3;
    frame.samples_per_pixel = 1;
    frame.bits_allocated = 16;
    frame.bits_stored = 12;
    frame.is_signed = format.is_signed;
    frame.samples.resize(6);
    std::memcpy(frame.samples.data(), words.data(), 6);
    auto volume = recon::Volume::create(layout, voxel_type(format).value(), 1, 1000).value();
    EXPECT_TRUE(store_slice(frame, format, true, volume, 0));
    std::vector<std::int16_t> out(3);
    std::memcpy(out.data(), volume.slice(0, 0).data(), 6);
    return out;
  };
  EXPECT_EQ(stored(11, {0xF800, 0x07FF, 0x5001}), (std::vector<std::int16_t>{-2048, 2047, 1}));
  EXPECT_EQ(stored(15, {0x800F, 0x7FF5, 0x001A}), (std::vector<std::int16_t>{-2048, 2047, 1}));
  format.is_signed = false;
  EXPECT_EQ(stored(11, {0xF800, 0xF7FF, 0x5001}), (std::vector<std::int16_t>{2048, 2047, 1}));
}

TEST(FanOut, EachItemRunsOnceAlsoOnABusyPool) {
  io::WorkerPool pool(2, "test");
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int>> seen(101);
    fan_out(&pool, seen.size(), [&](std::size_t i) { seen[i].fetch_add(1); });
    for (const auto& s : seen) ASSERT_EQ(s.load(), 1);
  }
  // From jobs that fill the pool: no thread is free to help, so the callers must do all by themselves.
  std::atomic<int> total{0};
  std::atomic<int> finished{0};
  for (int job = 0; job < 2; ++job) {
    pool.submit(io::WorkClass::interactive, [&] {
      fan_out(&pool, 50, [&](std::size_t) { total.fetch_add(1); });
      finished.fetch_add(1);
    });
  }
  for (int n = 0; n < 5000 && finished.load() < 2; ++n) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(finished.load(), 2);
  EXPECT_EQ(total.load(), 100);
}

VolumePtr some_volume() {
  static const VolumePtr volume = [] {
    const Series files = test::simple_series(3);
    return std::make_shared<const BuiltVolume>(
        build_volume(test::plan_of(files).value(), 0, FileOpener(files), nullptr, kLimit).value());
  }();
  return volume;
}

TEST(VolumeCache, OneBuildServesAllWhoAsk) {
  VolumeCache cache(1000);
  int called = 0;
  auto done = [&](Result<VolumePtr> r) { called += r.has_value(); };
  EXPECT_TRUE(cache.get("a", "s", 400, done));
  EXPECT_FALSE(cache.get("a", "s", 400, done));
  EXPECT_EQ(called, 0);
  EXPECT_EQ(cache.usage().building_bytes, 400u);
  cache.finish("a", some_volume());
  EXPECT_EQ(called, 2);
  EXPECT_FALSE(cache.get("a", "s", 400, done));
  EXPECT_EQ(called, 3);
  EXPECT_EQ(cache.usage().misses, 1u);
  EXPECT_EQ(cache.usage().shared, 1u);
}

TEST(VolumeCache, LeastRecentlyUsedGoesFirstAndTheBudgetHolds) {
  VolumeCache cache(1000);
  auto ignore = [](Result<VolumePtr>) {};
  for (const char* key : {"a", "b"}) {
    ASSERT_TRUE(cache.get(key, "s", 400, ignore));
    cache.finish(key, some_volume());
  }
  EXPECT_TRUE(cache.peek("a"));
  ASSERT_TRUE(cache.get("c", "s", 400, ignore));
  EXPECT_FALSE(cache.peek("b"));
  EXPECT_TRUE(cache.peek("a"));
  EXPECT_LE(cache.usage().cached_bytes + cache.usage().building_bytes, 1000u);
  Result<VolumePtr> answer = some_volume();
  EXPECT_FALSE(cache.get("d", "s", 800, [&](Result<VolumePtr> r) { answer = std::move(r); }));
  EXPECT_TRUE(answer.error() == Errc::out_of_memory);  // c is being built and cannot be evicted
  EXPECT_FALSE(cache.get("e", "s", 1001, [&](Result<VolumePtr> r) { answer = std::move(r); }));
  EXPECT_TRUE(answer.error() == Errc::limit_exceeded);
  cache.finish("c", some_volume());
  EXPECT_TRUE(cache.get("d", "s", 800, ignore));
}

TEST(VolumeCache, AFailedBuildTellsAllAndMayBeTriedAgain) {
  VolumeCache cache(1000);
  int failed = 0;
  auto done = [&](Result<VolumePtr> r) { failed += !r.has_value(); };
  ASSERT_TRUE(cache.get("a", "s", 400, done));
  EXPECT_FALSE(cache.get("a", "s", 400, done));
  cache.finish("a", fail(Errc::corrupt, "x"));
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(cache.usage().building_bytes, 0u);
  EXPECT_TRUE(cache.get("a", "s", 400, done));
}

TEST(VolumeCache, OlderVersionsOfASeriesAreForgotten) {
  VolumeCache cache(1000);
  auto ignore = [](Result<VolumePtr>) {};
  for (const char* key : {"s|1|0", "s|2|0", "t|1|0"}) {
    ASSERT_TRUE(cache.get(key, std::string(key, 1), 100, ignore));
    cache.finish(key, some_volume());
  }
  cache.forget_older("s", "s|2|");
  EXPECT_FALSE(cache.peek("s|1|0"));
  EXPECT_TRUE(cache.peek("s|2|0"));
  EXPECT_TRUE(cache.peek("t|1|0"));
  EXPECT_EQ(cache.usage().cached_bytes, 200u);
}

}  // namespace
}  // namespace cairn::volumes
