// Retention removes what its rules say and nothing else: restorable, slowly, and not while the clock is doubtful.
#include "engine/archive/retention.h"

#include <gmock/gmock.h>

#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

using std::chrono::days;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RetentionTest : public ArchiveTest {
 protected:
  void store(int study, int instance = 1, const char* modality = "CT") {
    Sample s;
    s.study = "1." + std::to_string(study);
    s.series = s.study + ".1";
    s.sop = s.series + '.' + std::to_string(instance);
    s.modality = modality;
    const auto stored = run(receive(*archive_, s.stream()));
    ASSERT_TRUE(stored) << to_string(stored.error());
  }
  std::vector<std::string> studies() {
    std::vector<std::string> out;
    Query query;
    EXPECT_TRUE(archive_->find(query, [&](Match&& match) {
      out.push_back(match.text(dicom::tags::StudyInstanceUID));
      return true;
    }));
    std::sort(out.begin(), out.end());
    return out;
  }
  RetentionOptions options(std::vector<RetentionRule> rules) {
    RetentionOptions out;
    out.rules = std::move(rules);
    out.now_unix_ms = [this] {
      return std::chrono::duration_cast<std::chrono::milliseconds>(
                 (std::chrono::system_clock::now() + ahead_ + set_by_).time_since_epoch())
          .count();
    };
    out.steady = [this] { return std::chrono::steady_clock::now() + ahead_; };
    return out;
  }
  static RetentionRule rule(int age_days, bool only_copy = true) {
    RetentionRule out;
    out.name = "old";
    out.age = days(age_days);
    out.removes_the_only_copy = only_copy;
    return out;
  }
  std::chrono::seconds ahead_{0}, set_by_{0};
};

TEST_F(RetentionTest, WithoutRulesNothingIsEverRemoved) {
  open();
  for (int i = 1; i <= 5; ++i) store(i);
  Retention retention(*archive_, options({}));
  retention.start();
  for (int day = 0; day < 4000; day += 100) {
    ahead_ = days(day);
    EXPECT_EQ(retention.run_once(), 0u);
  }
  EXPECT_EQ(studies().size(), 5u);
  EXPECT_THAT(retention.plan(10).value().rules, IsEmpty());
}

TEST_F(RetentionTest, WhatIsOldGoesAndCanBeRestored) {
  open();
  store(1);
  store(2);
  Retention retention(*archive_, options({rule(3)}));
  EXPECT_EQ(retention.run_once(), 0u);
  EXPECT_EQ(retention.plan(10).value().rules.front().waits_for, "something old enough");
  ahead_ = days(4);
  const auto plan = retention.plan(10).value();
  ASSERT_EQ(plan.rules.size(), 1u);
  EXPECT_EQ(plan.held, "");
  EXPECT_EQ(plan.rules[0].waits_for, "");
  EXPECT_EQ(plan.rules[0].found.expired.size(), 2u);
  EXPECT_EQ(studies().size(), 2u);  // a plan removes nothing

  EXPECT_EQ(retention.run_once(), 2u);
  EXPECT_THAT(studies(), IsEmpty());
  EXPECT_EQ(retention.counters().at("old").removed, 2u);
  std::vector<Removed> removed;
  ASSERT_TRUE(archive_->removed({}, [&](Removed&& one) {
    removed.push_back(std::move(one));
    return true;
  }));
  ASSERT_EQ(removed.size(), 2u);
  EXPECT_EQ(removed[0].asked.via, store::Event::Via::rule);
  EXPECT_EQ(removed[0].asked.reason, "rule old: unchanged for 4 days");
  ASSERT_TRUE(run(archive_->restore(removed[0].sequence, {})));
  EXPECT_EQ(studies().size(), 1u);
}

TEST_F(RetentionTest, NotTheOnlyCopyUnlessTheRuleSaysSo) {
  open();
  store(1);
  Retention retention(*archive_, options({rule(3, false)}));
  ahead_ = days(4);
  EXPECT_THAT(retention.plan(10).value().rules.front().waits_for, HasSubstr("removes_the_only_copy"));
  EXPECT_EQ(retention.run_once(), 0u);
  EXPECT_EQ(retention.counters().at("old").refused, 1u);
  EXPECT_THAT(studies(), ElementsAre("1.1"));
}

TEST_F(RetentionTest, NotMoreThanAllowedInAnHour) {
  open();
  for (int i = 1; i <= 7; ++i) store(i);
  RetentionOptions limited = options({rule(2)});
  limited.per_hour = 3;
  Retention retention(*archive_, std::move(limited));
  ahead_ = days(3);
  EXPECT_EQ(retention.plan(1).value().left_this_hour, 3u);
  EXPECT_EQ(retention.run_once(), 3u);
  EXPECT_THAT(studies(), ElementsAre("1.4", "1.5", "1.6", "1.7"));  // the oldest first
  EXPECT_EQ(retention.run_once(), 0u);
  ahead_ += std::chrono::minutes(59);
  EXPECT_EQ(retention.run_once(), 0u);
  ahead_ += std::chrono::minutes(2);
  EXPECT_EQ(retention.run_once(), 3u);
  ahead_ += hours(2);
  EXPECT_EQ(retention.run_once(), 1u);
}

TEST_F(RetentionTest, AClockThatWasSetHoldsEverything) {
  open();
  store(1);
  Retention retention(*archive_, options({rule(2)}));
  EXPECT_EQ(retention.run_once(), 0u);
  set_by_ = days(5);
  EXPECT_EQ(retention.run_once(), 0u);
  EXPECT_TRUE(retention.is_held());
  EXPECT_THAT(retention.plan(10).value().held, HasSubstr("clock"));
  ahead_ = hours(23);
  EXPECT_EQ(retention.run_once(), 0u);
  ahead_ = hours(25);
  EXPECT_EQ(retention.run_once(), 1u);  // it stayed so: somebody meant it
}

TEST_F(RetentionTest, AnArchiveInWhichNothingHappensIsLeftAlone) {
  open();
  store(1);
  Retention retention(*archive_, options({rule(2)}));
  ahead_ = days(400);  // or the clock was wrong before the start
  EXPECT_EQ(retention.run_once(), 0u);
  EXPECT_THAT(retention.plan(10).value().held, HasSubstr("nothing changed for a week"));
  set_by_ = -days(500);
  Retention behind(*archive_, options({rule(2)}));
  EXPECT_EQ(behind.run_once(), 0u);
  EXPECT_THAT(behind.plan(10).value().held, HasSubstr("behind"));
  EXPECT_EQ(studies().size(), 1u);
}

TEST_F(RetentionTest, SpaceIsMadeOnlyWhenThereIsTooLittleAndOnlyAsMuch) {
  open();
  for (int i = 1; i <= 6; ++i) store(i);
  std::uint64_t free = 0;
  for (const auto& volume : archive_->stats().volumes) free += volume.free_bytes;
  RetentionRule plenty = rule(2), tight = rule(2);
  plenty.below_free_bytes = plenty.until_free_bytes = 1;
  Retention idle(*archive_, options({plenty}));
  ahead_ = days(3);
  EXPECT_EQ(idle.plan(10).value().rules.front().waits_for, "less free space");
  EXPECT_EQ(idle.run_once(), 0u);
  tight.below_free_bytes = free * 2;  // never reached: all of it goes
  tight.until_free_bytes = free * 2;
  Retention busy(*archive_, options({tight}));
  EXPECT_EQ(busy.run_once(), 6u);
}

TEST_F(RetentionTest, TheThreadRunsByItselfAndStopsAtOnce) {
  open();
  store(1);
  RetentionOptions quick = options({rule(2)});
  quick.first_after = quick.interval = std::chrono::seconds(0);
  ahead_ = days(3);
  Retention retention(*archive_, std::move(quick));
  retention.start();
  for (int i = 0; i < 500 && !studies().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_THAT(studies(), IsEmpty());
  retention.stop();
  store(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_THAT(studies(), ElementsAre("1.2"));
}

}  // namespace
}  // namespace cairn::archive::test
