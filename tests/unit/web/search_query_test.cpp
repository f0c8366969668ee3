#include "engine/web/search_query.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

using archive::Level;
using Strings = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Search, TakesKeysAsKeywordOrTagAndInLists) {
  const auto search =
      parse_search(
          Level::study, {},
          Pairs{{"StudyInstanceUID", "1.2,1.3\\1.4"}, {"0020000d", "1.5"}, {"00100020", "A B"}, {"PatientID", "C"}})
          .value();
  EXPECT_EQ(search.query.study_uids, (Strings{"1.2", "1.3", "1.4", "1.5"}));
  EXPECT_EQ(search.query.patient_ids, (Strings{"A B", "C"}));
  EXPECT_TRUE(search.warnings.empty());
}

TEST(Search, JoinsThePathToTheKeys) {
  const Resource path{"1.2", "1.2.3", ""};
  auto search = parse_search(Level::instance, path, {}).value();
  EXPECT_EQ(search.query.study_uids, Strings{"1.2"});
  EXPECT_EQ(search.query.series_uids, Strings{"1.2.3"});
  EXPECT_FALSE(search.none);
  search = parse_search(Level::instance, path, Pairs{{"StudyInstanceUID", "1.2"}}).value();
  EXPECT_FALSE(search.none);
  search = parse_search(Level::instance, path, Pairs{{"StudyInstanceUID", "9.9"}}).value();
  EXPECT_TRUE(search.none);
}

TEST(Search, LimitsEveryAnswer) {
  auto search = parse_search(Level::study, {}, {}).value();
  EXPECT_EQ(search.limit, kMaxMatches);
  EXPECT_EQ(search.query.limit, kMaxMatches + 1);
  EXPECT_TRUE(search.limit_is_ours);
  search = parse_search(Level::study, {}, Pairs{{"limit", "10"}, {"offset", "20"}}).value();
  EXPECT_EQ(search.query.limit, 11u);
  EXPECT_EQ(search.query.offset, 20u);
  EXPECT_FALSE(search.limit_is_ours);
  EXPECT_TRUE(parse_search(Level::study, {}, Pairs{{"limit", "0"}}).value().none);
}

TEST(Search, RefusesWhatCannotBeMeant) {
  for (const auto& [name, value] : Pairs{{"limit", "-1"},
                                         {"limit", "x"},
                                         {"limit", ""},
                                         {"offset", "1e3"},
                                         {"limit", "99999999999999999999999"},
                                         {"StudyInstanceUID", "1.2.*"},
                                         {"0020000E", "abc"},
                                         {"SOPInstanceUID", std::string(65, '1')}}) {
    EXPECT_EQ(parse_search(Level::study, {}, Pairs{{name, value}}).error(), Errc::malformed) << name;
  }
  std::string many = "1";
  for (int i = 0; i < 2000; ++i) many += ",1";
  EXPECT_EQ(parse_search(Level::study, {}, Pairs{{"StudyInstanceUID", many}}).error(), Errc::limit_exceeded);
}

TEST(Search, NamesWhatItIgnoresButNeverItsValueNorOddBytes) {
  const auto search = parse_search(Level::study, {}, Pairs{{"NoSuchAttribute", "Doe"}, {"x\"y", "z"}}).value();
  std::string all;
  for (const auto& warning : search.warnings) all += warning + '\n';
  EXPECT_NE(all.find("NoSuchAttribute"), std::string::npos);
  EXPECT_EQ(all.find("Doe"), std::string::npos);
  EXPECT_EQ(all.find('"'), std::string::npos);
}

TEST(Search, TakesAnyAttributeAsAKey) {
  const auto search = parse_search(Level::study, {},
                                   Pairs{{"PatientName", "D\xc3\xb6*"},
                                         {"00080061", "CT,MR"},
                                         {"PatientID", "A*"},
                                         {"ProcedureCodeSequence.CodeValue", "X"},
                                         {"fuzzymatching", "true"},
                                         {"includefield", "PatientAge,00081110.00081150"}})
                          .value();
  EXPECT_TRUE(search.warnings.empty());
  EXPECT_TRUE(search.query.fuzzy);
  ASSERT_EQ(search.query.keys.size(), 4u);
  EXPECT_EQ(search.query.keys[0].values, Strings{"D\xc3\xb6*"});
  EXPECT_EQ(search.query.keys[1].values, (Strings{"CT", "MR"}));
  EXPECT_EQ(search.query.keys[2].values, Strings{"A*"});
  ASSERT_EQ(search.query.keys[3].items.size(), 1u);
  EXPECT_EQ(search.query.keys[3].items[0].values, Strings{"X"});
  EXPECT_TRUE(search.query.patient_ids.empty());
  EXPECT_EQ(search.query.returns.size(), 6u);
}

TEST(Search, ACursorIsThePlaceItWasMadeFrom) {
  const std::string place("a\0\xff place", 9);
  EXPECT_EQ(parse_search(Level::study, {}, Pairs{{"cursor", cursor_text(place)}}).value().query.after, place);
  for (const char* bad : {"", "a", "zz", "0"}) {
    EXPECT_EQ(parse_search(Level::study, {}, Pairs{{"cursor", bad}}).error(), Errc::malformed);
  }
}

TEST(Search, TakesAStarForAll) {
  EXPECT_TRUE(parse_search(Level::study, {}, Pairs{{"PatientID", "*"}}).value().query.patient_ids.empty());
}

}  // namespace
}  // namespace cairn::web
