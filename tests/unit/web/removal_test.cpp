// Removal over HTTP: who may, what is gone at once, what comes back.
#include "engine/web/removal.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/test_client.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::part10_of;
using testing::Reply;
using testing::Sample;

Request from(const char* address, std::initializer_list<std::pair<const char*, const char*>> fields = {}) {
  Request request;
  request.method = "DELETE";
  request.peer_address = address;
  request.peer_is_loopback = Network::parse(address).value().is_loopback();
  request.headers.add("Host", "10.1.2.1:8080");
  for (const auto& [name, value] : fields) request.headers.set(name, value);
  return request;
}

TEST(RemovalAccess, IsForThisMachineAndThePeersThatAreNamed) {
  const RemovalOptions none, some{{Network::parse("10.1.2.0/24").value(), Network::parse("fd00::/8").value()}};
  EXPECT_FALSE(removal_refusal_of(from("127.0.0.1"), none));
  EXPECT_FALSE(removal_refusal_of(from("::1"), none));
  EXPECT_TRUE(removal_refusal_of(from("10.1.2.7"), none));
  EXPECT_FALSE(removal_refusal_of(from("10.1.2.7"), some));
  EXPECT_FALSE(removal_refusal_of(from("::ffff:10.1.2.7"), some));
  EXPECT_FALSE(removal_refusal_of(from("fd00::7"), some));
  EXPECT_TRUE(removal_refusal_of(from("10.1.3.7"), some));
  // A proxy here hides who asks: it has to be named itself.
  const RemovalOptions proxy{{Network::parse("127.0.0.1").value()}};
  EXPECT_TRUE(removal_refusal_of(from("127.0.0.1", {{"X-Forwarded-For", "10.1.2.7"}}), some));
  EXPECT_FALSE(removal_refusal_of(from("127.0.0.1", {{"X-Forwarded-For", "10.1.2.7"}}), proxy));
}

TEST(RemovalAccess, IsNotForPagesOfOtherSites) {
  const RemovalOptions some{{Network::parse("10.1.2.0/24").value()}};
  for (const char* address : {"127.0.0.1", "10.1.2.7"}) {
    EXPECT_FALSE(removal_refusal_of(from(address, {{"Origin", "http://10.1.2.1:8080"}}), some)) << address;
    EXPECT_TRUE(removal_refusal_of(from(address, {{"Origin", "http://evil.example"}}), some)) << address;
    EXPECT_TRUE(removal_refusal_of(from(address, {{"Origin", "null"}}), some)) << address;
    EXPECT_TRUE(removal_refusal_of(from(address, {{"Sec-Fetch-Site", "cross-site"}}), some)) << address;
    EXPECT_TRUE(removal_refusal_of(from(address, {{"Host", "evil.example"}, {"Origin", "http://evil.example"}}), some))
        << address;
  }
}

class Removal : public testing::ArchiveFixture {
 protected:
  Reply send(const char* method, const std::string& target, const testing::TestClient::Fields& fields = {}) {
    return testing::TestClient(server_->port()).request(method, target, fields, "");
  }
  void store(const char* series, const char* instance) {
    Sample sample;
    sample.series = series;
    sample.instance = instance;
    const Reply reply =
        testing::TestClient(server_->port())
            .request("POST", "/api/v1/instances", {{"Content-Type", "application/dicom"}}, part10_of(sample));
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  std::vector<int> statuses() {
    std::vector<int> out;
    const std::string study = "/dicom-web/studies/1.2", series = study + "/series/1.2.3",
                      instance = series + "/instances/1.2.3.1";
    for (const std::string& path : {study, study + "/metadata", series, series + "/metadata", instance,
                                    instance + "/metadata", std::string("/api/v1/studies/1.2/state"),
                                    std::string("/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2.3&objectUID=1.2.3.1"
                                                "&contentType=application/dicom")}) {
      out.push_back(get(path).status);
    }
    return out;
  }
  static std::vector<int> all(int status) { return std::vector<int>(8, status); }
};

TEST_F(Removal, IsInNoAnswerAtOnceAndComesBackByRestore) {
  store("1.2.3", "1.2.3.1");
  store("1.2.3", "1.2.3.2");
  store("1.2.4", "1.2.4.1");
  const std::string study = "/dicom-web/studies/1.2";
  const std::string instance = study + "/series/1.2.3/instances/1.2.3.1";
  ASSERT_EQ(statuses(), all(200));
  const std::string bytes = get(instance, {{"Accept", "application/dicom"}}).body,
                    found = get(study + "/instances").body;

  const Reply unconfirmed = send("DELETE", study);
  EXPECT_EQ(unconfirmed.status, 409);
  EXPECT_THAT(unconfirmed.body, HasSubstr("only-copy=true"));
  EXPECT_EQ(send("DELETE", study + "?only-copy=yes").status, 400);
  EXPECT_EQ(send("DELETE", study + "?only_copy=true").status, 400);
  EXPECT_EQ(send("DELETE", study + "?only-copy=true", {{"Origin", "http://evil.example"}}).status, 403);
  EXPECT_EQ(send("DELETE", study + "?only-copy=true", {{"X-Forwarded-For", "10.0.0.1"}}).status, 403);
  EXPECT_EQ(send("DELETE", study + "?only-copy=true&reason=" + std::string(4000, 'x')).status, 413);
  EXPECT_EQ(send("DELETE", "/dicom-web/studies/9.9?only-copy=true").status, 404);
  EXPECT_EQ(send("DELETE", study + "/series/1.2.4/instances/1.2.3.1?only-copy=true").status, 404);
  EXPECT_EQ(statuses(), all(200));
  EXPECT_EQ(get("/api/v1/removed").body, "[]\n");

  const Reply removed = send("DELETE", study + "?only-copy=true&reason=test");
  ASSERT_EQ(removed.status, 200) << removed.body;
  const json::object body = json::parse(removed.body).as_object();
  EXPECT_EQ(body.at("instances").as_int64(), 3);
  EXPECT_EQ(body.at("reason").as_string(), "test");
  EXPECT_EQ(statuses(), all(404));
  EXPECT_EQ(get("/dicom-web/studies").body, "[]\n");
  EXPECT_EQ(send("DELETE", study + "?only-copy=true").status, 404);
  EXPECT_THAT(get("/api/v1/removed?study=1.2").body, HasSubstr("\"instances\":3"));
  EXPECT_EQ(get("/api/v1/removed?study=1.3").body, "[]\n");

  const std::string restore(body.at("restore").as_string());
  EXPECT_EQ(send("POST", restore, {{"Origin", "http://evil.example"}}).status, 403);
  EXPECT_EQ(send("POST", "/api/v1/removed/x/restore").status, 400);
  EXPECT_EQ(send("POST", "/api/v1/removed/18446744073709551615/restore").status, 404);
  ASSERT_EQ(send("POST", restore).status, 200);
  EXPECT_EQ(send("POST", restore).status, 404);
  EXPECT_EQ(statuses(), all(200));
  EXPECT_EQ(get(study + "/instances").body, found);
  EXPECT_TRUE(get(instance, {{"Accept", "application/dicom"}}).body == bytes);
  EXPECT_EQ(get("/api/v1/removed").body, "[]\n");
}

TEST_F(Removal, TakesPicturesAndVolumesAlongAndGivesThemBack) {
  const auto stored = post_all({"volumes/ct-head-phantom-gantry-tilt/dicom"});
  ASSERT_GT(stored.size(), 3u);
  const std::string instance = stored[0].path;
  const std::string series = instance.substr(0, instance.find("/instances/"));
  const std::string study = series.substr(0, series.find("/series/"));
  const std::vector<std::string> paths{instance + "/frames/1",
                                       instance + "/rendered",
                                       instance + "/thumbnail",
                                       series + "/rendered",
                                       series + "/renderedmpr?viewport=64,64",
                                       "/api/v1" + series.substr(std::string("/dicom-web").size()) + "/volume",
                                       study.substr(std::string("/dicom-web").size()),
                                       series + "/metadata"};
  const auto answers = [&] {
    std::vector<std::pair<int, std::string>> out;
    for (const auto& path : paths) {
      const Reply reply = get(path);
      // The boundary of a multipart body is another each time.
      const bool multipart = reply.headers.get("Content-Type").starts_with("multipart");
      out.emplace_back(reply.status, multipart ? std::to_string(reply.body.size()) : reply.body);
    }
    return out;
  };
  const auto before = answers();
  for (std::size_t i = 0; i < paths.size(); ++i) EXPECT_EQ(before[i].first, 200) << paths[i];
  for (const std::string& removed : {study, series}) {
    const Reply reply = send("DELETE", removed + "?only-copy=true");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto gone = answers();
    for (std::size_t i = 0; i < paths.size(); ++i) EXPECT_EQ(gone[i].first, 404) << paths[i] << removed;
    ASSERT_EQ(send("POST", std::string(json::parse(reply.body).at("restore").as_string())).status, 200);
    EXPECT_EQ(answers(), before) << removed;
  }
}

TEST_F(Removal, OfAnInstanceOrASeriesLeavesTheRest) {
  store("1.2.3", "1.2.3.1");
  store("1.2.3", "1.2.3.2");
  store("1.2.4", "1.2.4.1");
  const std::string study = "/dicom-web/studies/1.2";
  const auto instances = [&] { return json::parse(get(study + "/metadata").body).as_array().size(); };
  EXPECT_EQ(instances(), 3u);
  EXPECT_EQ(send("DELETE", study + "/series/1.2.3/instances/1.2.3.1?only-copy=true").status, 200);
  EXPECT_EQ(instances(), 2u);
  EXPECT_EQ(send("DELETE", study + "/series/1.2.4?only-copy=true").status, 200);
  EXPECT_EQ(instances(), 1u);
  // The list has the newest first, in pages.
  const Reply first = get("/api/v1/removed?limit=1");
  EXPECT_THAT(first.body, HasSubstr("1.2.4"));
  const std::string link(first.headers.get("Link"));
  ASSERT_THAT(link, HasSubstr("rel=\"next\""));
  const Reply second = get("/api/v1/removed" + link.substr(1, link.find('>') - 1));
  EXPECT_THAT(second.body, HasSubstr("1.2.3.1"));
  EXPECT_FALSE(second.headers.contains("Link"));
  // What was removed can be stored again.
  store("1.2.3", "1.2.3.1");
  EXPECT_EQ(instances(), 2u);
}

}  // namespace
}  // namespace cairn::web
