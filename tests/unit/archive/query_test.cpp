// Queries by every kind of key (PS3.4 §C.2.2.2), through the index, and pages of them.
#include <gmock/gmock.h>

#include "engine/archive/query_match.h"
#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

using dicom::VR;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
namespace tags = dicom::tags;

class QueryTest : public ArchiveTest {
 protected:
  struct Study {
    std::string uid, name, patient, date, time, accession, modality = "CT", charset = "ISO_IR 192";
  };
  void put(const Study& s, int instances = 1) {
    for (int i = 1; i <= instances; ++i) {
      dicom::DataSet d;
      const std::string sop = s.uid + ".1." + std::to_string(i);
      d.set_text(tags::SpecificCharacterSet, VR::CS, s.charset);
      d.set_text(tags::SOPClassUID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
      d.set_text(tags::SOPInstanceUID, VR::UI, sop);
      d.set_text(tags::StudyDate, VR::DA, s.date);
      d.set_text(tags::StudyTime, VR::TM, s.time);
      d.set_text(tags::AccessionNumber, VR::SH, s.accession);
      d.set_text(tags::Modality, VR::CS, s.modality);
      d.set_text(tags::PatientName, VR::PN, s.name);
      d.set_text(tags::PatientID, VR::LO, s.patient);
      d.set_text(tags::StudyInstanceUID, VR::UI, s.uid);
      d.set_text(tags::SeriesInstanceUID, VR::UI, s.uid + ".1");
      d.set_text(tags::SeriesNumber, VR::IS, "007");
      d.set_text(tags::InstanceNumber, VR::IS, std::to_string(i));
      dicom::DataSet item;
      item.set_text(tags::CodeValue, VR::SH, "C" + s.patient);
      d.set({tags::ProcedureCodeSequence, VR::SQ, {}, {item}, {}});
      const std::string stream = dicom::make_file_meta("1.2.840.10008.5.1.4.1.1.2", sop, "1.2.840.10008.1.2.1", "") +
                                 d.encode(dicom::encoding_of("1.2.840.10008.1.2.1"));
      ASSERT_TRUE(run(receive(archive(), stream)));
    }
  }
  void fill() {
    put({"1.1", "Doe^Jane", "A1", "20240110", "101500", "X1", "CT"});
    put({"1.2", "DOE^John", "A2", "20240111", "230000", "X2", "MR"});
    put({"1.3", "M\xc3\xbcller^J\xc3\xb6rg", "B1", "20240112", "010000", "X3", "CT", "ISO_IR 100"});
    put({"1.4", "Yamada^Tarou=\xe5\xb1\xb1\xe7\x94\xb0^\xe5\xa4\xaa\xe9\x83\x8e=\xe3\x82\x84\xe3\x81\xbe\xe3\x81\xa0",
         "B2", "", "", "", "US"});
  }
  std::vector<std::string> uids(Query query) {
    std::vector<std::string> out;
    for (const Match& match : find(std::move(query))) out.push_back(match.text(tags::StudyInstanceUID));
    return out;
  }
  std::vector<std::string> by(dicom::Tag tag, VR vr, std::vector<std::string> values, bool fuzzy = false) {
    Query query;
    query.keys = {{tag, vr, std::move(values), {}}};
    query.fuzzy = fuzzy;
    return uids(query);
  }
  Errc refused(std::vector<Key> keys) {
    Query query;
    query.keys = std::move(keys);
    const auto found = archive().find(query, [](Match&&) { return true; });
    for (const Errc errc : {Errc::malformed, Errc::limit_exceeded}) {
      if (!found && found.error() == errc) return errc;
    }
    ADD_FAILURE() << "accepted";
    return Errc::internal;
  }
};

TEST_F(QueryTest, StudiesComeNewestFirstAndThoseWithoutADateLast) {
  fill();
  EXPECT_THAT(uids({}), ElementsAre("1.3", "1.2", "1.1", "1.4"));
}

TEST_F(QueryTest, NamesMatchWithoutCaseAccentsAndInEachComponentGroup) {
  fill();
  const auto name = [&](const char* value, bool fuzzy = false) {
    return by(tags::PatientName, VR::PN, {value}, fuzzy);
  };
  EXPECT_THAT(name("doe^jane"), ElementsAre("1.1"));
  EXPECT_THAT(name("Doe^Jane^^"), ElementsAre("1.1"));
  EXPECT_THAT(name("doe"), IsEmpty());
  EXPECT_THAT(name("DOE*"), UnorderedElementsAre("1.1", "1.2"));
  EXPECT_THAT(name("Muller^Jorg"), ElementsAre("1.3"));
  EXPECT_THAT(name("M\xc3\x9cLLER*"), ElementsAre("1.3"));
  EXPECT_THAT(name("m?ller*"), ElementsAre("1.3"));
  EXPECT_THAT(name("*JO*"), UnorderedElementsAre("1.2", "1.3"));
  EXPECT_THAT(name("\xe5\xb1\xb1\xe7\x94\xb0*"), ElementsAre("1.4"));
  EXPECT_THAT(name("*\xe3\x81\xbe*"), ElementsAre("1.4"));
  EXPECT_THAT(name("yamada*=\xe5\xb1\xb1*"), ElementsAre("1.4"));
  EXPECT_THAT(name("yamada*=\xe5\xb1\xb0*"), IsEmpty());
  EXPECT_THAT(name("*"), ::testing::SizeIs(4));
  EXPECT_THAT(name("Meier", true), IsEmpty());
  EXPECT_THAT(name("Mulle", true), ElementsAre("1.3"));
  EXPECT_THAT(name("jorg muler", true), ElementsAre("1.3"));
  EXPECT_THAT(name("jane doe", true), ElementsAre("1.1"));
}

TEST_F(QueryTest, AStudyThatSeveralOfItsNamesBringUpComesOnce) {
  put({"1.5", "Yam^A=Yamb^B=Yamc^C", "Z", "20240101", "10", "Q"});
  EXPECT_THAT(by(tags::PatientName, VR::PN, {"yam*"}), ElementsAre("1.5"));
  EXPECT_THAT(by(tags::PatientName, VR::PN, {"*am*"}), ElementsAre("1.5"));
}

TEST_F(QueryTest, RangesListsPatternsNumbersAndEmptyValues) {
  fill();
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"20240111"}), ElementsAre("1.2"));
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"20240111-20240112"}), ElementsAre("1.3", "1.2"));
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"20240111-"}), ElementsAre("1.3", "1.2"));
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"-20240110"}), ElementsAre("1.1"));
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"\"\""}), ElementsAre("1.4"));
  EXPECT_THAT(by(tags::StudyTime, VR::TM, {"10-1015"}), ElementsAre("1.1"));
  EXPECT_THAT(by(tags::AccessionNumber, VR::SH, {"X3", "X1", "no"}), ElementsAre("1.1", "1.3"));
  EXPECT_THAT(by(tags::AccessionNumber, VR::SH, {"?2"}), ElementsAre("1.2"));
  EXPECT_THAT(by(tags::PatientID, VR::LO, {"B*"}), ElementsAre("1.3", "1.4"));
  EXPECT_THAT(by(tags::PatientID, VR::LO, {"*2"}), UnorderedElementsAre("1.2", "1.4"));
  EXPECT_THAT(by(tags::ModalitiesInStudy, VR::CS, {"CT", "US"}), ElementsAre("1.3", "1.1", "1.4"));
  EXPECT_THAT(by(tags::ModalitiesInStudy, VR::CS, {"C*"}), ElementsAre("1.3", "1.1"));
  EXPECT_THAT(by(tags::SeriesNumber, VR::IS, {"7"}), ::testing::SizeIs(4));
  Query query;
  query.keys = {{tags::ProcedureCodeSequence, VR::SQ, {}, {{tags::CodeValue, VR::SH, {"CB1"}, {}}}}};
  EXPECT_THAT(uids(query), ElementsAre("1.3"));
}

TEST_F(QueryTest, ARangeOfDateAndTimeIsOneRangeOverMidnight) {
  fill();
  Query query;
  query.keys = {{tags::StudyDate, VR::DA, {"20240111-20240112"}, {}}, {tags::StudyTime, VR::TM, {"2200-0200"}, {}}};
  EXPECT_THAT(uids(query), ElementsAre("1.3", "1.2"));
  query.keys[1].values = {"0000-0200"};  // two ranges, unless they are asked for as one
  EXPECT_THAT(uids(query), ElementsAre("1.3"));
  query.combined_date_time = true;
  EXPECT_THAT(uids(query), ElementsAre("1.3", "1.2"));
}

TEST_F(QueryTest, ListsFollowWhatAStudyBecomes) {
  put({"1.1", "Old^Name", "A1", "20240110", "10", "X1", "CT"});
  put({"1.1", "New^Name", "A1", "20250110", "10", "X9", "CT"}, 2);  // two instances under the same UIDs, other content
  EXPECT_THAT(by(tags::PatientName, VR::PN, {"new*"}), ElementsAre("1.1"));
  EXPECT_THAT(by(tags::PatientName, VR::PN, {"old*"}), IsEmpty());
  EXPECT_THAT(by(tags::PatientName, VR::PN, {"*ld^*"}), IsEmpty());
  EXPECT_THAT(by(tags::AccessionNumber, VR::SH, {"X1"}), IsEmpty());
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"2024-20241231"}), IsEmpty());
  EXPECT_THAT(by(tags::StudyDate, VR::DA, {"20250110"}), ElementsAre("1.1"));
}

TEST_F(QueryTest, PagesGoOnWhereTheyEndedAtEveryLevel) {
  for (int i = 0; i < 7; ++i) {
    put({"1." + std::to_string(i), "Name^" + std::to_string(i), "P" + std::to_string(i / 2),
         "2024010" + std::to_string(i + 1), "10", "A", i % 2 ? "CT" : "MR"},
        3);
  }
  const auto key = [](Query q, Key k) {
    q.keys = {std::move(k)};
    return q;
  };
  const std::vector<Query> queries = {{},
                                      {Level::patient, {}, {}, {}, {}},
                                      {Level::series, {}, {}, {}, {}},
                                      {Level::instance, {}, {}, {}, {}},
                                      {Level::instance, {"P1", "P2"}, {}, {}, {}},
                                      key({}, {tags::PatientName, VR::PN, {"name*"}, {}}),
                                      key({}, {tags::PatientName, VR::PN, {"*ame*"}, {}}),
                                      key({}, {tags::AccessionNumber, VR::SH, {"A"}, {}}),
                                      key({}, {tags::PatientID, VR::LO, {"P*"}, {}}),
                                      key({}, {tags::ModalitiesInStudy, VR::CS, {"CT", "MR"}, {}})};
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto name = [](const Match& m) {
      return m.text(tags::PatientID) + '/' + m.text(tags::StudyInstanceUID) + '/' + m.text(tags::SeriesInstanceUID) +
             '/' + m.text(tags::SOPInstanceUID);
    };
    std::vector<std::string> all, paged;
    for (const Match& match : find(queries[q])) all.push_back(name(match));
    std::string place;
    for (std::size_t page = 0; page < 100; ++page) {
      Query query = queries[q];
      query.limit = 2;
      query.after = place;
      query.place = &place;
      const auto some = find(query);
      if (some.empty()) break;
      for (const Match& match : some) paged.push_back(name(match));
    }
    EXPECT_GE(all.size(), 4u);
    EXPECT_EQ(all, paged) << "query " << q;
    Query offset = queries[q];
    offset.offset = 3;
    const auto rest = find(offset);
    ASSERT_EQ(rest.size(), all.size() - 3);
    EXPECT_EQ(name(rest.front()), all[3]);
  }
}

TEST_F(QueryTest, AQueryThatIsInterruptedAtEveryStepComesToItsEnd) {
  for (int i = 0; i < 5; ++i) put({"1." + std::to_string(i), "Name", "P", "20240101", "10", "A"}, 4);
  Query query;
  query.level = Level::instance;
  query.keys = {{tags::InstanceNumber, VR::IS, {"3"}, {}}};
  query.keep_going = [] { return false; };
  std::vector<std::string> found;
  std::string place;
  std::size_t steps = 0;
  for (bool more = true; more && steps < 200; ++steps) {
    std::string before = std::exchange(place, {});
    query.after = before;
    query.place = &place;
    for (const Match& match : find(query)) found.push_back(match.text(tags::SOPInstanceUID));
    more = !place.empty();
  }
  EXPECT_THAT(found, ElementsAre("1.0.1.3", "1.1.1.3", "1.2.1.3", "1.3.1.3", "1.4.1.3"));
  EXPECT_GT(steps, 15u) << "a step is one instance";
}

TEST_F(QueryTest, NothingIsPassedOverWhenTheLastMatchOfAPageIsRemoved) {
  put({"1.1", "Name", "P", "20240101", "10", "A"}, 3);
  put({"1.2", "Name", "P", "20240102", "10", "A"}, 3);
  for (const Target& gone : {Target{"1.2", "1.2.1", "1.2.1.2"}, Target{"1.2", "1.2.1", {}}, Target{"1.2", {}, {}}}) {
    Query query;
    query.level = Level::instance;
    query.limit = 2;
    std::string place;
    query.place = &place;
    EXPECT_EQ(find(query).back().text(tags::SOPInstanceUID), "1.2.1.2");
    const auto removed = run(archive().remove(gone, {}, true));
    ASSERT_TRUE(removed) << to_string(removed.error());
    query.limit = 0;
    query.after = std::exchange(place, {});
    std::vector<std::string> rest;
    for (const Match& match : find(query)) rest.push_back(match.text(tags::SOPInstanceUID));
    EXPECT_THAT(rest, ::testing::IsSupersetOf({"1.1.1.1", "1.1.1.2", "1.1.1.3"}));
    EXPECT_EQ(std::count(rest.begin(), rest.end(), "1.2.1.3"), gone.sop_instance_uid.empty() ? 0 : 1);
    ASSERT_TRUE(run(archive().restore(removed.value().sequence, {})));
  }
}

TEST_F(QueryTest, APatientOfManyStudiesIsOneMatchOnEveryPage) {
  for (int i = 0; i < 12; ++i)
    put({"1." + std::to_string(10 + i), "Name", "P", "20240101", "10", "A" + std::to_string(i)});
  put({"2.1", "Other", "Q", "20240101", "10", "B"});
  Query query;
  query.level = Level::patient;
  query.keys = {{tags::AccessionNumber, VR::SH, {"A9", "A11", "B"}, {}}};
  query.limit = 1;
  std::string place;
  query.place = &place;
  std::vector<std::string> found;
  for (int page = 0; page < 5; ++page) {
    const auto some = find(query);
    if (some.empty()) break;
    found.push_back(some.front().text(tags::PatientID));
    query.after = std::exchange(place, {});
  }
  EXPECT_THAT(found, ElementsAre("P", "Q"));
}

TEST_F(QueryTest, ReturnsWhatIsAskedForFromAnywhereInTheHeader) {
  fill();
  Query query;
  query.returns = {tags::ProcedureCodeSequence, tags::PatientID};
  query.patient_ids = {"B1"};
  for (const Level level : {Level::study, Level::series, Level::instance}) {
    query.level = level;
    const auto match = find(query).front();
    ASSERT_NE(match.item(tags::ProcedureCodeSequence), nullptr);
    EXPECT_EQ(match.item(tags::ProcedureCodeSequence)->text(tags::CodeValue), "CB1");
  }
}

TEST_F(QueryTest, LittleThatIsInMemoryIsAnsweredInPlace) {
  fill();
  const auto same = [&](Query query, std::size_t matches) {
    const auto all = uids(query);
    EXPECT_EQ(all.size(), matches);
    query.reach = Reach::memory;
    EXPECT_EQ(uids(query), all);
  };
  const auto out_of_reach = [&](Query query, int line) {
    query.reach = Reach::memory;
    const auto found = archive().find(query, [](Match&&) { return true; });
    EXPECT_TRUE(!found && store::is_out_of_reach(found.error())) << line;
  };
  Query query;
  query.study_uids = {"1.2", "1.3", "1.9"};
  same(query, 2);
  query = {};
  query.patient_ids = {"A1"};
  same(query, 1);
  query = {};
  query.keys = {{tags::AccessionNumber, VR::SH, {"X3", "X1"}, {}}};
  same(query, 2);
  query = {};
  query.level = Level::instance;
  query.instance_uids = {"1.1.1.1"};
  same(query, 1);
  EXPECT_EQ(archive().instance_at_hand("1.1.1.1").value().sop_instance_uid, "1.1.1.1");

  out_of_reach({}, __LINE__);
  query = {};
  query.keys = {{tags::PatientName, VR::PN, {"doe*"}, {}}};
  out_of_reach(query, __LINE__);
  query = {};
  query.study_uids = std::vector<std::string>(17, "1.2");
  out_of_reach(query, __LINE__);
  query = {};
  query.study_uids = {"1.2"};
  query.keys = {{tags::PatientName, VR::PN, {std::string(300, '*') + 'x'}, {}}};
  out_of_reach(query, __LINE__);
  for (int i = 10; i < 30; ++i) put({"2." + std::to_string(i), "Many^Times", "M", "20240101", "10", ""});
  query = {};
  query.patient_ids = {"M"};
  out_of_reach(query, __LINE__);
  EXPECT_EQ(uids(query).size(), 20u);
}

TEST_F(QueryTest, MatchesOfSeveralGroupsComeInOrderAndOnce) {
  std::vector<std::string> expected;
  for (int i = 10; i < 99; ++i) {
    const std::string two = std::to_string(i);
    put({"3." + two, i % 3 == 0 ? "Group^A=Group^B" : "Group^" + two, "G" + two, "2024" + std::to_string(1001 + i % 28),
         "10", ""});
    expected.push_back("3." + two);
  }
  auto named = by(tags::PatientName, VR::PN, {"group*"});
  std::sort(named.begin(), named.end());
  EXPECT_EQ(named, expected);
  const auto all = uids({});
  EXPECT_EQ(all.size(), expected.size());
  std::vector<std::string> paged;
  for (std::size_t offset = 0; offset < all.size(); offset += 13) {
    Query query;
    query.offset = offset;
    query.limit = 13;
    for (auto& uid : uids(query)) paged.push_back(std::move(uid));
  }
  EXPECT_EQ(paged, all);
}

TEST_F(QueryTest, BrokenKeysAreRefusedAndCostLittle) {
  fill();
  EXPECT_EQ(refused({{tags::StudyDate, VR::DA, {"20240112-20240110"}, {}}}), Errc::malformed);
  EXPECT_EQ(refused({{tags::StudyDate, VR::DA, {"yesterday"}, {}}}), Errc::malformed);
  EXPECT_EQ(refused({{tags::StudyDate, VR::DA, {"-"}, {}}}), Errc::malformed);
  EXPECT_EQ(refused({{tags::StudyTime, VR::TM, {"2200-0200"}, {}}}), Errc::malformed);
  EXPECT_EQ(refused({{tags::FrameOfReferenceUID, VR::UI, {std::string(70, '1')}, {}}}), Errc::malformed);
  EXPECT_EQ(refused({{tags::PatientName, VR::PN, {std::string(1'000'000, '*') + "x"}, {}}}), Errc::limit_exceeded);
  Key nested{tags::CodeValue, VR::SH, {"1"}, {}};
  for (int i = 0; i < 20; ++i) nested = {tags::ProcedureCodeSequence, VR::SQ, {}, {nested}};
  EXPECT_EQ(refused({nested}), Errc::limit_exceeded);
  std::string stars;
  for (int i = 0; i < 2000; ++i) stars += "*a";
  EXPECT_THAT(by(tags::PatientName, VR::PN, {stars}), IsEmpty());
  Query query;
  query.after = "not a place";
  EXPECT_EQ(archive().find(query, [](Match&&) { return true; }).error(), Errc::malformed);
}

TEST(Matching, WildcardsAreLinearAndCountCharacters) {
  EXPECT_TRUE(matches_wildcard("", "*"));
  EXPECT_TRUE(matches_wildcard("abcabd", "a*b?"));
  EXPECT_TRUE(matches_wildcard("\xe5\xb1\xb1\xe7\x94\xb0", "??"));
  EXPECT_FALSE(matches_wildcard("abc", "ab"));
  EXPECT_FALSE(matches_wildcard(std::string(5000, 'a'), "*a*a*a*a*a*a*b"));
}

}  // namespace
}  // namespace cairn::archive::test
