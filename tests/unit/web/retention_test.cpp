// What retention would do, over HTTP: shown to those who may remove, and nothing done by looking.
#include "engine/web/retention.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/web/archive_fixture.h"
#include "tests/unit/web/test_client.h"

namespace cairn::web {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using testing::Reply;

class RetentionRoute : public testing::ArchiveFixture {
 protected:
  ServerOptions options() override {
    archive::RetentionOptions retention;
    archive::RetentionRule rule;
    rule.name = "old";
    rule.age = std::chrono::days(2);
    rule.modalities = {"CT"};
    rule.removes_the_only_copy = true;
    retention.rules = {rule};
    const auto ahead = std::chrono::hours(72);
    retention.now_unix_ms = [ahead] {
      const auto now = std::chrono::system_clock::now() + ahead;
      return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    };
    retention_ = std::make_unique<archive::Retention>(*archive_, std::move(retention));
    ServerOptions out;
    out.retention = retention_.get();
    return out;
  }
  std::unique_ptr<archive::Retention> retention_;
};

TEST_F(RetentionRoute, ShowsWhatWouldGoAndTheFeedTellsWhatWent) {
  const Reply stored =
      testing::TestClient(server_->port())
          .request("POST", "/api/v1/instances", {{"Content-Type", "application/dicom"}}, testing::part10_of({}));
  ASSERT_EQ(stored.status, 200) << stored.body;
  for (int twice = 0; twice < 2; ++twice) {
    const Reply reply = get("/api/v1/retention");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto body = json::parse(reply.body);
    EXPECT_TRUE(body.at("held").is_null());
    EXPECT_EQ(body.at("left_this_hour").as_int64(), 100);
    const auto& rule = body.at("rules").at(0);
    EXPECT_EQ(rule.at("rule").as_string(), "old");
    EXPECT_FALSE(rule.as_object().contains("waits_for"));
    EXPECT_EQ(rule.at("expired").at(0).at("study_instance_uid").as_string(), "1.2");
    EXPECT_EQ(rule.at("expired").at(0).at("instances").as_int64(), 1);
    EXPECT_EQ(rule.at("more").as_bool(), false);
  }
  EXPECT_EQ(retention_->run_once(), 1u);
  const Reply told = get("/api/v1/changes?kind=removed");
  EXPECT_THAT(told.body, HasSubstr("\"via\":\"rule\",\"reason\":\"rule old: unchanged for 3 days\""));
  EXPECT_THAT(get("/metrics").body, HasSubstr("cairn_retention_removals_total{rule=\"old\"} 1"));
  EXPECT_EQ(get("/api/v1/retention?limit=0").status, 400);
  EXPECT_EQ(get("/api/v1/retention?rule=old").status, 400);
  EXPECT_EQ(get("/api/v1/retention", {{"X-Forwarded-For", "10.9.9.9"}}).status, 403);
}

}  // namespace
}  // namespace cairn::web
