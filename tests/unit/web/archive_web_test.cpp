// The web server over the real archive and real files: in over POST, back over DICOMweb, bit for bit, and as pictures.
#include <future>
#include <set>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/multipart_parser.h"
#include "tests/unit/web/test_client.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::Reply;
using testing::TestClient;

class ArchiveWeb : public testing::ArchiveFixture {};

/// Every BulkDataURI of a JSON value.
void collect_uris(const json::value& value, std::vector<std::string>& uris) {
  if (value.is_array()) {
    for (const auto& item : value.as_array()) collect_uris(item, uris);
  } else if (value.is_object()) {
    for (const auto& [key, inner] : value.as_object()) {
      if (key == "BulkDataURI") {
        uris.emplace_back(inner.as_string());
      } else {
        collect_uris(inner, uris);
      }
    }
  }
}

TEST_F(ArchiveWeb, GivesRealFilesBackBitForBitAndTheirBulkData) {
  const auto stored = post_all({"modalities", "syntaxes", "charsets"});
  ASSERT_GT(stored.size(), 60u);
  std::size_t compared = 0, bulk = 0;
  for (const auto& one : stored) {
    const Reply reply = get(one.path, {{"Accept", "application/dicom"}});
    ASSERT_EQ(reply.status, 200) << one.path << reply.body;
    ASSERT_TRUE(reply.whole);
    if (one.complete) {
      EXPECT_TRUE(reply.body == one.file) << one.name << ' ' << reply.body.size() << ' ' << one.file.size();
      ++compared;
    }
    const Reply metadata = get(one.path + "/metadata");
    ASSERT_EQ(metadata.status, 200) << one.path << metadata.body;
    boost::system::error_code error;
    const auto parsed = json::parse(metadata.body, error);
    ASSERT_FALSE(error) << one.path;
    std::vector<std::string> uris;
    collect_uris(parsed, uris);
    for (const auto& uri : uris) {
      const Reply value = get(uri);
      EXPECT_EQ(value.status, 200) << uri << value.body;
      EXPECT_TRUE(value.whole) << uri;
      EXPECT_GT(value.body.size(), 0u) << uri;
      // Stored values are where the file has them (a deflated one has them nowhere).
      if (one.complete &&
          reply.headers.get("Content-Type") != "application/dicom;transfer-syntax=1.2.840.10008.1.2.1.99") {
        EXPECT_NE(one.file.find(value.body.substr(0, 4096)), std::string::npos) << uri;
      }
      ++bulk;
    }
  }
  EXPECT_GT(compared, 50u);
  EXPECT_GT(bulk, 30u);
}

TEST_F(ArchiveWeb, GivesASeriesAsOneBodyAndItsMetadataFromTheIndex) {
  const auto stored = post_all({"volumes/ct-head-phantom-gantry-tilt/dicom"});
  ASSERT_GT(stored.size(), 3u);
  const std::string series = stored[0].path.substr(0, stored[0].path.find("/instances/"));
  const Reply reply = get(series);
  ASSERT_EQ(reply.status, 200);
  const std::string type(reply.headers.get("Content-Type"));
  const auto parts = testing::parse_multipart(reply.body, type.substr(type.find("boundary=") + 9));
  ASSERT_TRUE(parts);
  std::multiset<std::string> sent, received;
  for (const auto& one : stored) {
    if (one.path.substr(0, series.size() + 1) == series + '/') sent.insert(one.file);
  }
  for (const auto& part : *parts) received.insert(part.body);
  EXPECT_TRUE(sent == received);
  const Reply metadata = get(series + "/metadata");
  EXPECT_EQ(json::parse(metadata.body).as_array().size(), sent.size());
  const auto found = json::parse(get(series + "/instances").body).as_array();
  EXPECT_EQ(found.size(), sent.size());
  const std::string study = series.substr(0, series.find("/series/"));
  const auto studies =
      json::parse(get("/dicom-web/studies?StudyInstanceUID=" + study.substr(study.rfind('/') + 1)).body).as_array();
  ASSERT_EQ(studies.size(), 1u);
  EXPECT_EQ(studies[0].at("00201208").at("Value").at(0).to_number<std::size_t>(), stored.size());
  EXPECT_THAT(get("/").body, HasSubstr("/studies/" + study.substr(study.rfind('/') + 1)));
}

TEST_F(ArchiveWeb, WhatIsInMemoryIsAnsweredWhileThePoolIsBusy) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  const std::string frame = stored[0].path + "/frames/1";
  const std::size_t study_at = std::string("/dicom-web/studies/").size();
  const std::string study = stored[0].path.substr(study_at, stored[0].path.find("/series/") - study_at);
  const std::string search = "/dicom-web/studies?StudyInstanceUID=" + study;
  const TestClient::Fields single{{"Accept", "application/octet-stream"}};
  const Reply before = get(frame, single);
  ASSERT_EQ(before.status, 200) << before.body;

  std::promise<void> end;
  const auto until = end.get_future().share();
  std::atomic<std::size_t> busy{0};
  for (std::size_t i = 0; i < server_->pool().threads(); ++i) {
    server_->pool().submit(io::WorkClass::interactive, [&busy, until] {
      ++busy;
      until.wait_for(std::chrono::seconds(20));
      --busy;
    });
  }
  while (busy < server_->pool().threads()) std::this_thread::yield();
  const Reply again = get(frame, single);
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.body == before.body);
  const Reply many = get(frame);
  EXPECT_EQ(many.status, 200);
  EXPECT_NE(many.body.find(before.body), std::string::npos);
  const Reply found = get(search);
  EXPECT_EQ(found.status, 200);
  EXPECT_EQ(json::parse(found.body).as_array().size(), 1u);
  EXPECT_EQ(busy, server_->pool().threads());  // none of it waited for them
  end.set_value();
  while (busy > 0) std::this_thread::yield();
}

TEST_F(ArchiveWeb, ShowsPlanesOfARealSeries) {
  const auto stored = post_all({"volumes/ct-head-phantom-gantry-tilt/dicom"});
  ASSERT_GT(stored.size(), 3u);
  const std::string series = stored[0].path.substr(0, stored[0].path.find("/instances/"));
  for (const char* orientation : {"a", "l", "f"}) {
    const std::string target = series + "/renderedmpr?viewport=256,200&orientation=" + orientation;
    const Reply png = get(target, {{"Accept", "image/png"}});
    ASSERT_EQ(png.status, 200) << png.body;
    ASSERT_GT(png.body.size(), 1000u);
    EXPECT_EQ(png.body.substr(1, 3), "PNG");
    EXPECT_EQ(load_be<std::uint32_t>(as_bytes(png.body).data() + 16), 256u);
    EXPECT_EQ(load_be<std::uint32_t>(as_bytes(png.body).data() + 20), 200u);
    const Reply jpeg = get(target);
    EXPECT_EQ(jpeg.headers.get("Content-Type"), "image/jpeg");
    EXPECT_EQ(jpeg.body.substr(0, 2), "\xff\xd8");
    EXPECT_EQ(get(target, {{"If-None-Match", std::string(jpeg.headers.get("ETag"))}}).status, 304);
  }
  const Reply bad = get(series + "/renderedmpr?orientation=q");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(json::parse(bad.body).at("where"), "orientation");
  EXPECT_EQ(get(series + "/renderedMPR?viewpointposition=0,0,0&viewpointlookat=0,0,0&viewpointup=0,0,1").status, 400);
  EXPECT_EQ(get("/dicom-web/studies/1.2.3/series/4.5.6/renderedmpr").status, 404);
  EXPECT_EQ(get(series.substr(0, series.find("/series/")) + "/renderedmpr?viewport=64,64").status, 200);
  const Reply module = get(series + "/renderedmpr?renderedvolumetricmetadata=yes&orientation=a");
  ASSERT_EQ(module.status, 200) << module.body;
  EXPECT_TRUE(json::parse(module.body).at(0).as_object().contains("00701603"));
  const Reply stack =
      get(series + "/renderedmpr?viewport=64,64&planes=5,2", {{"Accept", "multipart/related; type=\"image/png\""}});
  ASSERT_EQ(stack.status, 200) << stack.body;
  std::size_t pictures = 0;
  for (std::size_t at = 0; (at = stack.body.find("\x89PNG", at)) != std::string::npos; ++at) ++pictures;
  EXPECT_EQ(pictures, 5u);
  EXPECT_TRUE(stack.body.ends_with("--\r\n"));
  const Reply values = get(series + "/renderedmpr?viewport=64,32", {{"Accept", "application/octet-stream"}});
  EXPECT_EQ(values.body.size(), 64u * 32 * 4);
  const auto plane = json::parse(std::string(values.headers.get("Cairn-Plane"))).as_object();
  EXPECT_EQ(plane.at("type"), "float32");
  EXPECT_EQ(get(series + "/renderedmpr?bits=16", {{"Accept", "image/jpeg"}}).status, 406);
  EXPECT_EQ(get(series + "/renderedmpr?bits=16", {{"Accept", "image/png"}}).body[24], 16);
  const std::string report = "/api/v1" + series.substr(std::string("/dicom-web").size()) + "/volume";
  const Reply nrrd = get(report + ".nrrd");
  ASSERT_EQ(nrrd.status, 200);
  EXPECT_TRUE(nrrd.body.starts_with("NRRD0004"));
  const Reply nifti = get(report + ".nii");
  ASSERT_EQ(nifti.status, 200);
  EXPECT_EQ(nifti.body.size(), 352 + (nrrd.body.size() - nrrd.body.find("\n\n") - 2));
  EXPECT_EQ(nifti.body.substr(352), nrrd.body.substr(nrrd.body.find("\n\n") + 2));
  EXPECT_EQ(get(report + ".nii.gz").body.substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(get(report + ".nrrd?volumeinputreference=x").status, 400);
  EXPECT_EQ(get(report + ".nrrd?volumeinputreference=1.2.3").status, 404);
  const Reply volume = get(report);
  ASSERT_EQ(volume.status, 200);
  EXPECT_TRUE(json::parse(volume.body).is_object());
}

TEST_F(ArchiveWeb, VerifiesWhatItHolds) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  TestClient client(server_->port());
  const Reply reply = client.request("POST", "/api/v1/verify", {}, {});
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr("{\"done\":true,\"instances\":" + std::to_string(stored.size()) + ",\"faults\":0"));
}

}  // namespace
}  // namespace cairn::web
