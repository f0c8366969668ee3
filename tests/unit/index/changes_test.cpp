// The change feed tells what took effect, in order, each once, the same after a rebuild however the log was read.
#include "engine/store/index/changes.h"

#include <random>

#include <gmock/gmock.h>

#include "tests/unit/index/sample.h"

namespace cairn::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string text_of(const Change& c) {
  std::string out = std::to_string(c.sequence) + ' ' + std::to_string(static_cast<int>(c.kind)) + ' ' +
                    std::to_string(c.time_unix_ms) + ' ' + c.study_instance_uid + ' ' + c.series_instance_uid + ' ' +
                    c.sop_instance_uid;
  if (c.is_event()) {
    out +=
        ' ' + std::to_string(c.level) + ' ' + std::to_string(c.via) + ' ' + std::to_string(c.subject) + ' ' + c.reason;
  }
  return out;
}

class ChangesTest : public IndexTest {
 protected:
  std::vector<std::string> changes(Sequence since = 0, std::size_t most = SIZE_MAX) {
    std::vector<std::string> out;
    const auto read = index().view().each_change(since, [&](const Change& c) {
      out.push_back(text_of(c));
      return out.size() < most;
    });
    EXPECT_TRUE(read);
    return out;
  }
  static Sample sample(const std::string& sop, DuplicatePolicy policy = DuplicatePolicy::keep, char content = 'x') {
    Sample s;
    s.sop = sop;
    s.policy = policy;
    s.pixels = std::string(64, content);
    return s;
  }
};

TEST_F(ChangesTest, WhatTookEffectIsToldAndWhatChangedNothingIsNot) {
  store({sample("1.2.3.1"), sample("1.2.3.2"), sample("1.2.3.1")});  // 3: identical
  store(sample("1.2.3.1", DuplicatePolicy::refuse, 'y'));            // 4: refused
  store(sample("1.2.3.1", DuplicatePolicy::keep, 'y'));              // 5
  store(sample("1.2.3.2", DuplicatePolicy::replace, 'z'));           // 6
  EXPECT_EQ(remove("1.9"), Outcome::identical);                      // 7
  Event e;
  e.time_unix_ns = -1;
  e.study_instance_uid = "1.2";
  e.series_instance_uid = "1.2.3";
  e.level = Event::Level::series;
  e.via = Event::Via::rule;
  e.reason = "too old";
  EXPECT_EQ(apply(e), Outcome::stored);    // 8
  EXPECT_EQ(restore(8), Outcome::stored);  // 9
  EXPECT_THAT(changes(), ElementsAre("1 1 0 1.2 1.2.3 1.2.3.1", "2 1 0 1.2 1.2.3 1.2.3.2", "5 3 0 1.2 1.2.3 1.2.3.1",
                                     "6 2 0 1.2 1.2.3 1.2.3.2", "8 65 -1 1.2 1.2.3  2 3 0 too old",
                                     "9 66 -1 1.2 1.2.3  2 3 8 too old"));
  EXPECT_EQ(index().view().applied().value(), 9u);
}

TEST_F(ChangesTest, AFollowerGoesOnAnywhere) {
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<Sample> samples;
    for (int i = 0; i < 7; ++i) samples.push_back(sample("1.2." + std::to_string(batch) + '.' + std::to_string(i)));
    store(samples);
  }
  const auto all = changes();
  ASSERT_EQ(all.size(), 35u);
  for (std::size_t since = 0; since <= 35; ++since) {
    EXPECT_EQ(changes(since), std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(since), all.end()));
  }
  std::vector<std::string> by_threes;
  while (by_threes.size() < all.size()) {
    const auto some = changes(by_threes.size(), 3);
    by_threes.insert(by_threes.end(), some.begin(), some.end());
  }
  EXPECT_EQ(by_threes, all);
  EXPECT_THAT(changes(36), IsEmpty());
  EXPECT_THAT(changes(~Sequence{0}), IsEmpty());
}

TEST_F(ChangesTest, ARebuildTellsTheSameHoweverTheLogIsRead) {
  std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()));
  for (int step = 0; step < 60; ++step) {
    if (step % 7 == 5) {
      remove("1.2", random() % 2 ? "1.2.3" : "");
    } else if (step % 7 == 6) {
      restore(last_);
    } else {
      std::vector<Sample> samples;
      const DuplicatePolicy policies[] = {DuplicatePolicy::keep, DuplicatePolicy::replace, DuplicatePolicy::refuse};
      for (std::size_t i = 0; i < 1 + random() % 9; ++i) {
        samples.push_back(sample("1.2.3." + std::to_string(random() % 20), policies[random() % 3],
                                 static_cast<char>('a' + random() % 3)));
      }
      store(samples);
    }
  }
  const auto told = changes();
  const std::string before = dump();
  for (const std::size_t size : {1u, 13u, 1000u}) {
    ASSERT_TRUE(index().reset("test"));
    replay(size);
    EXPECT_EQ(changes(), told) << size;
    EXPECT_EQ(dump(), before) << size;
  }
  ASSERT_TRUE(index().close());
  open();
  EXPECT_EQ(changes(), told);
}

TEST_F(ChangesTest, EachStepRings) {
  std::vector<Sequence> rung;
  IndexOptions o = options();
  o.applied = [&](Sequence sequence) {
    rung.push_back(sequence);
    EXPECT_EQ(index_->view().applied().value(), sequence);
  };
  index_ = std::move(Index::open(std::move(o))).value();
  store({sample("1.1"), sample("1.2")});
  store(sample("1.3"));
  EXPECT_THAT(rung, ElementsAre(2u, 3u));
}

TEST(ChangeRowTest, DamageIsToldAndNeverFollowed) {
  ChangeRow row;
  Change change;
  change.study_instance_uid = "1.2";
  change.series_instance_uid = "1.2.3";
  change.sop_instance_uid = "1.2.3.4";
  for (Sequence s = 5; s < 9; ++s) {
    change.sequence = s;
    change.kind = s == 7 ? Change::Kind{65} : Change::Kind::stored;
    change.reason = s == 7 ? "why" : "";
    row.add(change);
  }
  const std::string good = row.encoded();
  const auto read = [](std::string_view stored) {
    std::vector<Sequence> out;
    const auto done = ChangeRow::read(stored, [&](const Change& c) {
      out.push_back(c.sequence);
      return true;
    });
    return std::pair(bool(done), out);
  };
  EXPECT_THAT(read(good).second, ElementsAre(5u, 6u, 7u, 8u));
  std::size_t refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    refused += read(std::string_view(good).substr(0, i)).first ? 0 : 1;
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      read(bad);
    }
  }
  EXPECT_EQ(refused, good.size() - 4);  // the whole changes before are whole
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string noise(random() % 40, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    read(noise);
  }
}

}  // namespace
}  // namespace cairn::store::test
