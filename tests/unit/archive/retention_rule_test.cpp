// What retention rules apply to: the oldest first, never what may still be coming in, whatever clocks and dates say.
#include "engine/archive/retention_rule.h"

#include <random>

#include <gmock/gmock.h>

#include "tests/unit/index/sample.h"

namespace cairn::archive {
namespace {

using store::Change;
using store::Committed;
using store::DuplicatePolicy;
using store::Event;
using store::test::Sample;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kNow = 20'000 * kDay;  // 2024-10-04

class RetentionRuleTest : public store::test::IndexTest {
 protected:
  /// A sample with a Study Date.
  struct Dated : Sample {
    std::string date;
  };
  void store_at(std::int64_t unix_ms, const Dated& sample) {
    std::string stream = sample.stream();
    Committed one = store::test::committed_of(stream, ++last_, DuplicatePolicy::keep);
    if (!sample.date.empty()) {
      const auto encoding = dicom::encoding_of(sample.transfer_syntax);
      const std::size_t meta = one.record.data_set_offset;
      dicom::DataSet data = dicom::DataSet::parse(as_bytes(stream).subspan(meta), encoding).value();
      data.set_text(dicom::tags::StudyDate, dicom::VR::DA, sample.date);
      stream = stream.substr(0, meta) + data.encode(encoding);
      one = store::test::committed_of(stream, last_, DuplicatePolicy::keep);
    }
    log_[last_] = stream;
    one.record.received_unix_ns = unix_ms * 1'000'000;
    ASSERT_TRUE(index().apply(std::span(&one, 1), "at"));
  }
  static Dated sample(int study, int series = 1, const char* modality = "CT", std::string date = {}, int instance = 1) {
    Dated s;
    s.study = "1." + std::to_string(study);
    s.series = s.study + '.' + std::to_string(series);
    s.sop = s.series + '.' + std::to_string(instance);
    s.modality = modality;
    s.date = std::move(date);
    return s;
  }
  void event_at(std::int64_t unix_ms, Event e) {
    e.time_unix_ns = unix_ms * 1'000'000;
    ASSERT_EQ(apply(e), store::Outcome::stored);
  }
  static RetentionRule rule(int days) {
    RetentionRule out;
    out.name = "test";
    out.age = std::chrono::days(days);
    return out;
  }
  std::vector<std::string> expired(const RetentionRule& rule, std::int64_t now = kNow, std::size_t limit = 100) {
    search_ = {};
    return expired_on(rule, now, limit);
  }
  /// Goes on where the last search came to.
  std::vector<std::string> expired_on(const RetentionRule& rule, std::int64_t now = kNow, std::size_t limit = 100) {
    const auto found = find_expired(index().view(), rule, now, limit, search_);
    EXPECT_TRUE(found);
    more_ = found.value().more;
    std::vector<std::string> out;
    for (const Expired& e : found.value().expired) out.push_back(e.series_uid.empty() ? e.study_uid : e.series_uid);
    return out;
  }
  ExpirySearch search_;
  bool more_ = false;
};

TEST_F(RetentionRuleTest, WhatIsUnchangedForLongGoesOldestFirst) {
  store_at(kNow - 40 * kDay, sample(1));
  store_at(kNow - 35 * kDay, sample(2));
  store_at(kNow - 34 * kDay, sample(3));
  store_at(kNow - 33 * kDay, sample(1, 2));  // 1 changed last here
  store_at(kNow - 5 * kDay, sample(4));
  store_at(kNow - 4 * kDay, sample(3, 1, "CT", {}, 2));
  EXPECT_THAT(expired(rule(30)), ElementsAre("1.2", "1.1"));
  EXPECT_FALSE(more_);
  EXPECT_THAT(expired(rule(30), kNow, 1), ElementsAre("1.2"));
  EXPECT_TRUE(more_);
  EXPECT_THAT(expired(rule(34)), ElementsAre("1.2"));
  EXPECT_THAT(expired(rule(36)), IsEmpty());
  RetentionRule series = rule(30);
  series.level = RetentionRule::Level::series;
  EXPECT_THAT(expired(series), ElementsAre("1.1.1", "1.2.1", "1.1.2"));
}

TEST_F(RetentionRuleTest, WhatIsRestoredIsAsYoungAsItsRestoration) {
  store_at(kNow - 40 * kDay, sample(1));
  store_at(kNow - 40 * kDay, sample(2));
  Event e;
  e.study_instance_uid = "1.1";
  event_at(kNow - 39 * kDay, e);
  e.kind = Event::Kind::restore;
  e.subject = 3;
  event_at(kNow - 2 * kDay, e);
  EXPECT_THAT(expired(rule(30)), ElementsAre("1.2"));
  EXPECT_THAT(expired(rule(1)), ElementsAre("1.2", "1.1"));
}

TEST_F(RetentionRuleTest, NothingIsOldWithinADay) {
  store_at(kNow - kDay / 2, sample(1, 1, "CT", "20000101"));
  EXPECT_THAT(expired(rule(0)), IsEmpty());
  RetentionRule by_date = rule(365);
  by_date.age_of = RetentionRule::AgeOf::study_date;
  EXPECT_THAT(expired(by_date), IsEmpty());
  EXPECT_THAT(expired(by_date, kNow + kDay), ElementsAre("1.1"));
}

TEST_F(RetentionRuleTest, ByStudyDateAndNeverByOneThatCannotBe) {
  const std::int64_t came = kNow - 3 * kDay;
  store_at(came, sample(1, 1, "CT", "20200131"));
  store_at(came, sample(2, 1, "CT", "19000101"));
  store_at(came, sample(3, 1, "CT", "20990101"));
  store_at(came, sample(4, 1, "CT", ""));
  store_at(came, sample(5, 1, "CT", "2020"));
  store_at(came, sample(6, 1, "CT", "19991231"));
  store_at(came, sample(7, 1, "CT", "20231003"));
  store_at(came, sample(8, 1, "CT", "20200201"));
  store_at(came, sample(9, 1, "CT", "20231006"));
  RetentionRule by_date = rule(366);
  by_date.age_of = RetentionRule::AgeOf::study_date;
  EXPECT_THAT(expired(by_date), ElementsAre("1.6", "1.1", "1.8", "1.7"));
  EXPECT_THAT(expired(by_date, kNow, 2), ElementsAre("1.6", "1.1"));
  EXPECT_TRUE(more_);
}

TEST_F(RetentionRuleTest, OnlyOfTheModalitiesNamed) {
  store_at(kNow - 40 * kDay, sample(1, 1, "US"));
  store_at(kNow - 40 * kDay, sample(1, 2, "SR"));
  store_at(kNow - 40 * kDay, sample(2, 1, "US"));
  store_at(kNow - 40 * kDay, sample(3, 1, ""));
  RetentionRule us = rule(30);
  us.modalities = {"US"};
  EXPECT_THAT(expired(us), ElementsAre("1.2"));
  us.modalities = {"SR", "US"};
  EXPECT_THAT(expired(us), ElementsAre("1.1", "1.2"));
  us.modalities = {"US"};
  us.level = RetentionRule::Level::series;
  EXPECT_THAT(expired(us), ElementsAre("1.1.1", "1.2.1"));
}

TEST_F(RetentionRuleTest, AClockThatWasWrongMakesNothingOld) {
  store_at(kNow - 2 * kDay, sample(1));
  store_at(0, sample(2));                     // a clock that had been reset
  store_at(kNow + 27'000 * kDay, sample(3));  // 2099
  store_at(kNow - 2 * kDay, sample(4));
  EXPECT_THAT(expired(rule(30)), IsEmpty());
  EXPECT_THAT(expired(rule(30), kNow + 29 * kDay), ElementsAre("1.1", "1.2", "1.4"));
}

TEST_F(RetentionRuleTest, ASearchThatGoesOnFindsWhatAFreshOneFinds) {
  std::mt19937 random(static_cast<unsigned>(::testing::UnitTest::GetInstance()->random_seed()));
  RetentionRule us = rule(30);
  us.modalities = {"US"};
  std::int64_t now = kNow;
  ExpirySearch kept;
  for (int step = 0; step < 400; ++step) {
    now += static_cast<std::int64_t>(random() % 3) * kDay;
    const std::int64_t jitter = static_cast<std::int64_t>(random() % 100) * 60'000;
    store_at(now - jitter, sample(static_cast<int>(random() % 60), static_cast<int>(random() % 2),
                                  random() % 2 ? "US" : "CT", {}, step));
    const auto fresh = expired(us, now, 1 + static_cast<std::size_t>(step % 5));
    search_ = kept;
    EXPECT_EQ(expired_on(us, now, 1 + static_cast<std::size_t>(step % 5)), fresh) << step;
    kept = search_;
    if (!fresh.empty() && random() % 2) {
      Event e;
      e.study_instance_uid = fresh.front();
      event_at(now, e);
    }
  }
  EXPECT_GT(kept.from, 0u);
}

}  // namespace
}  // namespace cairn::archive
