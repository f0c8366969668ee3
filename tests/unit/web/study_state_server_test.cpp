// The state of a study over HTTP, over an archive in memory and over the real one, closed and opened again.
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::part10_of;
using testing::Reply;
using testing::Sample;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

json::object state_at(std::uint16_t port, const std::string& study) {
  const Reply reply = testing::get(port, "/api/v1/studies/" + study + "/state");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.get("Cache-Control"), "no-store");
  return json::parse(reply.body).as_object();
}

TEST(StudyStateRoute, FollowsWhatIsStored) {
  testing::TestServer server;
  EXPECT_EQ(testing::get(server.port(), "/api/v1/studies/1.2/state").status, 404);
  EXPECT_EQ(testing::get(server.port(), "/api/v1/studies/../state").status, 400);
  EXPECT_EQ(testing::get(server.port(), "/api/v1/studies/1.2%27x/state").status, 400);
  EXPECT_EQ(testing::get(server.port(), "/api/v1/studies/" + std::string(70, '1') + "/state").status, 400);

  server.archive.received_unix_ns = now_ns() - 3600 * std::int64_t{1'000'000'000};
  server.archive.put(part10_of({}));
  json::object state = state_at(server.port(), "1.2");
  EXPECT_EQ(state.at("state").as_string(), "complete");
  EXPECT_EQ(state.at("instances").as_int64(), 1);

  Sample more;
  more.series = "1.2.4";
  more.instance = "1.2.4.1";
  server.archive.received_unix_ns = now_ns();
  server.archive.put(part10_of(more));
  state = state_at(server.port(), "1.2");
  EXPECT_EQ(state.at("state").as_string(), "receiving");
  EXPECT_EQ(state.at("reasons").at(0).at("reason").as_string(), "recent");
  EXPECT_EQ(state.at("series").as_int64(), 2);
  EXPECT_EQ(state.at("instances").as_int64(), 2);
  EXPECT_NE(state.at("first_received"), state.at("last_received"));

  const Reply posted = testing::TestClient(server.port()).request("POST", "/api/v1/studies/1.2/state", {}, "");
  EXPECT_EQ(posted.status, 405);
}

TEST(StudyStateRoute, CountsWhatCommitmentsName) {
  ServerOptions options;
  options.announcements = [](const std::function<bool(std::string_view)>& is_of) {
    std::vector<Announcement> out;
    if (is_of("1.2.3.1")) out.push_back({"CT1", "1.9.1", {"1.2.3.1", "1.2.3.2", "1.7.7.7"}});
    if (is_of("1.2.3.77")) out.push_back({"CT1", "1.9.2", {"1.2.3.77"}});
    return out;
  };
  testing::TestServer server(std::move(options));
  server.archive.put(part10_of({}));
  Sample other;
  other.study = "1.7";
  other.series = "1.7.7";
  other.instance = "1.7.7.7";
  server.archive.put(part10_of(other));
  json::object state = state_at(server.port(), "1.2");
  EXPECT_EQ(state.at("state").as_string(), "incomplete");
  EXPECT_EQ(json::serialize(state.at("reasons").at(1).at("missing")), R"(["1.2.3.2"])");
  EXPECT_EQ(state.at("reasons").at(1).at("here").as_int64(), 1);
  Sample second;
  second.instance = "1.2.3.2";
  server.archive.put(part10_of(second));
  state = state_at(server.port(), "1.2");
  EXPECT_EQ(state.at("state").as_string(), "complete");
  EXPECT_EQ(state.at("reasons").as_array().size(), 2u);
  EXPECT_EQ(state.at("reasons").at(1).at("reason").as_string(), "committed");
}

class StudyStateArchive : public testing::ArchiveFixture {
 protected:
  ServerOptions options() override {
    ServerOptions options;
    options.study_complete_after = std::chrono::seconds(2);
    return options;
  }
};

TEST_F(StudyStateArchive, BecomesCompleteAndIsReceivingAgain) {
  const std::string first = part10_of({});
  const auto post = [&](const std::string& file) {
    return testing::TestClient(server_->port())
        .request("POST", "/api/v1/instances", {{"Content-Type", "application/dicom"}}, file)
        .body;
  };
  const std::int64_t before = now_ns();
  ASSERT_THAT(post(first), HasSubstr("\"stored\""));
  const auto wait_until_complete = [&] {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (state_at(server_->port(), "1.2").at("state").as_string() != "complete") {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return true;
  };
  ASSERT_TRUE(wait_until_complete());
  EXPECT_GE(now_ns() - before, 2 * std::int64_t{1'000'000'000});

  // The same again is nothing new.
  ASSERT_THAT(post(first), HasSubstr("\"identical\""));
  const json::object complete = state_at(server_->port(), "1.2");
  EXPECT_EQ(complete.at("state").as_string(), "complete");

  // What was told comes from the log: it is the same after a restart with the index made anew.
  server_.reset();
  archive_->close();
  archive_.reset();
  archive::Options again;
  again.directory = directory_;
  again.log.segment_bytes = 32u << 20;
  again.log.reserve_bytes = 1u << 20;
  again.log.prewritten_bytes = 0;
  again.rebuild_index = true;
  auto opened = archive::Archive::open(again, pool_);
  ASSERT_TRUE(opened) << to_string(opened.error());
  archive_ = std::move(opened).value();
  server_ = std::make_unique<testing::ServerHarness>(*archive_, options(), true);
  const json::object later = state_at(server_->port(), "1.2");
  for (const char* member : {"state", "last_received", "complete_at", "instances", "bytes"}) {
    EXPECT_EQ(later.at(member), complete.at(member)) << member;
  }

  Sample more;
  more.instance = "1.2.3.2";
  ASSERT_THAT(post(part10_of(more)), HasSubstr("\"stored\""));
  const json::object grown = state_at(server_->port(), "1.2");
  EXPECT_EQ(grown.at("instances").as_int64(), 2);
  EXPECT_NE(grown.at("last_received"), complete.at("last_received"));
  EXPECT_TRUE(wait_until_complete());
}

}  // namespace
}  // namespace cairn::web
