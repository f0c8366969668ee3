// /api/v1 over a socket: storing files, verification, numbers.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::Reply;
using testing::TestClient;
using testing::TestServer;

Reply post(TestServer& server, std::string_view body, const char* type = "application/dicom") {
  TestClient client(server.port());
  return client.request("POST", "/api/v1/instances", {{"Content-Type", type}}, body);
}

TEST(AdminApi, StoresAFileAndSaysWhatBecameOfIt) {
  TestServer server;
  const std::string file = testing::part10_of({.pixel_bytes = 3'000'000});
  Reply reply = post(server, file);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(json::parse(reply.body).at("outcome"), "stored");
  EXPECT_EQ(json::parse(reply.body).at("sop_instance_uid"), "1.2.3.1");
  EXPECT_EQ(json::parse(reply.body).at("bytes"), file.size());
  reply = post(server, file);
  EXPECT_EQ(json::parse(reply.body).at("outcome"), "identical");
  reply = testing::get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1",
                       {{"Accept", "application/dicom"}});
  EXPECT_TRUE(reply.body == file);
  server.archive.policy = store::DuplicatePolicy::refuse;
  EXPECT_EQ(post(server, testing::part10_of({.number = 2})).status, 409);
}

TEST(AdminApi, TakesABareDataSetAndChunkedBodies) {
  TestServer server;
  const std::string data_set = testing::data_set_of({});
  EXPECT_EQ(post(server, data_set, "application/octet-stream").status, 200);
  TestClient client(server.port());
  std::string text =
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nTransfer-Encoding: "
      "chunked\r\n\r\n";
  const std::string file = testing::part10_of({.instance = "1.2.3.2"});
  for (std::size_t at = 0; at < file.size(); at += 777) {
    const std::string piece = file.substr(at, 777);
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    text += size + piece + "\r\n";
  }
  client.send(text + "0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  const Reply stored = testing::get(server.port(), "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.1",
                                    {{"Accept", "application/dicom"}});
  EXPECT_THAT(stored.body, ::testing::EndsWith(data_set));
}

TEST(AdminApi, RefusesWhatIsNoInstance) {
  TestServer server;
  EXPECT_EQ(post(server, "this is no DICOM file, however long the text may be that says so").status, 415);
  EXPECT_EQ(post(server, "").status, 415);
  EXPECT_EQ(post(server, testing::part10_of({.instance = ""})).status, 400);
  const std::string file = testing::part10_of({});
  EXPECT_EQ(post(server, file.substr(0, file.size() - 100)).status, 400);
  EXPECT_EQ(post(server, file, "text/plain").status, 403);
  EXPECT_EQ(post(server, file, "image/png").status, 415);
  server.archive.full = true;
  EXPECT_EQ(post(server, file).status, 507);
  EXPECT_EQ(server.archive.stats().counts.instances, 0u);
  EXPECT_EQ(server.archive.open_receivers, 0);
}

TEST(AdminApi, BoundsTheBody) {
  ServerOptions options;
  options.admin.longest_instance_bytes = 10'000;
  TestServer server(options);
  EXPECT_EQ(post(server, testing::part10_of({.pixel_bytes = 20'000})).status, 413);
  TestClient client(server.port());
  client.send(
      "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4E20\r\n" +
      testing::part10_of({}).substr(0, 20'000) + "\r\n0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 413);
}

TEST(AdminApi, LeavesNothingOfASenderThatGoes) {
  TestServer server;
  {
    TestClient client(server.port());
    client.send(
        "POST /api/v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nContent-Length: "
        "100000\r\n\r\n" +
        testing::part10_of({}).substr(0, 5000));
  }
  for (int i = 0; i < 200 && (server.server().connections() > 0 || server.archive.open_receivers > 0); ++i)
    ::usleep(10'000);
  EXPECT_EQ(server.archive.open_receivers, 0);
  EXPECT_EQ(server.archive.stats().counts.instances, 0u);
}

TEST(AdminApi, VerifiesLineByLine) {
  TestServer server;
  server.archive.put(testing::part10_of({}));
  server.archive.scrub_faults = 2;
  TestClient client(server.port());
  const Reply reply = client.request("POST", "/api/v1/verify", {}, {});
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.get("Content-Type"), "application/x-ndjson");
  int faults = 0;
  json::value last;
  std::string_view rest = reply.body;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    ASSERT_NE(end, std::string_view::npos);
    last = json::parse(rest.substr(0, end));
    if (last.as_object().contains("fault")) {
      ++faults;
      EXPECT_EQ(last.at("sop_instance_uid"), "1.2.3.1");
    }
    rest.remove_prefix(end + 1);
  }
  EXPECT_EQ(faults, 2);
  EXPECT_EQ(last.at("done"), true);
  EXPECT_EQ(last.at("instances"), 1);
  EXPECT_EQ(last.at("faults"), 2);
  EXPECT_EQ(client.request("POST", "/api/v1/verify", {}, {}).status, 200);
}

TEST(AdminApi, DoesNothingForOtherSites) {
  TestServer server;
  TestClient client(server.port());
  const std::string file = testing::part10_of({});
  EXPECT_EQ(client
                .request("POST", "/api/v1/instances",
                         {{"Content-Type", "application/dicom"}, {"Origin", "http://evil.example"}}, file)
                .status,
            403);
  EXPECT_EQ(testing::get(server.port(), "/api/v1/stats", {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
  EXPECT_EQ(server.archive.stats().counts.instances, 0u);
}

TEST(AdminApi, TellsItsNumbers) {
  TestServer server;
  server.archive.put(testing::part10_of({}));
  const Reply reply = testing::get(server.port(), "/api/v1/stats");
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(json::parse(reply.body).at("counts").at("instances"), 1);
  EXPECT_EQ(json::parse(reply.body).at("volumes").as_array().size(), 1u);
}

}  // namespace
}  // namespace cairn::web
