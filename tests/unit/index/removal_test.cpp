// What is removed is in no answer, what is restored is as it was, and both are a pure function of the log.
#include <chrono>
#include <random>

#include <gmock/gmock.h>

#include "engine/store/index/attributes.h"
#include "engine/store/index/keys.h"
#include "tests/unit/index/sample.h"

namespace cairn::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Sample sample(int study, int series, int instance) {
  Sample s;
  s.study = "1." + std::to_string(study);
  s.series = s.study + "." + std::to_string(series);
  s.sop = s.series + "." + std::to_string(instance);
  s.number = std::to_string(instance);
  s.series_number = std::to_string(series);
  s.patient_id = "P" + std::to_string(study);
  s.patient_name = "Name" + std::to_string(study) + "^X";
  s.modality = series % 2 == 0 ? "MR" : "CT";
  return s;
}

class RemovalTest : public IndexTest {
 protected:
  /// All answers about current content, versions left out.
  std::string answers() {
    const IndexView view = index().view();
    std::string out;
    const auto say = [&](auto&&... pieces) {
      ((out.append(pieces), out += '|'), ...);
      out += '\n';
    };
    EXPECT_TRUE(view.each_study([&](std::string_view uid, StudyRow&& row) {
      say("study", uid, std::to_string(row.series), std::to_string(row.instances), std::to_string(row.bytes),
          row.patient_id, row.attributes, std::to_string(row.attributes_sequence));
      for (const auto& [modality, count] : row.modalities) say(modality, std::to_string(count));
      const auto all_series = view.series_of_study(uid).value();
      for (const auto& series : all_series) {
        say("series", series.series_uid, std::to_string(series.row.instances), std::to_string(series.row.bytes),
            series.row.modality, series.row.attributes, std::to_string(series.row.attributes_sequence));
        EXPECT_TRUE(view.each_instance(uid, series.series_uid, [&](InstanceRow&& i) {
          say(i.sop_instance_uid, std::to_string(i.sequence), view.header(i).value());
          EXPECT_TRUE(view.instance(i.sop_instance_uid).value());
          return true;
        }));
        EXPECT_TRUE(view.each_header(uid, series.series_uid, [&](std::string_view sop, std::string_view header) {
          say("header", sop, header);
          return true;
        }));
      }
      return true;
    }));
    EXPECT_TRUE(view.each_patient([&](std::string_view id, PatientRow&& row) {
      say("patient", id, std::to_string(row.studies));
      EXPECT_TRUE(view.each_study_of_patient(id, [&](std::string_view uid) {
        say(uid);
        return true;
      }));
      return true;
    }));
    for (const auto list = view.list("A", "O"); list->valid(); list->next()) say("list", list->key());
    for (const auto list = view.list("s", "t"); list->valid(); list->next()) say("list", list->key());
    const IndexState s = index().state();
    for (const auto v : {s.patients, s.studies, s.series, s.instances, s.bytes}) say(std::to_string(v));
    return out;
  }
  void expect_pure() {
    const std::string before = dump();
    for (const std::size_t size : {1u, 7u, 1000u}) {
      ASSERT_TRUE(index().reset("test"));
      replay(size);
      EXPECT_EQ(dump(), before) << size;
    }
  }
};

TEST_F(RemovalTest, WhatIsRemovedIsInNoAnswerAndComesBackAsItWas) {
  store({sample(1, 1, 1), sample(1, 1, 2), sample(1, 2, 1), sample(2, 1, 1)});
  const auto study = [&] { return remove("1.1"); };
  const auto series = [&] { return remove("1.1", "1.1.1"); };
  const auto newest = [&] { return remove("1.1", "1.1.2", "1.1.2.1"); };
  const auto sole = [&] { return remove("1.2", "1.2.1", "1.2.1.1"); };
  const std::string before = answers();
  const auto comes_back = [&](const std::function<Outcome()>& removal, const char* study_uid, const char* series_uid,
                              const char* sop) {
    const Sequence version = index().series_version(study_uid, series_uid);
    EXPECT_EQ(removal(), Outcome::stored);
    EXPECT_FALSE(index().view().instance(sop).value());
    EXPECT_THAT(uids_of(study_uid, series_uid), ::testing::Not(::testing::Contains(sop)));
    EXPECT_NE(index().series_version(study_uid, series_uid), version);
    const Sequence sequence = last_;
    ASSERT_TRUE(index().view().removal(sequence).value());
    expect_pure();
    EXPECT_EQ(restore(sequence), Outcome::stored);
    EXPECT_EQ(answers(), before);
    EXPECT_GT(index().series_version(study_uid, series_uid), version);
    EXPECT_FALSE(index().view().removal(sequence).value());
    EXPECT_EQ(restore(sequence), Outcome::identical);
  };
  comes_back(study, "1.1", "1.1.1", "1.1.1.2");
  comes_back(series, "1.1", "1.1.1", "1.1.1.1");
  comes_back(newest, "1.1", "1.1.2", "1.1.2.1");
  comes_back(sole, "1.2", "1.2.1", "1.2.1.1");
  expect_pure();
}

TEST_F(RemovalTest, WhatIsNotThereIsNotRemoved) {
  store(sample(1, 1, 1));
  EXPECT_EQ(remove("1.9"), Outcome::identical);
  EXPECT_EQ(remove("1.1", "1.1.9"), Outcome::identical);
  EXPECT_EQ(remove("1.1", "1.1.9", "1.1.1.1"), Outcome::identical);
  EXPECT_EQ(remove("1.1"), Outcome::stored);
  EXPECT_EQ(remove("1.1"), Outcome::identical);
  EXPECT_EQ(remove("1.1", "1.1.1", "1.1.1.1"), Outcome::identical);
  EXPECT_THAT(uids_of("1.1", "1.1.1"), IsEmpty());
}

TEST_F(RemovalTest, StoredAgainItIsNewAndARestorationKeepsBoth) {
  store({sample(1, 1, 1), sample(1, 1, 2)});
  remove("1.1");
  const Sequence removal = last_;
  EXPECT_EQ(store(sample(1, 1, 1)), Outcome::stored);
  EXPECT_THAT(uids_of("1.1", "1.1.1"), ElementsAre("1.1.1.1"));
  EXPECT_EQ(restore(removal), Outcome::stored);
  EXPECT_THAT(uids_of("1.1", "1.1.1"), ElementsAre("1.1.1.1", "1.1.1.2"));
  EXPECT_EQ(index().view().instance("1.1.1.1").value()->sequence, 4u);
  std::vector<Sequence> older;
  EXPECT_TRUE(index().view().each_older("1.1.1.1", [&](IndexView::Older&& o) {
    older.push_back(o.row.sequence);
    return true;
  }));
  EXPECT_THAT(older, ElementsAre(1u));
  expect_pure();
}

TEST_F(RemovalTest, RemovalsOfOneThingAreUndoneInReverseOrder) {
  store({sample(1, 1, 1), sample(1, 2, 1)});
  remove("1.1", "1.1.1", "1.1.1.1");
  const Sequence first = last_;
  store(sample(1, 1, 2));
  remove("1.1", "1.1.1");
  const Sequence second = last_;
  store(sample(1, 1, 3));
  remove("1.1");
  const Sequence third = last_;
  EXPECT_EQ(restore(first), Outcome::refused);
  EXPECT_EQ(restore(second), Outcome::refused);
  EXPECT_EQ(restore(third), Outcome::stored);
  EXPECT_THAT(uids_of("1.1", "1.1.1"), ElementsAre("1.1.1.3"));
  EXPECT_EQ(restore(first), Outcome::refused);
  EXPECT_EQ(restore(second), Outcome::stored);
  EXPECT_EQ(restore(first), Outcome::stored);
  EXPECT_THAT(uids_of("1.1", "1.1.1"), ElementsAre("1.1.1.1", "1.1.1.2", "1.1.1.3"));
  expect_pure();
}

// Random stores, removals and restorations beside a model that holds each content's place.
TEST_F(RemovalTest, AnyOrderOfEventsLeavesWhatAModelSays) {
  struct Content {
    Sequence sequence;
    Sample sample;
  };
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    ASSERT_TRUE(index().reset("test"));
    log_.clear();
    events_.clear();
    last_ = 0;
    std::map<std::string, Content> live;                // by SOP Instance UID
    std::map<Sequence, std::vector<Content>> removals;  // what each took out
    for (int step = 0; step < 120; ++step) {
      const unsigned kind = random() % 10;
      Sample s = sample(1 + static_cast<int>(random() % 2), 1 + static_cast<int>(random() % 2),
                        1 + static_cast<int>(random() % 4));
      if (random() % 4 == 0) s.sop = "1.7." + std::to_string(random() % 3);  // one UID in any study
      if (kind < 5) {
        s.pixels = std::string(64, static_cast<char>('a' + random() % 3));
        s.number = std::to_string(random() % 5);
        if (store(s) == Outcome::identical) continue;
        live[s.sop] = {last_, s};
      } else if (kind < 8) {
        const unsigned level = random() % 3;
        std::vector<Content> gone;
        for (const auto& [sop, content] : live) {
          if (content.sample.study == s.study && (level == 0 || content.sample.series == s.series) &&
              (level < 2 || sop == s.sop)) {
            gone.push_back(content);
          }
        }
        const Outcome outcome = remove(s.study, level > 0 ? s.series : "", level > 1 ? s.sop : "");
        ASSERT_EQ(outcome, gone.empty() ? Outcome::identical : Outcome::stored);
        for (const Content& c : gone) live.erase(c.sample.sop);
        if (!gone.empty()) removals[last_] = gone;
      } else if (!removals.empty()) {
        auto at = removals.begin();
        std::advance(at, random() % removals.size());
        const Outcome outcome = restore(at->first);
        if (outcome == Outcome::refused) continue;
        ASSERT_EQ(outcome, Outcome::stored);
        for (const Content& c : at->second) live.try_emplace(c.sample.sop, c);
        removals.erase(at);
      }
      std::map<std::string, Sequence> found, expected;
      const IndexView view = index().view();
      std::uint64_t counted = 0;
      EXPECT_TRUE(view.each_study([&](std::string_view study, StudyRow&& row) {
        std::uint64_t in_study = 0;
        const auto all_series = view.series_of_study(study).value();
        for (const auto& series : all_series) {
          std::uint64_t in_series = 0;
          Sequence newest = 0;
          EXPECT_TRUE(view.each_instance(study, series.series_uid, [&](InstanceRow&& i) {
            found[i.sop_instance_uid] = i.sequence;
            newest = std::max(newest, i.sequence);
            ++in_series;
            return true;
          }));
          EXPECT_EQ(series.row.instances, in_series);
          EXPECT_EQ(series.row.attributes_sequence, newest);
          in_study += in_series;
        }
        EXPECT_EQ(row.instances, in_study);
        counted += in_study;
        return true;
      }));
      for (const auto& [sop, content] : live) expected[sop] = content.sequence;
      ASSERT_EQ(found, expected) << "step " << step;
      EXPECT_EQ(index().state().instances, counted);
      for (const Sample& any : {sample(1, 1, 1), sample(2, 2, 2)}) {
        EXPECT_EQ(view.instance(any.sop).value().has_value(), expected.contains(any.sop));
      }
    }
    expect_pure();
  }
}

TEST_F(RemovalTest, AStudyOfTenThousandInstancesGoesAtOnce) {
  std::vector<Sample> batch;
  for (int i = 0; i < 10'000; ++i) batch.push_back(sample(1, 1 + i / 400, 1 + i % 400));
  for (std::size_t i = 0; i < batch.size(); i += 500) {
    store({batch.begin() + static_cast<std::ptrdiff_t>(i), batch.begin() + static_cast<std::ptrdiff_t>(i + 500)});
  }
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(remove("1.1"), Outcome::stored);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  RecordProperty("removal_us", static_cast<int>(took.count() * 1000));
  EXPECT_LT(took.count(), 50);
  EXPECT_EQ(index().state().instances, 0u);
  const auto again = std::chrono::steady_clock::now();
  EXPECT_EQ(restore(last_), Outcome::stored);
  const std::chrono::duration<double, std::milli> restored = std::chrono::steady_clock::now() - again;
  RecordProperty("restoration_us", static_cast<int>(restored.count() * 1000));
  std::printf("removed in %.2f ms, restored in %.1f ms\n", took.count(), restored.count());
  EXPECT_EQ(index().state().instances, 10'000u);
}

}  // namespace
}  // namespace cairn::store::test
