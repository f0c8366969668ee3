// DICOMweb over a socket: search, retrieve, metadata, bulk data, pages.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/multipart_parser.h"
#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::part10_of;
using testing::Reply;
using testing::Sample;
using testing::TestClient;
using testing::TestServer;

constexpr const char* kInstance = "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1";

/// Two studies: 1.2 with series 1.2.3 (3 instances) and 1.2.4 (1), and 1.9 with one instance.
void fill(testing::FakeArchive& archive) {
  for (int i = 1; i <= 3; ++i) {
    archive.put(part10_of(
        {.instance = "1.2.3." + std::to_string(i), .number = i, .pixel_bytes = 20'000u * static_cast<unsigned>(i)}));
  }
  archive.put(part10_of({.series = "1.2.4", .instance = "1.2.4.1", .number = 9}));
  archive.put(part10_of(
      {.study = "1.9", .series = "1.9.1", .instance = "1.9.1.1", .patient_id = "P2", .patient_name = "<b>&Roe"}));
}

json::array parsed(const Reply& reply) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.get("Content-Type"), "application/dicom+json");
  return json::parse(reply.body).as_array();
}

std::string value_of(const json::value& match, const char* tag) {
  return std::string(match.at(tag).at("Value").at(0).as_string());
}

std::string boundary_of(const Reply& reply) {
  const std::string type(reply.headers.get("Content-Type"));
  const std::size_t at = type.find("boundary=");
  return at == std::string::npos ? std::string() : type.substr(at + 9);
}

TEST(Search, AnswersEachLevelWithItsRetrieveURL) {
  TestServer server;
  fill(server.archive);
  auto studies = parsed(get(server.port(), "/dicom-web/studies"));
  ASSERT_EQ(studies.size(), 2u);
  EXPECT_EQ(value_of(studies[0], "00081190"), "http://localhost/dicom-web/studies/1.2");
  EXPECT_EQ(value_of(studies[0], "00080056"), "ONLINE");
  auto series = parsed(get(server.port(), "/dicom-web/studies/1.2/series"));
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(value_of(series[1], "00081190"), "http://localhost/dicom-web/studies/1.2/series/1.2.4");
  auto instances = parsed(get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances"));
  ASSERT_EQ(instances.size(), 3u);
  EXPECT_EQ(value_of(instances[0], "00081190"), "http://localhost" + std::string(kInstance));
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/series")).size(), 3u);
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/instances")).size(), 5u);
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/studies/1.2/instances")).size(), 4u);
}

TEST(Search, MatchesKeysAndPages) {
  TestServer server;
  fill(server.archive);
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/studies?PatientID=P2")).size(), 1u);
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/studies?00100020=P1,P2")).size(), 2u);
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/studies?StudyInstanceUID=7.7")).size(), 0u);
  const auto page = parsed(get(server.port(), "/dicom-web/instances?limit=2&offset=4"));
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(value_of(page[0], "00080018"), "1.9.1.1");
  EXPECT_EQ(get(server.port(), "/dicom-web/studies?limit=abc").status, 400);
}

TEST(Search, IgnoresWhatItDoesNotKnowWithAWarning) {
  TestServer server;
  fill(server.archive);
  const Reply reply = get(server.port(), "/dicom-web/studies?Nickname=Doe*");
  EXPECT_EQ(parsed(reply).size(), 2u);
  const std::string warning = reply.headers.joined("Warning");
  EXPECT_THAT(warning, HasSubstr("299 "));
  EXPECT_THAT(warning, HasSubstr("Nickname"));
  EXPECT_THAT(warning, Not(HasSubstr("Doe")));
  EXPECT_EQ(get(server.port(), "/dicom-web/studies", {{"Accept", "application/dicom+xml"}}).status, 406);
}

TEST(Retrieve, GivesASeriesAsStoredPartByPart) {
  TestServer server;
  fill(server.archive);
  const Reply reply = get(server.port(), "/dicom-web/studies/1.2/series/1.2.3",
                          {{"Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*"}});
  ASSERT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.headers.contains("Content-Length"));
  ASSERT_TRUE(reply.whole);
  const auto parts = testing::parse_multipart(reply.body, boundary_of(reply));
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 3u);
  for (int i = 1; i <= 3; ++i) {
    const auto& part = (*parts)[static_cast<std::size_t>(i - 1)];
    EXPECT_EQ(part.body, part10_of({.instance = "1.2.3." + std::to_string(i),
                                    .number = i,
                                    .pixel_bytes = 20'000u * static_cast<unsigned>(i)}));
    EXPECT_EQ(part.headers.at("content-type"), "application/dicom;transfer-syntax=1.2.840.10008.1.2.1");
    EXPECT_EQ(part.headers.at("content-location"),
              "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3." + std::to_string(i));
  }
}

TEST(Retrieve, GivesAStudyWhateverTheParts) {
  for (const std::size_t part_bytes : {1u, 333u, 5'000'000u}) {
    TestServer server;
    server.archive.part_bytes = part_bytes;
    std::vector<std::string> files;
    for (int i = 1; i <= 2; ++i) {
      files.push_back(part10_of(
          {.instance = "1.2.3." + std::to_string(i), .number = i, .pixel_bytes = part_bytes == 1 ? 500u : 5'000'000u}));
      server.archive.put(files.back());
    }
    const Reply reply = get(server.port(), "/dicom-web/studies/1.2");
    ASSERT_TRUE(reply.whole);
    const auto parts = testing::parse_multipart(reply.body, boundary_of(reply));
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 2u);
    EXPECT_TRUE((*parts)[0].body == files[0] && (*parts)[1].body == files[1]);
  }
}

TEST(Retrieve, GivesOneInstanceBareToWhoeverPrefersIt) {
  TestServer server;
  fill(server.archive);
  const std::string file = part10_of({});
  Reply reply = get(server.port(), kInstance, {{"Accept", "application/dicom"}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.get("Content-Type"), "application/dicom;transfer-syntax=1.2.840.10008.1.2.1");
  EXPECT_EQ(reply.body, file);
  const std::string etag(reply.headers.get("ETag"));
  EXPECT_EQ(get(server.port(), kInstance, {{"Accept", "application/dicom"}, {"If-None-Match", etag}}).status, 304);
  reply = get(server.port(), kInstance, {{"Accept", "application/dicom"}, {"Range", "bytes=100-1199"}});
  EXPECT_EQ(reply.status, 206);
  EXPECT_EQ(reply.body, file.substr(100, 1100));
  EXPECT_EQ(reply.headers.get("Content-Range"), "bytes 100-1199/" + std::to_string(file.size()));
  reply = get(server.port(), kInstance,
              {{"Accept", "application/dicom"}, {"Range", "bytes=100-1199"}, {"If-Range", "\"other\""}});
  EXPECT_EQ(reply.status, 200);
  reply = get(server.port(), kInstance, {{"Accept", "application/dicom"}, {"Range", "bytes=99999999-"}});
  EXPECT_EQ(reply.status, 416);
  reply = get(server.port(), std::string(kInstance) + "?accept=application/dicom", {{"Accept", "image/jpeg"}});
  EXPECT_EQ(reply.body, file);
}

TEST(Retrieve, OffersWhatIsStoredWhenAskedForSomethingElse) {
  TestServer server;
  fill(server.archive);
  const Reply reply =
      get(server.port(), "/dicom-web/studies/1.2",
          {{"Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.4.100"}});
  EXPECT_EQ(reply.status, 406);
  EXPECT_THAT(reply.body, HasSubstr(" 1.2.840.10008.1.2.1 "));
  EXPECT_THAT(reply.body, HasSubstr(" 1.2.840.10008.1.2.4.80 "));
}

TEST(Retrieve, NamesTheFaultOfAPath) {
  TestServer server;
  fill(server.archive);
  EXPECT_EQ(get(server.port(), "/dicom-web/studies/7.7").status, 404);
  EXPECT_EQ(get(server.port(), "/dicom-web/studies/1.2/series/1.9.1").status, 404);
  EXPECT_EQ(get(server.port(), "/dicom-web/studies/1.9/series/1.9.1/instances/1.2.3.1").status, 404);
  const Reply reply = get(server.port(), "/dicom-web/studies/1.2/series/..%2f..%2fetc");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(json::parse(reply.body).at("where"), "SeriesInstanceUID");
}

TEST(Retrieve, NeverServesDamageAsGood) {
  TestServer server;
  server.archive.put(part10_of({.pixel_bytes = 10'000'000}));
  server.archive.corrupt_from = 0;
  Reply reply = get(server.port(), "/dicom-web/studies/1.2");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(json::parse(reply.body).at("error"), "checksum mismatch");
  server.archive.corrupt_from = 9'000'000;
  reply = get(server.port(), "/dicom-web/studies/1.2");
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.whole);
  EXPECT_THAT(get(server.port(), "/metrics").body, HasSubstr("cairn_http_cut_responses_total 1"));
}

TEST(Metadata, IsTheWholeDataSetWithPixelsByReference) {
  TestServer server;
  fill(server.archive);
  const Reply reply = get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/metadata");
  const auto all = parsed(reply);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(value_of(all[0], "00080018"), "1.2.3.1");
  EXPECT_EQ(all[0].at("00100010").at("Value").at(0).at("Alphabetic"), "Doe^John");
  const std::string uri(all[0].at("7FE00010").at("BulkDataURI").as_string());
  EXPECT_EQ(uri, std::string(kInstance) + "/bulkdata/7FE00010");
  EXPECT_EQ(parsed(get(server.port(), "/dicom-web/studies/1.2/metadata")).size(), 4u);
  EXPECT_EQ(parsed(get(server.port(), std::string(kInstance) + "/metadata")).size(), 1u);
  EXPECT_EQ(get(server.port(), "/dicom-web/studies/7.7/metadata").status, 404);
  EXPECT_EQ(get(server.port(), "/dicom-web/studies/1.2/series/7.7/metadata").status, 404);
}

TEST(Metadata, IsNotSentAgainUntilTheSeriesChanges) {
  TestServer server;
  fill(server.archive);
  for (const char* target : {"/dicom-web/studies/1.2/series/1.2.3/metadata", "/dicom-web/studies/1.2/metadata"}) {
    const std::string etag(get(server.port(), target).headers.get("ETag"));
    ASSERT_FALSE(etag.empty());
    EXPECT_EQ(get(server.port(), target, {{"If-None-Match", etag}}).status, 304);
    server.archive.put(part10_of({.instance = "1.2.3.9" + std::to_string(std::string(target).size()), .number = 99}));
    EXPECT_EQ(get(server.port(), target, {{"If-None-Match", etag}}).status, 200);
  }
}

TEST(Metadata, OfALongSeriesComesWholeInSeveralPasses) {
  TestServer server;
  constexpr int kInstances = 300;
  for (int i = 0; i < kInstances; ++i) {
    // About 100 kB of JSON each, so that the whole is made in more than one pass.
    server.archive.put(part10_of({.instance = "1.2.3." + std::to_string(1000 + i),
                                  .description = std::string(100'000, 'd'),
                                  .number = i,
                                  .pixel_bytes = 0}));
  }
  const Reply reply = get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/metadata");
  ASSERT_TRUE(reply.whole);
  EXPECT_GT(reply.body.size(), 20u << 20);
  const auto all = parsed(reply);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kInstances));
  for (int i = 0; i < kInstances; ++i)
    EXPECT_EQ(value_of(all[static_cast<std::size_t>(i)], "00080018"), "1.2.3." + std::to_string(1000 + i));
}

TEST(BulkData, IsTheValueByteForByteAlsoInRanges) {
  TestServer server;
  fill(server.archive);
  std::string pixels(20'000, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * 7 + 1);
  const std::string target = std::string(kInstance) + "/bulkdata/7FE00010";
  Reply reply = get(server.port(), target);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.get("Content-Type"), "application/octet-stream");
  EXPECT_EQ(reply.body, pixels);
  reply = get(server.port(), target, {{"Range", "bytes=1000-1999"}});
  EXPECT_EQ(reply.status, 206);
  EXPECT_EQ(reply.body, pixels.substr(1000, 1000));
  reply = get(server.port(), target, {{"Accept", "multipart/related; type=\"application/octet-stream\""}});
  const auto parts = testing::parse_multipart(reply.body, boundary_of(reply));
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 1u);
  EXPECT_EQ((*parts)[0].body, pixels);
  EXPECT_EQ(get(server.port(), target, {{"Accept", "image/png"}}).status, 406);
}

TEST(BulkData, OfAPathThatNamesNothingIsNotFound) {
  TestServer server;
  fill(server.archive);
  const std::string base = std::string(kInstance) + "/bulkdata/";
  EXPECT_EQ(get(server.port(), base + "7FE00011").status, 404);
  EXPECT_EQ(get(server.port(), base + "00081140/0/7FE00010").status, 404);
  for (const char* bad : {"7FE0001", "xyz", "7FE00010/0", "7FE00010/x/7FE00010", "7FE00010/0/"}) {
    const int status = get(server.port(), base + bad).status;
    EXPECT_TRUE(status == 400 || status == 404) << bad << ' ' << status;
  }
}

TEST(Pages, ShowStudiesAndPlanesEscaped) {
  TestServer server;
  EXPECT_THAT(get(server.port(), "/").body, HasSubstr("No study is stored yet"));
  fill(server.archive);
  const Reply home = get(server.port(), "/");
  EXPECT_EQ(home.status, 200);
  EXPECT_THAT(std::string(home.headers.get("Content-Security-Policy")), HasSubstr("default-src 'self'"));
  EXPECT_THAT(home.body, HasSubstr("Doe, John"));
  EXPECT_THAT(home.body, HasSubstr("&lt;b&gt;&amp;Roe"));
  EXPECT_THAT(home.body, Not(HasSubstr("<b>")));
  EXPECT_THAT(home.body, HasSubstr("2024-05-31"));
  const Reply study = get(server.port(), "/studies/1.2");
  EXPECT_THAT(study.body,
              HasSubstr("src=\"/dicom-web/studies/1.2/series/1.2.3/renderedmpr?orientation=a&amp;viewport="));
  EXPECT_EQ(get(server.port(), "/studies/7.7").status, 404);
  EXPECT_EQ(get(server.port(), "/style.css").status, 200);
}

}  // namespace
}  // namespace cairn::web
