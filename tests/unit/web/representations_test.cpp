// The same resources in other forms: ZIP, XML, gzip, WADO-URI; and who may see them from another site.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "engine/core/uid.h"
#include "engine/web/gzip.h"
#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/multipart_parser.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::Reply;
using testing::TestClient;
using testing::TestServer;

std::string gunzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
  std::string out(64u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, IsTakenWhenNamed) {
  for (const char* yes : {"gzip", "deflate, gzip;q=0.5", "*", "br, x-gzip", " gzip"})
    EXPECT_TRUE(takes_gzip(yes)) << yes;
  for (const char* no : {"", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "identity"}) EXPECT_FALSE(takes_gzip(no)) << no;
}

TEST(Metadata, FromTheCacheIsWhatWasWrittenUntilTheSeriesChanges) {
  TestServer server;
  const auto put = [&](int i, const char* series) {
    server.archive.put(
        testing::part10_of({.series = series, .instance = std::string(series) + '.' + std::to_string(i), .number = i}));
  };
  for (int i = 1; i <= 700; ++i) put(i, "1.2.3");
  for (int i = 1; i <= 3; ++i) put(i, "1.2.4");
  const std::string study = "/dicom-web/studies/1.2/metadata", series = "/dicom-web/studies/1.2/series/1.2.3/metadata";
  const auto size = [&](const std::string& target) {
    return boost::json::parse(testing::get(server.port(), target).body).as_array().size();
  };
  const std::string fresh = testing::get(server.port(), series).body;
  EXPECT_EQ(boost::json::parse(fresh).as_array().size(), 700u);
  for (int again = 0; again < 3; ++again) {
    EXPECT_TRUE(testing::get(server.port(), series).body == fresh);
    const Reply coded = testing::get(server.port(), series, {{"Accept-Encoding", "gzip"}});
    EXPECT_EQ(coded.headers.get("Content-Encoding"), "gzip");
    EXPECT_TRUE(gunzip(coded.body) == fresh);
    EXPECT_TRUE(std::string(coded.headers.get("ETag")).starts_with("W/"));
    EXPECT_EQ(size(study), 703u);  // from one series in the cache, and one that is not
  }
  const std::string etag(testing::get(server.port(), series).headers.get("ETag"));
  put(701, "1.2.3");
  EXPECT_EQ(testing::get(server.port(), series, {{"If-None-Match", etag}}).status, 200);
  EXPECT_EQ(size(series), 701u);
  EXPECT_EQ(size(study), 704u);
  const Reply xml =
      testing::get(server.port(), series, {{"Accept", "multipart/related; type=\"application/dicom+xml\""}});
  EXPECT_EQ(xml.status, 200);
  EXPECT_THAT(xml.body, HasSubstr("NativeDicomModel"));
}

TEST(Gzip, CodesJsonAndLeavesDicomAlone) {
  TestServer server;
  for (int i = 1; i <= 300; ++i)
    server.archive.put(testing::part10_of({.instance = "1.2.3." + std::to_string(i), .number = i}));
  const std::string target = "/dicom-web/studies/1.2/series/1.2.3/metadata";
  const Reply plain = testing::get(server.port(), target);
  const Reply coded = testing::get(server.port(), target, {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(coded.headers.get("Content-Encoding"), "gzip");
  EXPECT_TRUE(gunzip(coded.body) == plain.body);
  EXPECT_LT(coded.body.size() * 5, plain.body.size());
  EXPECT_EQ(coded.headers.get("ETag"), "W/" + std::string(plain.headers.get("ETag")));
  EXPECT_EQ(testing::get(server.port(), target, {{"If-None-Match", std::string(coded.headers.get("ETag"))}}).status,
            304);
  const Reply dicom = testing::get(server.port(), "/dicom-web/studies/1.2", {{"Accept-Encoding", "gzip"}});
  EXPECT_FALSE(dicom.headers.contains("Content-Encoding"));
}

TEST(Xml, CarriesTheSameMetadata) {
  TestServer server;
  server.archive.put(testing::part10_of({.patient_name = "O'Hara & Sons^<Ann>"}));
  for (const char* target :
       {"/dicom-web/studies/1.2/metadata", "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1/metadata"}) {
    const Reply reply =
        testing::get(server.port(), target, {{"Accept", "multipart/related; type=\"application/dicom+xml\""}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    const std::string type(reply.headers.get("Content-Type"));
    const auto parts = testing::parse_multipart(reply.body, type.substr(type.find("boundary=") + 9));
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 1u);
    EXPECT_THAT((*parts)[0].body,
                HasSubstr("<FamilyName>O'Hara &amp; Sons</FamilyName><GivenName>&lt;Ann&gt;</GivenName>"));
    EXPECT_THAT(
        (*parts)[0].body,
        HasSubstr("<BulkData uri=\"/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1/bulkdata/7FE00010\"/>"));
  }
}

TEST(CrossOrigin, IsOffUnlessConfigured) {
  ServerOptions options;
  TestServer closed(options);
  const TestClient::Fields fields{{"Origin", "https://viewer.example"}};
  EXPECT_FALSE(
      testing::get(closed.port(), "/dicom-web/studies", fields).headers.contains("Access-Control-Allow-Origin"));
  options.cross_origin.origins = {"https://viewer.example"};
  TestServer open(options);
  const Reply reply = testing::get(open.port(), "/dicom-web/studies", fields);
  EXPECT_EQ(reply.headers.get("Access-Control-Allow-Origin"), "https://viewer.example");
  EXPECT_FALSE(testing::get(open.port(), "/dicom-web/studies", {{"Origin", "https://other.example"}})
                   .headers.contains("Access-Control-Allow-Origin"));
  TestClient client(open.port());
  const Reply preflight =
      client.request("OPTIONS", "/dicom-web/studies",
                     {{"Origin", "https://viewer.example"}, {"Access-Control-Request-Method", "POST"}}, {});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_THAT(std::string(preflight.headers.get("Access-Control-Allow-Methods")), HasSubstr("POST"));
  TestClient stranger(open.port());
  EXPECT_EQ(stranger
                .request("POST", "/dicom-web/studies",
                         {{"Origin", "https://other.example"}, {"Content-Type", "multipart/related"}}, "x")
                .status,
            403);
}

TEST(Capabilities, NameTheRoutes) {
  TestServer server;
  TestClient client(server.port());
  const Reply wadl = client.request("OPTIONS", "/dicom-web", {}, {});
  EXPECT_EQ(wadl.headers.get("Content-Type"), "application/vnd.sun.wadl+xml");
  EXPECT_THAT(wadl.body,
              HasSubstr("<resource path=\"studies/{study}\"><method name=\"DELETE\"/><method name=\"GET\"/><method name=\"POST\"/></resource>"));
  const Reply as_json = testing::get(server.port(), "/dicom-web", {{"Accept", "application/json"}});
  EXPECT_GT(json::parse(as_json.body).at("resources").as_array().size(), 20u);
}

class Representations : public testing::ArchiveFixture {};

TEST_F(Representations, ZipOfASeriesUnpacksToTheFiles) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  const std::string series = stored[0].path.substr(0, stored[0].path.find("/instances/"));
  const Reply reply = get(series, {{"Accept", "application/zip"}});
  ASSERT_EQ(reply.status, 200);
  ASSERT_TRUE(reply.whole);
  const auto file = directory_ / "series.zip";
  std::ofstream(file, std::ios::binary) << reply.body;
  const std::string python =
      "python3 -c 'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; "
      "z.extractall(sys.argv[2])' " +
      file.string() + ' ' + (directory_ / "out").string();
  ASSERT_EQ(std::system(python.c_str()), 0);
  for (const auto& one : stored) {
    const std::string uid = one.path.substr(one.path.rfind('/') + 1);
    const std::string series_uid = series.substr(series.rfind('/') + 1);
    EXPECT_TRUE(testing::file_content(directory_ / "out" / series_uid / (uid + ".dcm")) == one.file);
  }
}

TEST_F(Representations, WadoUriGivesTheInstanceAndItsPicture) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  std::string rest = stored[0].path.substr(std::string("/dicom-web/studies/").size());
  const std::string study = rest.substr(0, rest.find('/'));
  rest = rest.substr(study.size() + 8);
  const std::string series = rest.substr(0, rest.find('/')), instance = rest.substr(rest.rfind('/') + 1);
  const std::string target =
      "/wado?requestType=WADO&studyUID=" + study + "&seriesUID=" + series + "&objectUID=" + instance;
  EXPECT_EQ(get(target).headers.get("Content-Type"), "image/jpeg");
  EXPECT_TRUE(get(target + "&contentType=application/dicom").body == stored[0].file);
  const Reply png = get(target + "&contentType=image/png&rows=64&windowCenter=40&windowWidth=400");
  ASSERT_EQ(png.status, 200) << png.body;
  EXPECT_EQ(load_be<std::uint32_t>(as_bytes(png.body).data() + 20), 64u);
  EXPECT_EQ(get(target + "&windowCenter=40").status, 400);
  EXPECT_EQ(get(target + "&frameNumber=9").status, 404);
  EXPECT_EQ(get(target + "&contentType=application/dicom&transferSyntax=1.2.3").status, 406);
  const Reply coded = get(target + "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.80");
  ASSERT_EQ(coded.status, 200) << coded.body;
  EXPECT_EQ(coded.headers.get("Content-Type"), "application/dicom;transfer-syntax=1.2.840.10008.1.2.4.80");
  EXPECT_EQ(dicom::read_prefix(as_bytes(coded.body)).value().transfer_syntax_uid, "1.2.840.10008.1.2.4.80");
  EXPECT_EQ(get(target + "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.80",
                {{"If-None-Match", std::string(coded.headers.get("ETag"))}})
                .status,
            304);
  EXPECT_EQ(get("/wado?requestType=WADO&studyUID=x").status, 400);
  EXPECT_EQ(get("/wado").status, 400);
}

TEST_F(Representations, ASeriesComesInTheSyntaxThatIsAskedFor) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  const std::string instance = stored[0].path, series = instance.substr(0, instance.find("/instances/"));
  const std::string multipart = "multipart/related; type=\"application/dicom\"; transfer-syntax=";
  for (const std::string uid : {"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1.99"}) {
    for (const bool in_query : {false, true}) {
      const Reply reply =
          in_query ? get(series + "?accept=" + "multipart/related;type=application/dicom;transfer-syntax=" + uid)
                   : get(series, {{"Accept", multipart + uid}});
      ASSERT_EQ(reply.status, 200) << reply.body;
      ASSERT_TRUE(reply.whole);
      const std::string type(reply.headers.get("Content-Type"));
      const auto parts = testing::parse_multipart(reply.body, type.substr(type.find("boundary=") + 9));
      ASSERT_TRUE(parts);
      ASSERT_EQ(parts->size(), stored.size());
      for (const auto& part : *parts) {
        EXPECT_EQ(part.headers.at("content-type"), "application/dicom;transfer-syntax=" + uid);
        const auto prefix = dicom::read_prefix(as_bytes(part.body));
        ASSERT_TRUE(prefix);
        EXPECT_EQ(prefix.value().transfer_syntax_uid, uid);
        EXPECT_TRUE(part.headers.at("content-location").ends_with(prefix.value().media_storage_sop_instance_uid));
      }
    }
  }
  const Reply refused = get(series, {{"Accept", multipart + "1.2.840.10008.1.2.4.50"}});
  EXPECT_EQ(refused.status, 406) << "16 bits in JPEG baseline";
  EXPECT_THAT(refused.body, HasSubstr("instance "));
}

TEST_F(Representations, ABrowserIsLedFromEveryAddressToThePicture) {
  const auto stored = post_all({"volumes/ct-gantry-tilt-4/dicom"});
  ASSERT_FALSE(stored.empty());
  const std::string instance = stored[0].path, series = instance.substr(0, instance.find("/instances/")),
                    study = series.substr(0, series.find("/series/"));
  const TestClient::Fields browser{
      {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}};
  for (const std::string& address : {study, series, instance, instance + "/frames/1"}) {
    const Reply reply = get(address, browser);
    ASSERT_EQ(reply.status, 303) << address;
    const std::string page(reply.headers.get("Location"));
    EXPECT_EQ("/dicom-web" + page, address);
    const Reply shown = get(page, browser);
    EXPECT_EQ(shown.status, 200) << page;
    EXPECT_EQ(shown.headers.get("Content-Type"), "text/html; charset=utf-8");
    if (address != study) EXPECT_THAT(shown.body, HasSubstr("<img"));
    EXPECT_EQ(get(address).status, 200) << "others get the data";
  }
  EXPECT_THAT(get(instance.substr(10) + "/frames/1").body, HasSubstr(instance + "/frames/1/rendered"));
  EXPECT_EQ(get(instance.substr(10) + "/frames/2").status, 404);
  EXPECT_EQ(get("/studies/1.2/series/3.4").status, 404);
}

}  // namespace
}  // namespace cairn::web
