// The change feed over HTTP: whoever follows it misses nothing, waits without asking, and cannot use the server up.
#include "engine/web/changes.h"

#include <future>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/test_client.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using testing::part10_of;
using testing::Reply;
using testing::Sample;
using Clock = std::chrono::steady_clock;

class Changes : public testing::ArchiveFixture {
 protected:
  Reply send(const char* method, const std::string& target, const std::string& body = {}) {
    testing::TestClient::Fields fields;
    if (!body.empty()) fields.emplace_back("Content-Type", "application/dicom");
    return testing::TestClient(server_->port()).request(method, target, fields, body);
  }
  void store(const std::string& instance, std::size_t pixels = 100) {
    Sample sample;
    sample.instance = instance;
    sample.pixel_bytes = pixels;
    const Reply reply = send("POST", "/api/v1/instances", part10_of(sample));
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  json::object changes(const std::string& parameters) {
    const Reply reply = get("/api/v1/changes" + parameters);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.headers.get("Cache-Control"), "no-store");
    return json::parse(reply.body).as_object();
  }
  static std::string kinds(const json::object& answer) {
    std::string out;
    for (const auto& change : answer.at("changes").as_array()) {
      out += std::to_string(change.at("position").to_number<std::uint64_t>()) + ' ' +
             std::string(change.at("kind").as_string()) + ", ";
    }
    return out;
  }
  /// Waits until `count` clients wait.
  void wait_for_waiting(const std::string& count) {
    for (int i = 0; i < 200; ++i) {
      if (get("/metrics").body.find("\ncairn_changes_followers_waiting " + count + "\n") != std::string::npos) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    FAIL() << count << " clients do not wait";
  }
};

TEST_F(Changes, TellWhatBecameOfTheArchiveInOrder) {
  EXPECT_EQ(json::serialize(changes("")), R"({"changes":[],"next":0,"last":0})");
  store("1.2.3.1");
  store("1.2.3.1");  // 2: nothing new
  store("1.2.3.2");
  store("1.2.3.1", 200);
  ASSERT_EQ(send("DELETE", "/dicom-web/studies/1.2/series/1.2.3?only-copy=true&reason=wrong").status, 200);
  ASSERT_EQ(send("POST", "/api/v1/removed/5/restore").status, 200);
  const json::object all = changes("?since=0");
  EXPECT_EQ(kinds(all), "1 stored, 3 stored, 4 replaced, 5 removed, 6 restored, ");
  EXPECT_EQ(all.at("next").as_int64(), 6);
  EXPECT_EQ(all.at("last").as_int64(), 6);
  const auto& told = all.at("changes").as_array();
  EXPECT_EQ(told[0].at("study_instance_uid").as_string(), "1.2");
  EXPECT_EQ(told[0].at("series_instance_uid").as_string(), "1.2.3");
  EXPECT_EQ(told[0].at("sop_instance_uid").as_string(), "1.2.3.1");
  EXPECT_EQ(told[2].at("older").as_string(), "kept");
  EXPECT_EQ(told[3].at("level").as_string(), "series");
  EXPECT_EQ(told[3].at("via").as_string(), "http");
  EXPECT_EQ(told[3].at("reason").as_string(), "wrong");
  EXPECT_FALSE(told[3].as_object().contains("sop_instance_uid"));
  EXPECT_EQ(told[4].at("subject").as_int64(), 5);
  EXPECT_EQ(json::serialize(all).find("Doe"), std::string::npos);

  const json::object page = changes("?since=1&limit=2");
  EXPECT_EQ(kinds(page), "3 stored, 4 replaced, ");
  EXPECT_EQ(page.at("next").as_int64(), 4);
  EXPECT_EQ(kinds(changes("?since=4")), "5 removed, 6 restored, ");
  EXPECT_EQ(kinds(changes("?kind=removed")), "5 removed, ");
  EXPECT_EQ(kinds(changes("?kind=replaced&study=1.2")), "4 replaced, ");
  const json::object none = changes("?study=1.9");
  EXPECT_EQ(kinds(none), "");
  EXPECT_EQ(none.at("next").as_int64(), 6);
}

TEST_F(Changes, SayWhatIsWrongWithAPosition) {
  store("1.2.3.1");
  EXPECT_EQ(get("/api/v1/changes?since=2").status, 409);
  EXPECT_EQ(get("/api/v1/changes?since=18446744073709551615&wait=30").status, 409);
  for (const char* wrong : {"since=", "since=-1", "since=1x", "since=18446744073709551616", "limit=a", "wait=1.5",
                            "kind=other", "study=1%2F2", "position=1"}) {
    EXPECT_EQ(get(std::string("/api/v1/changes?") + wrong).status, 400) << wrong;
  }
}

TEST_F(Changes, AreToldToThoseWhoWaitAsSoonAsTheyAreApplied) {
  store("1.2.3.1");
  const auto begun = Clock::now();
  auto waiting = std::async(std::launch::async, [&] { return changes("?since=1&wait=30"); });
  auto choosy = std::async(std::launch::async, [&] { return changes("?since=1&wait=30&kind=removed"); });
  wait_for_waiting("2");
  store("1.2.3.2");
  EXPECT_EQ(kinds(waiting.get()), "2 stored, ");
  EXPECT_EQ(choosy.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  ASSERT_EQ(send("DELETE", "/dicom-web/studies/1.2?only-copy=true").status, 200);
  EXPECT_EQ(kinds(choosy.get()), "3 removed, ");
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(20));
  const auto then = Clock::now();
  EXPECT_EQ(json::serialize(changes("?since=3&wait=1")), R"({"changes":[],"next":3,"last":3})");
  EXPECT_GE(Clock::now() - then, std::chrono::milliseconds(990));
}

TEST_F(Changes, AFollowerOfABusyArchiveMissesNothing) {
  constexpr int kCount = 150;
  std::thread sender([&] {
    for (int i = 1; i <= kCount; ++i) store("1.2.3." + std::to_string(i));
  });
  std::vector<std::uint64_t> positions;
  std::uint64_t next = 0;
  while (positions.size() < kCount) {
    const json::object answer = changes("?wait=10&limit=7&since=" + std::to_string(next));
    if (answer.at("changes").as_array().empty()) break;
    for (const auto& change : answer.at("changes").as_array()) {
      positions.push_back(change.at("position").to_number<std::uint64_t>());
    }
    next = answer.at("next").to_number<std::uint64_t>();
    EXPECT_EQ(next, positions.back());
  }
  sender.join();
  ASSERT_EQ(positions.size(), static_cast<std::size_t>(kCount));
  for (std::size_t i = 0; i < positions.size(); ++i) EXPECT_EQ(positions[i], i + 1);
}

TEST_F(Changes, WaitForNoMoreClientsThanAreAllowedAndLetThemGo) {
  const std::string request = "GET /api/v1/changes?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::vector<std::unique_ptr<testing::TestClient>> clients;
  for (std::size_t i = 0; i < kMostFollowers; ++i) {
    clients.push_back(std::make_unique<testing::TestClient>(server_->port()));
    ASSERT_TRUE(clients.back()->send(request));
  }
  wait_for_waiting(std::to_string(kMostFollowers));
  EXPECT_EQ(get("/api/v1/changes?wait=60").status, 503);
  EXPECT_EQ(get("/api/v1/changes").status, 200);
  clients.resize(kMostFollowers / 2);  // the others vanish
  store("1.2.3.1");
  for (auto& client : clients) EXPECT_EQ(client->receive().status, 200);
  wait_for_waiting("0");
}

TEST_F(Changes, AServerThatStopsAnswersThoseWhoWait) {
  auto waiting = std::async(std::launch::async, [&] { return get("/api/v1/changes?wait=60"); });
  wait_for_waiting("1");
  const auto begun = Clock::now();
  server_.reset();
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(8));
  EXPECT_EQ(waiting.get().status, 200);
}

}  // namespace
}  // namespace cairn::web
