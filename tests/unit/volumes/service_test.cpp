#include "engine/volumes/service.h"

#include <bit>
#include <cmath>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <png.h>
#include <zlib.h>

#include "engine/core/bytes.h"
#include "engine/io/worker_pool.h"
#include "fake_archive.h"
#include "synthetic.h"

namespace cairn::volumes {
namespace {

namespace json = boost::json;
using test::Series;

struct Picture {
  std::uint32_t width = 0, height = 0;
  std::vector<std::uint8_t> grey;
};

Picture decode_png(const std::vector<std::byte>& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  Picture p;
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0) return p;
  image.format = PNG_FORMAT_GRAY;
  p.grey.resize(PNG_IMAGE_SIZE(image));
  png_image_finish_read(&image, nullptr, p.grey.data(), 0, nullptr);
  p.width = image.width;
  p.height = image.height;
  return p;
}

// The pool posts back from outside, so the caller keeps the context running.
template <class T>
void start(asio::io_context& io, Task<T> task, std::function<void(Result<T>)> done) {
  auto run = [](Task<T> inner, std::function<void(Result<T>)> then) -> asio::awaitable<void> {
    Result<T> result = co_await std::move(inner);
    then(std::move(result));
  };
  asio::co_spawn(io, run(std::move(task), std::move(done)), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
}

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    for (auto& f : test::simple_series(10)) archive_.put(std::move(f));
  }

  template <class T>
  Result<T> wait(Task<T> task) {
    asio::io_context io;
    Result<T> result = fail(Errc::internal, "not finished");
    start<T>(io, std::move(task), [&](Result<T> r) { result = std::move(r); });
    auto guard = asio::make_work_guard(io);
    while (!result && result.error() == Errc::internal) io.run_one();
    return result;
  }

  static RenderRequest request(std::string_view orientation = "f") {
    RenderRequest r;
    r.volume.study_uid = "1.2.3";
    r.volume.series_uid = "1.2.3.4";
    r.orientation = recon::parse_orientation(orientation).value();
    r.window = codec::Window{50, 100, codec::VOIFunction::linear_exact};
    r.media = MediaType::png;
    return r;
  }

  test::FakeArchive archive_;
  io::WorkerPool pool_{2, "test"};
  Service service_{archive_, pool_, {}};
};

TEST_F(ServiceTest, DrawsTheCoronalPlaneWithHeadUpAndFillsInDefaults) {
  RenderRequest r = request("a");
  r.viewport = {80, 200};  // 8 mm x 20 mm
  const auto image = wait(service_.render(r));
  ASSERT_TRUE(image) << to_string(image.error());
  EXPECT_STREQ(image.value().content_type, "image/png");
  const Picture p = decode_png(image.value().bytes);
  ASSERT_EQ(p.width, 80u);
  ASSERT_EQ(p.height, 200u);
  EXPECT_EQ(p.grey[195 * 80 + 40], 0);                // slice 0 at the feet: value 0
  EXPECT_NEAR(p.grey[5 * 80 + 40], 0.9 * 255, 2);     // slice 9 at the head: value 90
  EXPECT_NEAR(p.grey[100 * 80 + 40], 0.45 * 255, 3);  // halfway
  EXPECT_EQ(image.value().applied.geometry_class, "affine-orthogonal");
  EXPECT_EQ(image.value().applied.volumes, 1u);
  EXPECT_EQ(image.value().applied.camera.up.z, 1);
}

TEST_F(ServiceTest, SecondRequestUsesTheCacheAndGivesTheSameBytes) {
  const auto first = wait(service_.render(request()));
  const int opened = archive_.opened;
  const auto second = wait(service_.render(request()));
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(first.value().was_cached);
  EXPECT_TRUE(second.value().was_cached);
  EXPECT_EQ(archive_.opened, opened);
  EXPECT_EQ(first.value().bytes, second.value().bytes);
  EXPECT_EQ(first.value().etag, second.value().etag);
  EXPECT_NE(first.value().etag, wait(service_.render(request("l"))).value().etag);
  EXPECT_EQ(service_.stats().cached_volumes, 1u);
  EXPECT_EQ(service_.stats().pictures, 3u);
}

TEST_F(ServiceTest, RequestsForOneColdVolumeShareOneBuild) {
  asio::io_context io;
  int good = 0;
  for (int n = 0; n < 8; ++n) {
    start<RenderedImage>(io, service_.render(request()), [&](Result<RenderedImage> r) { good += r.has_value(); });
  }
  auto guard = asio::make_work_guard(io);
  for (int n = 0; n < 500 && good < 8; ++n) io.run_for(std::chrono::milliseconds(10));
  EXPECT_EQ(good, 8);
  EXPECT_EQ(service_.stats().misses, 1u);
  EXPECT_EQ(service_.stats().decoded_frames, 10u);
}

TEST_F(ServiceTest, ANewInstanceMakesANewVolume) {
  const auto before = wait(service_.render(request("a")));
  test::Slice s;
  s.instance = "1.2.3.4.5.77";
  s.position = "0\\0\\20";
  archive_.put(test::slice_file(s));
  const auto after = wait(service_.render(request("a")));
  ASSERT_TRUE(before && after);
  EXPECT_FALSE(after.value().was_cached);
  EXPECT_NE(before.value().etag, after.value().etag);
  EXPECT_GT(after.value().applied.viewport.height, before.value().applied.viewport.height);
  EXPECT_EQ(service_.stats().cached_volumes, 1u);  // the old one is gone
}

TEST_F(ServiceTest, BadRequestsAreNamedBeforeAnythingIsBuilt) {
  auto error = [&](RenderRequest r) {
    const auto answer = wait(service_.render(std::move(r)));
    return answer ? Error{} : answer.error();
  };
  RenderRequest r = request();
  r.viewpoint = recon::Camera{{0, -100, 0}, {0, 0, 0}, {0, 0, 1}};
  EXPECT_TRUE(error(r) == Errc::malformed);
  r.orientation.reset();
  r.viewpoint->up = {0, 0, 0};
  EXPECT_TRUE(error(r) == Errc::malformed);
  r = request();
  r.window->width = 0;
  EXPECT_TRUE(error(r) == Errc::malformed);
  r = request();
  r.viewport = {10, 0};
  EXPECT_TRUE(error(r) == Errc::malformed);
  r.viewport = {100'000, 10};
  EXPECT_TRUE(error(r) == Errc::limit_exceeded);
  r = request();
  r.slab.thickness_mm = -1;
  EXPECT_TRUE(error(r) == Errc::malformed);
  r = request();
  r.volume.series_uid = "9";
  EXPECT_TRUE(error(r) == Errc::not_found);
  r = request();
  r.volume.instance_uid = "9";
  EXPECT_TRUE(error(r) == Errc::not_found);
  r = request();
  r.volume.reference_uid = "9";
  EXPECT_TRUE(error(r) == Errc::not_found);
  EXPECT_EQ(service_.stats().misses, 0u);
}

TEST_F(ServiceTest, SeriesWithoutGeometryIsRefusedAndTheReportSaysWhy) {
  test::Slice s;
  s.series = "1.2.3.5";
  s.position.clear();
  archive_.put(test::slice_file(s));
  RenderRequest r = request();
  r.volume.series_uid = "1.2.3.5";
  EXPECT_TRUE(wait(service_.render(r)).error() == Errc::unsupported);
  const auto report = wait(service_.report_json(r.volume));
  ASSERT_TRUE(report);
  const json::object o = json::parse(report.value()).as_object();
  EXPECT_TRUE(o.at("volumes").as_array().empty());
  EXPECT_FALSE(o.contains("primary"));
  EXPECT_EQ(o.at("instances").at(0).at("frames").at(0).at("reason").as_string(), "missing Image Position (Patient)");
}

TEST_F(ServiceTest, ReportAccountsForEveryInstance) {
  const auto report = wait(service_.report_json(request().volume));
  ASSERT_TRUE(report);
  const json::object o = json::parse(report.value()).as_object();
  EXPECT_EQ(o.at("instances").as_array().size(), 10u);
  const json::object& v = o.at("volumes").at(0).as_object();
  EXPECT_EQ(v.at("dimensions"), (json::array{8, 8, 10}));
  EXPECT_NEAR(v.at("spacing_mm").at(2).to_number<double>(), 2, 1e-12);
  EXPECT_EQ(v.at("geometry").as_string(), "affine-orthogonal");
  EXPECT_EQ(v.at("voxel_type").as_string(), "int16");
}

TEST_F(ServiceTest, ResolvedParametersAskedForAgainGiveTheSamePicture) {
  RenderRequest r = request("l");
  r.window.reset();
  const auto applied = wait(service_.resolve(r));
  ASSERT_TRUE(applied);
  const json::object module = json::parse(response_module_json(applied.value())).as_object();
  EXPECT_EQ(module.at("00720510").at("Value").at(0).as_string(), "MPR");
  EXPECT_EQ(module.at("00701605").at("Value"), (json::array{0.0, 0.0, 1.0}));
  const auto by_orientation = wait(service_.render(r));
  r.orientation.reset();
  r.viewpoint = applied.value().camera;
  r.window = applied.value().window;
  const auto by_viewpoint = wait(service_.render(r));
  ASSERT_TRUE(by_orientation && by_viewpoint);
  EXPECT_EQ(by_orientation.value().bytes, by_viewpoint.value().bytes);
}

TEST_F(ServiceTest, InstanceAndReferenceChooseTheVolume) {
  RenderRequest r = request();
  r.volume.instance_uid = "1.2.3.4.5.4";
  const auto one = wait(service_.render(r));
  ASSERT_TRUE(one);
  EXPECT_EQ(decode_png(one.value().bytes).grey[4 * 8 + 4], static_cast<std::uint8_t>(77));  // value 30 of 0..100
  r = request();
  r.volume.reference_uid = "1.2.3.4.5.4";
  EXPECT_EQ(wait(service_.render(r)).value().applied.volume, 0u);
}

TEST_F(ServiceTest, Monochrome1IsInvertedAndTheSurroundStaysBlack) {
  test::Slice s;
  s.series = "1.2.3.6";
  s.value = 0;
  dicom::DataSet d = slice_header(s);
  d.set_text(dicom::tags::PhotometricInterpretation, dicom::VR::CS, "MONOCHROME1");
  archive_.put(test::file_of(d, slice_pixels(s)));
  RenderRequest r = request();
  r.volume.series_uid = "1.2.3.6";
  r.viewport = {32, 16};
  const auto image = wait(service_.render(r));
  ASSERT_TRUE(image);
  EXPECT_TRUE(image.value().applied.inverted);
  const Picture p = decode_png(image.value().bytes);
  EXPECT_EQ(p.grey[8 * 32 + 16], 255);
  EXPECT_EQ(p.grey[8 * 32 + 1], 0);
}

// In a deflated data set (PS3.5 A.5) the pixels have no place of their own in the stored stream.
TEST_F(ServiceTest, DeflatedInstancesAreInflatedForTheirPixels) {
  constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";
  for (int k = 0; k < 4; ++k) {
    test::Slice s;
    s.series = "1.2.3.7";
    s.instance = "1.2.3.7." + std::to_string(k + 1);
    s.position = "0\\0\\" + std::to_string(k);
    dicom::DataSet d = slice_header(s);
    std::string pixels = slice_pixels(s);
    pixels[2 * (8 * 4 + 4)] = static_cast<char>(25 * k);  // one pixel tells the slices apart
    test::set_binary(d, dicom::tags::PixelData, dicom::VR::OW, std::move(pixels));
    std::string plain = d.encode(dicom::encoding_of(test::kExplicit));
    std::string packed(compressBound(plain.size()), '\0');
    z_stream z{};
    ASSERT_EQ(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = reinterpret_cast<Bytef*>(plain.data());
    z.avail_in = static_cast<uInt>(plain.size());
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = static_cast<uInt>(packed.size());
    ASSERT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed.resize(z.total_out);
    deflateEnd(&z);
    auto file = test::scan(dicom::make_file_meta("1.2.840.10008.5.1.4.1.1.2", s.instance, kDeflated, "") + packed);
    ASSERT_TRUE(file) << to_string(file.error());
    archive_.put(std::move(file.value()));
  }
  RenderRequest r = request();
  r.volume.series_uid = "1.2.3.7";
  r.volume.instance_uid = "1.2.3.7.3";
  const auto image = wait(service_.render(r));
  ASSERT_TRUE(image) << to_string(image.error());
  EXPECT_EQ(decode_png(image.value().bytes).grey[8 * 4 + 4], 128);  // 50 of 0 to 100
}

TEST_F(ServiceTest, JPEGIsMadeWhenAskedFor) {
  RenderRequest r = request();
  r.media = MediaType::jpeg;
  const auto image = wait(service_.render(r));
  ASSERT_TRUE(image);
  EXPECT_STREQ(image.value().content_type, "image/jpeg");
  EXPECT_EQ(image.value().bytes.at(0), std::byte{0xff});
  EXPECT_EQ(image.value().bytes.at(1), std::byte{0xd8});
  r.quality = 101;
  EXPECT_TRUE(wait(service_.render(r)).error() == Errc::malformed);
}

TEST_F(ServiceTest, GivesValuesAsTheyAreAndSaysWhatTheyMean) {
  RenderRequest r = request();
  r.window.reset();
  r.viewport = {8, 8};
  r.media = MediaType::raw;
  r.advance_mm = -3;  // between slices, 3 mm nearer to the feet, where the camera stands
  const auto raw = wait(service_.render(r));
  ASSERT_TRUE(raw) << to_string(raw.error());
  EXPECT_STREQ(raw.value().content_type, "application/octet-stream");
  ASSERT_EQ(raw.value().bytes.size(), 8u * 8 * 4);
  const float value = std::bit_cast<float>(load_le<std::uint32_t>(raw.value().bytes.data() + 4 * 27));
  EXPECT_FLOAT_EQ(value, 30);  // the middle of ten slices is at 45; slices are 2 mm and 10 apart

  r.media = MediaType::png16;
  const auto png = wait(service_.render(r));
  ASSERT_TRUE(png) << to_string(png.error());
  const Applied& a = png.value().applied;
  EXPECT_EQ(a.value_scale, 1);
  EXPECT_EQ(a.value_offset, -32768);
  EXPECT_EQ(png.value().bytes.at(24), std::byte{16});  // bit depth in IHDR
  const auto stated = json::parse(plane_json(a, MediaType::png16)).as_object();
  EXPECT_EQ(stated.at("type"), "uint16");
  EXPECT_EQ(stated.at("offset").as_double(), -32768);
  EXPECT_EQ(stated.at("frame_of_reference_uid"), "1.2.3.99");
  EXPECT_NE(png.value().etag, raw.value().etag);

  r.window = codec::Window{50, 100, codec::VOIFunction::linear};
  EXPECT_TRUE(wait(service_.render(r)).error() == Errc::malformed);
}

TEST_F(ServiceTest, PaintsTheVolumeAndSaysHow) {
  RenderRequest r = request("a");
  r.window.reset();
  r.viewport = {40, 100};
  r.scene.emplace();
  r.scene->points = {{-1, 1, 1, 1, 0}, {50, 1, 1, 1, .1}, {90, 1, 1, 1, .9}};
  const auto own = wait(service_.render(r));
  ASSERT_TRUE(own) << to_string(own.error());
  const Picture p = decode_png(own.value().bytes);
  ASSERT_EQ(p.grey.size(), 4000u);
  EXPECT_GT(p.grey[10 * 40 + 20], p.grey[90 * 40 + 20]);  // slices towards the head are denser
  r.scene->points.clear();
  const auto preset = wait(service_.render(r));
  ASSERT_TRUE(preset);
  EXPECT_EQ(preset.value().applied.scene->preset, "bone");  // it is CT
  EXPECT_NE(preset.value().etag, own.value().etag);
  r.scene->perspective = true;
  EXPECT_NE(wait(service_.render(r)).value().etag, preset.value().etag);
  r.media = MediaType::raw;
  EXPECT_TRUE(wait(service_.render(r)).error() == Errc::malformed);
  r.scene->look = recon::Look::maximum;
  const auto values = wait(service_.render(r));
  ASSERT_TRUE(values);
  float most = 0;
  for (std::size_t n = 0; n < 4000; ++n) {
    const float x = std::bit_cast<float>(load_le<std::uint32_t>(values.value().bytes.data() + 4 * n));
    if (x > most) most = x;
  }
  EXPECT_GT(most, 80);
  EXPECT_LE(most, 90);
  r.slab.thickness_mm = 5;
  EXPECT_TRUE(wait(service_.render(r)).error() == Errc::malformed);
}

TEST_F(ServiceTest, NearestShowsStoredValuesOnly) {
  RenderRequest r = request("a");
  r.window.reset();
  r.viewport = {40, 100};
  r.media = MediaType::raw;
  r.interpolation = recon::Interpolation::nearest;
  const auto raw = wait(service_.render(r));
  ASSERT_TRUE(raw);
  for (std::size_t n = 0; n < 40 * 100; ++n) {
    const float value = std::bit_cast<float>(load_le<std::uint32_t>(raw.value().bytes.data() + 4 * n));
    EXPECT_EQ(std::fmod(value, 10.0f), 0) << value;
  }
}

TEST(ServiceLimits, AVolumeLargerThanTheBudgetIsRefused) {
  test::FakeArchive archive;
  for (auto& f : test::simple_series(10)) archive.put(std::move(f));
  io::WorkerPool pool(1, "test");
  Options options;
  options.cache_bytes = 100;
  Service service(archive, pool, options);
  asio::io_context io;
  Result<RenderedImage> result = fail(Errc::internal, "not finished");
  RenderRequest r;
  r.volume = {"1.2.3", "1.2.3.4", "", "", 0};
  start<RenderedImage>(io, service.render(r), [&](Result<RenderedImage> got) { result = std::move(got); });
  auto guard = asio::make_work_guard(io);
  io.run_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(result.error() == Errc::limit_exceeded);
}

}  // namespace
}  // namespace cairn::volumes
