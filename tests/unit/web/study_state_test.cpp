#include "engine/web/study_state.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace cairn::web {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNoon = 1'764'072'000 * kSecond;  // 2025-11-25T12:00:00Z

archive::Instance instance(const char* series, std::int64_t received, std::uint64_t length) {
  archive::Instance out;
  out.series_instance_uid = series;
  out.received_unix_ns = received;
  out.stream_length = length;
  return out;
}

TEST(StudyState, SumsUpTheInstances) {
  const auto state = state_of({instance("1.1", kNoon + 5 * kSecond, 10), instance("1.1", kNoon, 20),
                               instance("1.2", kNoon + 9 * kSecond, 30), instance("1.2", kNoon + kSecond, 40)});
  EXPECT_EQ(state.series, 2u);
  EXPECT_EQ(state.instances, 4u);
  EXPECT_EQ(state.bytes, 100u);
  EXPECT_EQ(state.first_received_ns, kNoon);
  EXPECT_EQ(state.last_received_ns, kNoon + 9 * kSecond);
}

json::object told(std::int64_t last, std::int64_t now) {
  const StudyState state{1, 1, 10, last, last};
  return json::parse(study_state_json("1.2", state, now, std::chrono::seconds(60))).as_object();
}

TEST(StudyState, IsCompleteOnceNothingCameForAWhile) {
  const auto at = [](std::int64_t now) {
    const json::object out = told(kNoon, now);
    EXPECT_EQ(out.at("reasons").as_array().size(), 1u);
    return std::string(out.at("state").as_string()) + ' ' +
           std::string(out.at("reasons").at(0).at("reason").as_string());
  };
  EXPECT_EQ(at(kNoon), "receiving recent");
  EXPECT_EQ(at(kNoon + 60 * kSecond - 1), "receiving recent");
  EXPECT_EQ(at(kNoon + 60 * kSecond), "complete quiet");
  EXPECT_EQ(at(kNoon + 86'400 * kSecond), "complete quiet");
  EXPECT_EQ(at(kNoon - 1), "receiving clock");
  EXPECT_EQ(at(kNoon - 86'400 * kSecond), "receiving clock");
}

TEST(StudyState, TellsTimesInUtcAndReasonsInWords) {
  const json::object out = told(kNoon + 250'000'000, kNoon + 75 * kSecond);
  EXPECT_EQ(out.at("last_received").as_string(), "2025-11-25T12:00:00.250Z");
  EXPECT_EQ(out.at("complete_at").as_string(), "2025-11-25T12:01:00.250Z");
  EXPECT_EQ(out.at("reasons").at(0).at("detail").as_string(), "no instance came for 74 s, at least 60 s");
  EXPECT_EQ(told(-1, kNoon).at("last_received").as_string(), "1969-12-31T23:59:59.999Z");
}

TEST(StudyState, WhatACommitmentNamesIsAwaitedAndMissingOnesAreNamed) {
  const StudyState state{1, 3, 10, kNoon, kNoon};
  const auto at = [&](std::int64_t now, std::vector<Announced> announced) {
    return json::parse(study_state_json("1.2", state, now, std::chrono::seconds(60), announced)).as_object();
  };
  const Announced all{"CT1", "1.9.1", 3, {}}, some{"CT1", "1.9.2", 2, {"1.2.3.8", "1.2.3.9"}};
  json::object out = at(kNoon + 60 * kSecond, {all});
  EXPECT_EQ(out.at("state").as_string(), "complete");
  EXPECT_EQ(out.at("reasons").at(1).at("reason").as_string(), "committed");
  EXPECT_EQ(out.at("reasons").at(1).at("detail").as_string(),
            "storage commitment was asked for 3 instances: all are here");
  out = at(kNoon + 60 * kSecond, {all, some});
  EXPECT_EQ(out.at("state").as_string(), "incomplete");
  EXPECT_EQ(out.at("reasons").at(2).at("reason").as_string(), "awaited");
  EXPECT_EQ(json::serialize(out.at("reasons").at(2).at("missing")), R"(["1.2.3.8","1.2.3.9"])");
  EXPECT_EQ(at(kNoon, {some}).at("state").as_string(), "receiving");
  const Announced many{"CT1", "1.9.3", 0, std::vector<std::string>(1000, "1.2.3")};
  out = at(kNoon, {many});
  EXPECT_EQ(out.at("reasons").at(1).at("missing").as_array().size(), kMostMissingListed);
  EXPECT_EQ(out.at("reasons").at(1).at("missing_instances").as_int64(), 1000);
}

}  // namespace
}  // namespace cairn::web
