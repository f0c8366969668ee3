// Rendered resources and thumbnails over a socket, from real files.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/multipart_parser.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using testing::Reply;

class Rendered : public testing::ArchiveFixture {};

bool is_jpeg(const std::string& body) {
  return body.starts_with("\xff\xd8") && body.ends_with("\xff\xd9");
}
std::pair<std::uint32_t, std::uint32_t> png_size(const std::string& body) {
  if (body.size() < 24 || body.substr(1, 3) != "PNG") return {0, 0};
  return {load_be<std::uint32_t>(as_bytes(body).data() + 16), load_be<std::uint32_t>(as_bytes(body).data() + 20)};
}

TEST_F(Rendered, EveryRealImageIsShownOrRefusedPlainly) {
  std::size_t shown = 0, refused = 0;
  for (const auto& one : post_all({"syntaxes", "modalities"})) {
    const Reply reply = get(one.path + "/rendered", {{"Accept", "image/jpeg"}});
    if (reply.status == 200) {
      EXPECT_TRUE(is_jpeg(reply.body)) << one.name;
      EXPECT_EQ(reply.headers.get("Content-Type"), "image/jpeg");
      const Reply small = get(one.path + "/thumbnail?accept=image/png");
      const auto [columns, rows] = png_size(small.body);
      EXPECT_TRUE(columns > 0 && rows > 0 && columns <= 128 && rows <= 128) << one.name;
      ++shown;
    } else {
      EXPECT_THAT(reply.status, ::testing::AnyOf(400, 406)) << one.name << reply.body;
      EXPECT_TRUE(json::parse(reply.body).is_object());
      ++refused;
    }
  }
  EXPECT_GT(shown, 60u);
  EXPECT_LT(refused, 40u);
}

TEST_F(Rendered, ASeriesAndItsFramesByEveryParameter) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_GT(stored.size(), 2u);
  const std::string series = stored[0].path.substr(0, stored[0].path.find("/instances/"));
  const std::string study = series.substr(0, series.find("/series/"));
  for (const std::string& place : {study, series, stored[0].path, stored[0].path + "/frames/1"}) {
    EXPECT_TRUE(is_jpeg(get(place + "/rendered").body)) << place;
    EXPECT_TRUE(is_jpeg(get(place + "/thumbnail").body)) << place;
  }
  const std::string target = stored[0].path + "/rendered?accept=image/png";
  const Reply plain = get(target);
  EXPECT_EQ(png_size(get(target + "&viewport=200,100").body), (std::pair<std::uint32_t, std::uint32_t>{100, 100}));
  EXPECT_EQ(png_size(get(target + "&viewport=64,64,10,20,32,16").body),
            (std::pair<std::uint32_t, std::uint32_t>{64, 32}));
  EXPECT_NE(get(target + "&window=40,80,linear").body, plain.body);
  EXPECT_EQ(get(target + "&window=40").status, 400);
  EXPECT_EQ(get(target + "&viewport=10,10,99999,0,5,5").status, 413);
  EXPECT_EQ(get(stored[0].path + "/frames/2/rendered").status, 404);
  EXPECT_EQ(get(stored[0].path + "/rendered?accept=image/gif").status, 406);
  const std::string etag(plain.headers.get("ETag"));
  EXPECT_EQ(get(target, {{"If-None-Match", etag}}).status, 304);
  EXPECT_EQ(get(target + "&window=40,80,linear", {{"If-None-Match", etag}}).status, 200);
  EXPECT_LT(get(stored[0].path + "/rendered?quality=20").body.size(),
            get(stored[0].path + "/rendered?quality=95").body.size());
}

TEST_F(Rendered, AllFramesComeAsParts) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_GT(stored.size(), 2u);
  const std::string series = stored[0].path.substr(0, stored[0].path.find("/instances/"));
  const Reply reply = get(series + "/rendered", {{"Accept", "multipart/related; type=\"image/png\""}});
  ASSERT_EQ(reply.status, 200);
  const std::string type(reply.headers.get("Content-Type"));
  const auto parts = testing::parse_multipart(reply.body, type.substr(type.find("boundary=") + 9));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->size(), stored.size());
  for (const auto& part : *parts) {
    EXPECT_EQ(part.headers.at("content-type"), "image/png");
    EXPECT_TRUE(get(part.headers.at("content-location") + "?accept=image/png").body == part.body);
  }
}

}  // namespace
}  // namespace cairn::web
