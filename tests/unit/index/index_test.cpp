// What the index answers after any sequence of commits: rows, counts, order, duplicates, moves.
#include <gmock/gmock.h>

#include "engine/store/index/attributes.h"
#include "engine/store/index/keys.h"
#include "tests/unit/index/sample.h"

namespace cairn::store::test {
namespace {

using ::testing::ElementsAre;

TEST_F(IndexTest, AStoredInstanceIsFoundWithAllThatTheLogKnows) {
  Sample s;
  EXPECT_EQ(store(s), Outcome::stored);
  const IndexView view = index().view();
  const auto row = view.instance(s.sop).value();
  ASSERT_TRUE(row);
  const Committed c = committed_of(log_[1], 1, s.policy);
  EXPECT_EQ(row->study_instance_uid, s.study);
  EXPECT_EQ(row->series_instance_uid, s.series);
  EXPECT_EQ(row->sop_class_uid, "1.2.840.10008.5.1.4.1.1.2");
  EXPECT_EQ(row->transfer_syntax_uid, s.transfer_syntax);
  EXPECT_EQ(row->stream_length, log_[1].size());
  EXPECT_EQ(row->data_set_offset, c.record.data_set_offset);
  EXPECT_EQ(row->pixel_data, c.record.pixel_data);
  EXPECT_EQ(row->digest, c.record.digest);
  EXPECT_EQ(row->commit, c.location);
  ASSERT_EQ(row->parts.size(), 1u);
  EXPECT_EQ(row->parts[0].location, c.record.parts[0].location);
  EXPECT_EQ(row->parts[0].crc, c.record.parts[0].crc);
  EXPECT_EQ(view.header(*row).value(), c.header.serialize());
  EXPECT_FALSE(view.instance("1.2.3.4.5").value());
  EXPECT_FALSE(view.study("1").value());
}

TEST_F(IndexTest, CountsAndAttributesFollowEveryCommit) {
  std::vector<Sample> batch;
  for (int i = 0; i < 5; ++i) {
    Sample s;
    s.sop = "1.2.3.4." + std::to_string(i);
    s.number = std::to_string(i);
    batch.push_back(s);
  }
  Sample other;
  other.sop = "1.9.1";
  other.series = "1.9";
  other.modality = "SR";
  other.patient_name = "Doe^Newest";
  batch.push_back(other);
  store(batch);
  const IndexView view = index().view();
  const auto study = view.study("1.2").value();
  ASSERT_TRUE(study);
  EXPECT_EQ(study->series, 2u);
  EXPECT_EQ(study->instances, 6u);
  EXPECT_THAT(study->modalities, ElementsAre(std::pair<std::string, std::uint64_t>("CT", 1),
                                             std::pair<std::string, std::uint64_t>("SR", 1)));
  EXPECT_EQ(decode_attributes(study->attributes).value().text(tags::PatientName), "Doe^Newest");
  EXPECT_EQ(view.series("1.2", "1.2.3").value()->instances, 5u);
  const IndexState state = index().state();
  EXPECT_EQ(state.applied, 6u);
  EXPECT_EQ(state.patients, 1u);
  EXPECT_EQ(state.studies, 1u);
  EXPECT_EQ(state.series, 2u);
  EXPECT_EQ(state.instances, 6u);
  std::uint64_t bytes = 0;
  for (const auto& [sequence, stream] : log_) bytes += stream.size();
  EXPECT_EQ(state.bytes, bytes);
}

TEST_F(IndexTest, InstancesComeInDisplayOrder) {
  std::vector<Sample> batch;
  for (const char* number : {"10", "9", "-3", "", "junk", "0", "+2", "2147483647"}) {
    Sample s;
    s.number = number;
    s.sop = "1.2.3.4." + std::to_string(batch.size());
    batch.push_back(s);
  }
  store(batch);
  EXPECT_THAT(uids_of("1.2", "1.2.3"), ElementsAre("1.2.3.4.2", "1.2.3.4.5", "1.2.3.4.6", "1.2.3.4.1", "1.2.3.4.0",
                                                   "1.2.3.4.7", "1.2.3.4.3", "1.2.3.4.4"));
  std::vector<std::string> headers;
  ASSERT_TRUE(index().view().each_header("1.2", "1.2.3", [&](std::string_view uid, std::string_view serialized) {
    headers.emplace_back(uid);
    EXPECT_TRUE(dicom::Header::deserialize(as_bytes(serialized)));
    return headers.size() < 3;
  }));
  EXPECT_THAT(headers, ElementsAre("1.2.3.4.2", "1.2.3.4.5", "1.2.3.4.6"));
}

TEST_F(IndexTest, ASeriesUidThatIsThePrefixOfAnotherStaysApart) {
  Sample a, b;
  b.series = a.series + "1";
  b.sop = "1.2.3.41";
  b.study = a.study;
  store({a, b});
  EXPECT_THAT(uids_of("1.2", "1.2.3"), ElementsAre("1.2.3.4"));
  EXPECT_THAT(uids_of("1.2", "1.2.31"), ElementsAre("1.2.3.41"));
}

TEST_F(IndexTest, SeriesOfAStudyComeBySeriesNumber) {
  std::vector<Sample> batch;
  for (const char* number : {"10", "", "2", "-1"}) {
    Sample s;
    s.series_number = number;
    s.series = "1.2.3." + std::to_string(batch.size());
    s.sop = s.series + ".1";
    batch.push_back(s);
  }
  store(batch);
  std::vector<std::string> uids;
  const auto all = index().view().series_of_study("1.2");
  for (const auto& series : all.value()) uids.push_back(series.series_uid);
  EXPECT_THAT(uids, ElementsAre("1.2.3.3", "1.2.3.2", "1.2.3.0", "1.2.3.1"));
}

TEST_F(IndexTest, ListsNameStudiesByPatientAndBySeries) {
  Sample a, b;
  b.study = "1.7";
  b.series = "1.7.1";
  b.sop = "1.7.1.1";
  b.patient_id = "PAT10";  // PAT1 is its prefix
  store({a, b});
  const auto studies_of = [&](std::string_view id) {
    std::vector<std::string> out;
    EXPECT_TRUE(index().view().each_study_of_patient(id, [&](std::string_view uid) {
      out.emplace_back(uid);
      return true;
    }));
    return out;
  };
  EXPECT_THAT(studies_of("PAT1"), ElementsAre("1.2"));
  EXPECT_THAT(studies_of("PAT10"), ElementsAre("1.7"));
  EXPECT_THAT(studies_of("PAT"), ElementsAre());
  std::vector<std::string> of_series;
  ASSERT_TRUE(index().view().each_study_of_series("1.7.1", [&](std::string_view uid) {
    of_series.emplace_back(uid);
    return true;
  }));
  EXPECT_THAT(of_series, ElementsAre("1.7"));
  EXPECT_EQ(index().state().patients, 2u);
}

TEST_F(IndexTest, PatientIdsAreKeptAsUtf8WhateverTheirCharacterSet) {
  Sample s;
  s.charset = "ISO_IR 100";
  s.patient_id = "M\xc3\xbcller7";
  store(s);
  EXPECT_TRUE(index().view().patient("M\xc3\xbcller7").value());
  const auto study = index().view().study("1.2").value();
  const auto attributes = decode_attributes(study->attributes).value();
  EXPECT_EQ(attributes.character_set(), "ISO_IR 100");
  EXPECT_EQ(attributes.find(tags::PatientID)->value.substr(0, 2), "M\xfc");  // as received
}

TEST_F(IndexTest, IdenticalContentChangesNothing) {
  Sample s;
  s.source_ae = "ONE";
  store(s);
  const std::string before = dump();
  s.source_ae = "ANOTHER_SENDER";  // another File Meta Information, the same data set
  EXPECT_EQ(store(s), Outcome::identical);
  EXPECT_EQ(compared_, 1);
  EXPECT_EQ(index().applied(), 2u);
  EXPECT_EQ(index().state().instances, 1u);
  EXPECT_EQ(index().view().instance(s.sop).value()->sequence, 1u);
  // All but the applied sequence is as it was.
  EXPECT_EQ(before.substr(before.find("instance ")), dump().substr(dump().find("instance ")));
}

TEST_F(IndexTest, EqualLengthsAloneAreNotIdentical) {
  Sample s;
  store(s);
  s.pixels = std::string(64, 'y');
  EXPECT_EQ(store(s), Outcome::replaced);
  EXPECT_EQ(compared_, 1);
}

TEST_F(IndexTest, AnotherTransferSyntaxIsOtherContentAndNeedsNoComparison) {
  Sample s;
  store(s);
  s.transfer_syntax = "1.2.840.10008.1.2";
  EXPECT_EQ(store(s), Outcome::replaced);
  EXPECT_EQ(compared_, 0);
  EXPECT_EQ(index().view().instance(s.sop).value()->transfer_syntax_uid, "1.2.840.10008.1.2");
}

TEST_F(IndexTest, KeepMakesTheNewerCurrentAndTheOlderHistory) {
  Sample s;
  store(s);
  Sample newer = s;
  newer.pixels = "other";
  newer.number = "7";
  EXPECT_EQ(store(newer), Outcome::replaced);
  newer.pixels = "and another";
  EXPECT_EQ(store(newer), Outcome::replaced);
  EXPECT_EQ(index().view().instance(s.sop).value()->sequence, 3u);
  std::vector<Sequence> older;
  ASSERT_TRUE(index().view().each_older(s.sop, [&](IndexView::Older&& o) {
    older.push_back(o.row.sequence);
    EXPECT_EQ(o.header, committed_of(log_[o.row.sequence], o.row.sequence, s.policy).header.serialize());
    EXPECT_EQ(o.row.parts.size(), 1u);
    return true;
  }));
  EXPECT_THAT(older, ElementsAre(1u, 2u));
  EXPECT_EQ(index().state().instances, 1u);
  EXPECT_EQ(index().state().history, 2u);
  EXPECT_EQ(index().state().bytes, log_[3].size());
  EXPECT_THAT(uids_of("1.2", "1.2.3"), ElementsAre(s.sop));  // the header under the old number is gone
}

TEST_F(IndexTest, ReplaceForgetsTheOlder) {
  Sample s;
  store(s);
  s.pixels = "other";
  s.policy = DuplicatePolicy::replace;
  EXPECT_EQ(store(s), Outcome::replaced);
  EXPECT_EQ(index().view().instance(s.sop).value()->sequence, 2u);
  EXPECT_EQ(index().state().history, 0u);
}

TEST_F(IndexTest, RefuseLeavesTheOlderUntouched) {
  Sample s;
  store(s);
  const std::string before = dump();
  s.pixels = "other";
  s.policy = DuplicatePolicy::refuse;
  EXPECT_EQ(store(s), Outcome::refused);
  EXPECT_EQ(index().view().instance(s.sop).value()->sequence, 1u);
  EXPECT_EQ(before.substr(before.find("instance ")), dump().substr(dump().find("instance ")));
}

TEST_F(IndexTest, ContentThatCanNoLongerBeReadGivesWayToTheSameSentAgain) {
  Sample s;
  s.policy = DuplicatePolicy::refuse;
  store(s);
  unreadable_ = {1};
  EXPECT_EQ(store(s), Outcome::replaced);
  EXPECT_EQ(index().view().instance(s.sop).value()->sequence, 2u);
  unreadable_ = {3};
  EXPECT_EQ(store(s), Outcome::refused);
  EXPECT_EQ(index().view().instance(s.sop).value()->sequence, 2u);
}

TEST_F(IndexTest, DuplicatesInsideOneBatchAreDecidedInOrder) {
  Sample first, other;
  other.pixels = "other";
  Sample third = other;
  third.policy = DuplicatePolicy::refuse;
  Sample fourth = first;
  fourth.policy = DuplicatePolicy::refuse;
  EXPECT_THAT(
      store({first, first, other, third, fourth}),
      ElementsAre(Outcome::stored, Outcome::identical, Outcome::replaced, Outcome::identical, Outcome::refused));
  EXPECT_EQ(index().state().instances, 1u);
  EXPECT_EQ(index().state().history, 1u);
}

TEST_F(IndexTest, AnInstanceThatMovesLeavesNoTraceWhereItWas) {
  Sample s;
  store(s);
  Sample moved = s;
  moved.study = "5.5";
  moved.series = "5.5.1";
  moved.patient_id = "PAT2";
  moved.modality = "MR";
  moved.policy = DuplicatePolicy::replace;
  EXPECT_EQ(store(moved), Outcome::replaced);
  const IndexView view = index().view();
  EXPECT_FALSE(view.study("1.2").value());
  EXPECT_FALSE(view.series("1.2", "1.2.3").value());
  EXPECT_FALSE(view.patient("PAT1").value());
  EXPECT_EQ(view.patient("PAT2").value()->studies, 1u);
  EXPECT_EQ(view.study("5.5").value()->modalities.front().first, "MR");
  EXPECT_THAT(uids_of("1.2", ""), ElementsAre());
  const IndexState state = index().state();
  EXPECT_EQ(state.patients, 1u);
  EXPECT_EQ(state.studies, 1u);
  EXPECT_EQ(state.series, 1u);
  EXPECT_EQ(state.instances, 1u);
  // Only the log's order differs from an index that never knew the first.
  const std::string rows = dump();
  EXPECT_EQ(rows.find("312e32 "), std::string::npos);
}

TEST_F(IndexTest, WhenTheNewestInstanceMovesAwayTheNextNewestGivesTheAttributes) {
  Sample a, b, c;
  a.sop = "1.1";
  a.patient_name = "A";
  b.sop = "1.3";
  b.patient_name = "B";
  b.patient_id = "PATB";
  b.modality = "PT";
  c.sop = "1.4";
  c.patient_name = "C";
  c.patient_id = "PATC";
  c.modality = "MR";
  store({a, b, c});
  EXPECT_EQ(index().view().study("1.2").value()->patient_id, "PATC");
  c.series = "8.8";
  c.study = "8";
  store(c);
  const auto study = index().view().study("1.2").value();
  EXPECT_EQ(study->patient_id, "PATB");
  EXPECT_EQ(study->instances, 2u);
  EXPECT_EQ(decode_attributes(study->attributes).value().text(tags::PatientName), "B");
  EXPECT_THAT(study->modalities, ElementsAre(std::pair<std::string, std::uint64_t>("PT", 1)));
  EXPECT_EQ(index().view().series("1.2", "1.2.3").value()->modality, "PT");
  EXPECT_EQ(index().state().patients, 2u);  // PATB and PATC
  EXPECT_FALSE(index().view().patient("PAT1").value());
}

TEST_F(IndexTest, SeriesVersionsChangeWithEveryChangeAndOnlyThen) {
  EXPECT_EQ(index().series_version("1.2", "1.2.3"), 0u);
  Sample s, other;
  store(s);
  const auto first = index().series_version("1.2", "1.2.3");
  EXPECT_NE(first, 0u);
  other.series = "1.9";
  other.sop = "1.9.1";
  store(other);
  EXPECT_EQ(index().series_version("1.2", "1.2.3"), first);
  store(s);  // identical
  EXPECT_EQ(index().series_version("1.2", "1.2.3"), first);
  Sample second = s;
  second.sop = "1.2.3.5";
  store(second);
  const auto with_two = index().series_version("1.2", "1.2.3");
  EXPECT_NE(with_two, first);
  second.series = "1.9";
  store(second);
  EXPECT_NE(index().series_version("1.2", "1.2.3"), with_two);
}

TEST_F(IndexTest, AViewStaysAsItWasWhileTheIndexGoesOn) {
  Sample s;
  store(s);
  const IndexView before = index().view();
  Sample other = s;
  other.sop = "1.2.3.5";
  store(other);
  EXPECT_EQ(before.study("1.2").value()->instances, 1u);
  EXPECT_FALSE(before.instance("1.2.3.5").value());
  EXPECT_EQ(index().view().study("1.2").value()->instances, 2u);
}

TEST_F(IndexTest, NumbersAreBiasedInOrder) {
  EXPECT_LT(keys::biased(std::numeric_limits<std::int64_t>::min()), keys::biased(-1));
  EXPECT_LT(keys::biased(-1), keys::biased(0));
  EXPECT_LT(keys::biased(0), keys::biased(1));
  EXPECT_LT(keys::biased(std::numeric_limits<std::int64_t>::max()), keys::kNoNumber);
}

TEST_F(IndexTest, PatientIdsWithNulBytesKeepTheirOrderAndComeBack) {
  const std::string odd("a\0b", 3);
  EXPECT_EQ(keys::patient_id_of(keys::patient(odd)), odd);
  const std::string shorter = keys::patient_study("a", "9"), longer = keys::patient_study(odd, "1");
  EXPECT_NE(longer.substr(0, keys::patient_studies_prefix("a").size()), keys::patient_studies_prefix("a"));
  EXPECT_LT(shorter, longer);
}

}  // namespace
}  // namespace cairn::store::test
