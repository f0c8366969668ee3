// The door to storage, end to end on a real log and index.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include "tests/unit/archive/archive_fixture.h"

namespace cairn::archive::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace tags = dicom::tags;
using store::DuplicatePolicy;
using store::Outcome;

TEST_F(ArchiveTest, WhatIsStoredComesBackBitForBit) {
  const Sample s;
  const auto stored = store(s);
  ASSERT_TRUE(stored) << to_string(stored.error());
  EXPECT_EQ(stored.value().outcome, Outcome::stored);
  EXPECT_EQ(stored.value().study_instance_uid, s.study);
  EXPECT_EQ(stored.value().bytes, s.stream().size());
  EXPECT_EQ(stored_stream(archive(), s.sop), s.stream());
  const Instance instance = archive().instance(s.sop).value();
  EXPECT_EQ(instance.digest, digest128(as_bytes(s.stream())));
  EXPECT_EQ(instance.transfer_syntax_uid, s.transfer_syntax);
  EXPECT_EQ(s.stream().substr(instance.pixel_data.offset, instance.pixel_data.length), s.pixels);
  const auto header = archive().header(s.sop);
  ASSERT_TRUE(header);
  EXPECT_EQ(dicom::DataSet::parse(header.value()).value().text(tags::PatientName), s.patient_name);
  EXPECT_TRUE(archive().instance("1.1.1").error() == Errc::not_found);
  EXPECT_TRUE(archive().header("1.1.1").error() == Errc::not_found);
  EXPECT_TRUE(archive().instances("1.1.1", "").error() == Errc::not_found);
  const Stats stats = archive().stats();
  EXPECT_EQ(stats.counts.instances, 1u);
  EXPECT_EQ(stats.received_instances, 1u);
  EXPECT_EQ(stats.in_flight_bytes, 0u);
}

TEST_F(ArchiveTest, AnInstanceOfManyPartsIsReadAnywhere) {
  Sample s;
  s.pixels.clear();
  for (std::uint32_t i = 0; s.pixels.size() < 5'000'000; ++i) s.pixels += std::to_string(i * 2654435761u);
  s.pixels.resize(5'000'000);
  const std::string stream = s.stream();
  for (const std::size_t piece : {std::size_t{1'000'000}, std::size_t{4099}}) {
    s.policy = DuplicatePolicy::replace;
    ASSERT_TRUE(run(receive(archive(), stream, {}, {}, piece)));
    const Instance instance = archive().instance(s.sop).value();
    EXPECT_GT(instance.parts.size(), 15u);
    EXPECT_EQ(instance.digest, digest128(as_bytes(stream)));
    EXPECT_EQ(stored_stream(archive(), instance), stream);
  }
  open();
  {
    const auto again = archive().open(archive().instance(s.sop).value());
    const auto at_hand = again->view_at_hand(300'000);
    ASSERT_FALSE(at_hand);
    EXPECT_TRUE(store::is_out_of_reach(at_hand.error()));
    ASSERT_TRUE(again->view(300'000));
  }
  const auto reader = archive().open(archive().instance(s.sop).value());
  const auto at_hand = reader->view_at_hand(300'000);
  ASSERT_TRUE(at_hand);
  EXPECT_EQ(as_text(at_hand.value().bytes), stream.substr(300'000, at_hand.value().bytes.size()));
  for (const std::uint64_t offset :
       {0ull, 1ull, 262'000ull, 262'144ull, 3'333'333ull, static_cast<unsigned long long>(stream.size() - 3)}) {
    std::string got(300'000, '\0');
    const auto n = reader->read(offset, MutableBytes(reinterpret_cast<std::byte*>(got.data()), got.size())).value();
    EXPECT_EQ(got.substr(0, n), stream.substr(static_cast<std::size_t>(offset), 300'000));
    const auto view = reader->view(offset).value();
    ASSERT_FALSE(view.bytes.empty());
    EXPECT_EQ(as_text(view.bytes), stream.substr(static_cast<std::size_t>(offset), view.bytes.size()));
  }
  EXPECT_TRUE(reader->view(stream.size()).value().bytes.empty());
}

TEST_F(ArchiveTest, AllRealFilesComeBackAndAreFoundAndSurviveReopening) {
  const auto data = real_data();
  if (!data) GTEST_SKIP() << "no real DICOM files: set DICOM_TEST_DATA_DIR";
  std::map<std::string, std::string> streams;  // by SOP Instance UID, the version that must be current
  for (const auto& entry : fs::recursive_directory_iterator(*data)) {
    if (!entry.is_regular_file()) continue;
    const std::string file = content(entry.path());
    const auto stored = run(import(archive(), file));
    if (!stored) {
      EXPECT_STRNE(stored.error().where, "") << entry.path();
      continue;
    }
    if (stored.value().outcome == Outcome::identical) continue;
    streams[stored.value().sop_instance_uid] = file;
  }
  EXPECT_GT(streams.size(), 300u);
  const auto check = [&] {
    for (const auto& [uid, file] : streams) {
      const Instance instance = archive().instance(uid).value();
      const std::string stream = stored_stream(archive(), instance);
      // Files without preamble or meta header got one of ours in front of the same data set.
      EXPECT_TRUE(stream == file || file.ends_with(stream.substr(instance.data_set_offset))) << uid;
    }
    const Stats stats = archive().stats();
    EXPECT_EQ(stats.counts.instances, streams.size());
    std::size_t instances = 0, series = 0;
    const auto studies = find({Level::study, {}, {}, {}, {}});
    EXPECT_EQ(studies.size(), stats.counts.studies);
    for (const Match& study : studies) {
      const std::string uid = study.text(tags::StudyInstanceUID);
      const auto of_study = archive().instances(uid, "");
      ASSERT_TRUE(of_study);
      EXPECT_EQ(std::to_string(of_study.value().size()), study.text(tags::NumberOfStudyRelatedInstances));
      instances += of_study.value().size();
      Query query{Level::series, {}, {uid}, {}, {}};
      series += find(query).size();
      query.level = Level::instance;
      EXPECT_EQ(find(query).size(), of_study.value().size());
    }
    EXPECT_EQ(instances, streams.size());
    EXPECT_EQ(series, stats.counts.series);
    EXPECT_EQ(find({Level::patient, {}, {}, {}, {}}).size(), stats.counts.patients);
  };
  check();
  const std::string live = dump();
  open();
  EXPECT_EQ(archive().opened_with().commits, 0u);
  check();
  EXPECT_EQ(dump(), live);
  archive_.reset();
  options_.rebuild_index = true;
  open();
  EXPECT_GT(archive().opened_with().commits, 0u);
  EXPECT_EQ(dump(), live);
}

// An unmounted volume is an empty directory, or none. The index knows better, and a new volume of the same id would
// take stores that nobody finds again once the disk is back.
TEST_F(ArchiveTest, AVolumeOfWhichNothingIsLeftIsNotMadeAnew) {
  options_.log.volumes = {{0, options_.directory / "disk"}};
  open();
  Sample s;
  ASSERT_TRUE(run(receive(archive(), s.stream())));
  archive_.reset();
  const fs::path away = options_.directory / "away";
  fs::rename(options_.directory / "disk", away);
  for (const bool reindex : {false, true}) {
    options_.rebuild_index = reindex;
    const auto refused = Archive::open(options_, workers_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::not_found);
  }
  options_.rebuild_index = false;
  fs::remove_all(options_.directory / "disk");
  fs::rename(away, options_.directory / "disk");
  open();
  EXPECT_EQ(archive().opened_with().commits, 0u) << "the index is still there";
  EXPECT_EQ(archive().stats().counts.instances, 1u);
}

// What the process does that the next test kills: a process of its own, since a fork has none of its parent's threads.
void store_fifty_and_die(const Options& options) {
  io::WorkerPool workers(1, "child");
  auto opened = Archive::open(options, workers);
  if (!opened) _exit(1);
  for (int i = 0; i < 50; ++i) {
    Sample s;
    s.sop = "1.2.3." + std::to_string(i);
    if (!run(receive(*opened.value(), s.stream()))) _exit(2);
    if (write(3, "x", 1) != 1) _exit(3);
  }
  kill(getpid(), SIGKILL);
}

TEST_F(ArchiveTest, WhatWasAcknowledgedSurvivesAKill) {
  if (const char* directory = std::getenv("CAIRN_TEST_CHILD_DIRECTORY")) {
    options_.directory = directory;
    store_fifty_and_die(options_);
  }
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string data = options_.directory.string();
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 3);
    setenv("CAIRN_TEST_CHILD_DIRECTORY", data.c_str(), 1);
    execl("/proc/self/exe", "archive_tests", "--gtest_filter=ArchiveTest.WhatWasAcknowledgedSurvivesAKill", nullptr);
    _exit(4);
  }
  close(ends[1]);
  int acknowledged = 0;
  for (char c; read(ends[0], &c, 1) == 1;) ++acknowledged;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  ASSERT_EQ(acknowledged, 50);
  open();
  EXPECT_EQ(archive().opened_with().commits, 50u);
  for (int i = 0; i < 50; ++i) {
    Sample s;
    s.sop = "1.2.3." + std::to_string(i);
    EXPECT_EQ(stored_stream(archive(), s.sop), s.stream());
  }
  EXPECT_EQ(find({Level::study, {}, {}, {}, {}}).front().text(tags::NumberOfStudyRelatedInstances), "50");
}

TEST_F(ArchiveTest, DuplicatesFollowThePolicyOfTheSource) {
  Sample s;
  ASSERT_TRUE(store(s));
  s.source_ae = "OTHER";
  EXPECT_EQ(store(s).value().outcome, Outcome::identical);
  Sample newer = s;
  newer.pixels = std::string(64, 'y');
  newer.policy = DuplicatePolicy::refuse;
  const auto refused = store(newer);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error() == Errc::conflict);
  newer.policy = DuplicatePolicy::keep;
  EXPECT_EQ(store(newer).value().outcome, Outcome::replaced);
  EXPECT_EQ(stored_stream(archive(), s.sop), newer.stream());
  const Stats stats = archive().stats();
  EXPECT_EQ(stats.identical, 1u);
  EXPECT_EQ(stats.refused, 1u);
  EXPECT_EQ(stats.replaced, 1u);
  EXPECT_EQ(stats.counts.instances, 1u);
  EXPECT_EQ(stats.counts.history, 1u);
}

TEST_F(ArchiveTest, RefusalsNameTheFault) {
  const auto fault = [&](const std::string& stream, const Announced& announced = {}) {
    const auto result = run(receive(archive(), stream, {}, announced));
    EXPECT_FALSE(result);
    return result ? std::string() : to_string(result.error());
  };
  const Sample s;
  const std::string stream = s.stream();
  EXPECT_THAT(fault(stream, {"1.2.840.10008.5.1.4.1.1.4", "", ""}), HasSubstr("SOP Class UID"));
  EXPECT_THAT(fault(stream, {"", "9.9.9", ""}), HasSubstr("SOP Instance UID"));
  EXPECT_THAT(fault(stream, {"", "", "1.2.840.10008.1.2"}), HasSubstr("Transfer Syntax"));
  EXPECT_THAT(fault(stream.substr(0, stream.size() - 10)), HasSubstr("inside Pixel Data"));
  EXPECT_NE(fault(""), "");
  EXPECT_NE(fault("not DICOM at all"), "");
  Sample bad = s;
  bad.study = "";
  EXPECT_THAT(fault(bad.stream()), HasSubstr("Study Instance UID"));
  bad = s;
  bad.series = "1.2.x";
  EXPECT_THAT(fault(bad.stream()), HasSubstr("Series Instance UID"));
  EXPECT_TRUE(run(receive(archive(), stream, {}, {"1.2.840.10008.5.1.4.1.1.2", s.sop, s.transfer_syntax})));
  EXPECT_EQ(archive().stats().counts.instances, 1u);
  EXPECT_EQ(archive().stats().failed, 8u);
  EXPECT_EQ(archive().stats().in_flight_bytes, 0u);
}

TEST_F(ArchiveTest, AnAbandonedInstanceLeavesNothing) {
  const Sample s;
  {
    const auto receiver = archive().receive({}, {}).value();
    ASSERT_TRUE(run(receiver->write(as_bytes(s.stream()))));
  }
  EXPECT_TRUE(archive().instance(s.sop).error() == Errc::not_found);
  open();
  EXPECT_TRUE(archive().instance(s.sop).error() == Errc::not_found);
  EXPECT_EQ(archive().stats().in_flight_bytes, 0u);
}

TEST_F(ArchiveTest, QueriesAnswerAtEveryLevelInOrder) {
  const auto put = [&](std::string patient, std::string study, std::string series, std::string number, std::string sop,
                       std::string instance_number) {
    Sample s;
    s.patient_id = std::move(patient);
    s.study = std::move(study);
    s.series = std::move(series);
    s.series_number = std::move(number);
    s.sop = std::move(sop);
    s.number = std::move(instance_number);
    ASSERT_TRUE(store(s));
  };
  put("B", "1.1", "1.1.2", "2", "7.1", "2");
  put("B", "1.1", "1.1.1", "10", "7.2", "1");
  put("B", "1.1", "1.1.2", "2", "7.3", "1");
  put("A", "1.2", "1.2.1", "1", "7.4", "1");
  put("B", "1.3", "1.3.1", "1", "7.5", "1");
  const auto texts = [&](Query query, dicom::Tag tag) {
    std::vector<std::string> out;
    for (const Match& match : find(std::move(query))) out.push_back(match.text(tag));
    return out;
  };
  EXPECT_THAT(texts({Level::patient, {}, {}, {}, {}}, tags::PatientID), ElementsAre("A", "B"));
  EXPECT_THAT(texts({Level::patient, {"B"}, {}, {}, {}}, tags::NumberOfPatientRelatedStudies), ElementsAre("2"));
  EXPECT_THAT(texts({Level::study, {}, {}, {}, {}}, tags::StudyInstanceUID), ElementsAre("1.1", "1.2", "1.3"));
  EXPECT_THAT(texts({Level::study, {"B"}, {}, {}, {}}, tags::StudyInstanceUID), ElementsAre("1.1", "1.3"));
  EXPECT_THAT(texts({Level::study, {"B", "A"}, {}, {}, {}}, tags::StudyInstanceUID), ElementsAre("1.2", "1.1", "1.3"));
  EXPECT_THAT(texts({Level::study, {"A"}, {"1.1"}, {}, {}}, tags::StudyInstanceUID), ElementsAre());
  EXPECT_THAT(texts({Level::study, {}, {}, {"1.3.1"}, {}}, tags::StudyInstanceUID), ElementsAre("1.3"));
  EXPECT_THAT(texts({Level::study, {}, {}, {}, {"7.4", "7.5", "7.5"}}, tags::StudyInstanceUID),
              ElementsAre("1.2", "1.3"));
  EXPECT_THAT(texts({Level::study, {}, {}, {}, {}, 1, 1}, tags::StudyInstanceUID), ElementsAre("1.2"));
  EXPECT_THAT(texts({Level::series, {}, {"1.1"}, {}, {}}, tags::SeriesInstanceUID), ElementsAre("1.1.2", "1.1.1"));
  EXPECT_THAT(texts({Level::series, {}, {}, {"1.1.1", "1.2.1"}, {}}, tags::SeriesInstanceUID),
              ElementsAre("1.1.1", "1.2.1"));
  EXPECT_THAT(texts({Level::series, {}, {"1.1"}, {}, {"7.2"}}, tags::SeriesInstanceUID), ElementsAre("1.1.1"));
  EXPECT_THAT(texts({Level::series, {}, {"1.1"}, {}, {}}, tags::NumberOfSeriesRelatedInstances), ElementsAre("2", "1"));
  EXPECT_THAT(texts({Level::instance, {}, {"1.1"}, {}, {}}, tags::SOPInstanceUID), ElementsAre("7.3", "7.1", "7.2"));
  EXPECT_THAT(texts({Level::instance, {}, {}, {}, {"7.1"}}, tags::InstanceNumber), ElementsAre("2"));
  EXPECT_THAT(texts({Level::instance, {}, {"1.2"}, {}, {"7.1"}}, tags::InstanceNumber), ElementsAre());
  EXPECT_THAT(texts({Level::instance, {}, {}, {}, {}, 2, 1}, tags::SOPInstanceUID), ElementsAre("7.1", "7.2"));
  const auto one = find({Level::instance, {}, {}, {}, {"7.2"}}).front();
  EXPECT_EQ(one.text(tags::PatientID), "B");
  EXPECT_EQ(one.text(tags::ModalitiesInStudy), "CT");
  EXPECT_EQ(one.text(tags::NumberOfStudyRelatedInstances), "3");
  EXPECT_EQ(one.integer(tags::Rows), 8);
  int seen = 0;
  ASSERT_TRUE(archive().find({Level::study, {}, {}, {}, {}}, [&](Match&&) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
  std::vector<std::string> headers;
  ASSERT_TRUE(archive().headers("1.1", "", [&](std::string_view uid, dicom::Header&&) {
    headers.emplace_back(uid);
    return true;
  }));
  EXPECT_THAT(headers, ElementsAre("7.3", "7.1", "7.2"));
}

TEST_F(ArchiveTest, SeriesVersionsTellOfChanges) {
  Sample s;
  EXPECT_EQ(archive().series_version(s.study, s.series), 0u);
  ASSERT_TRUE(store(s));
  const auto first = archive().series_version(s.study, s.series);
  EXPECT_NE(first, 0u);
  ASSERT_TRUE(store(s));
  EXPECT_EQ(archive().series_version(s.study, s.series), first);
  s.sop += ".1";
  ASSERT_TRUE(store(s));
  EXPECT_NE(archive().series_version(s.study, s.series), first);
}

TEST_F(ArchiveTest, ADirectoryIsHeldByOneArchive) {
  open();
  const auto second = Archive::open(options_, workers_);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error() == Errc::conflict);
  EXPECT_EQ(content(options_.directory / "lock"), std::to_string(getpid()) + "\n");
  archive().close();
  auto after = Archive::open(options_, workers_);
  EXPECT_TRUE(after);
}

TEST_F(ArchiveTest, AVolumeIsHeldByOneArchiveWhereverItsDataDirectoryIs) {
  options_.log.volumes = {{0, directory_ / "elsewhere"}};
  Sample s;
  ASSERT_TRUE(store(s));
  Options other = options_;
  other.directory = directory_ / "other";
  const auto second = Archive::open(other, workers_);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error() == Errc::conflict);
  s.sop += ".9";
  ASSERT_TRUE(store(s));  // the segment being written was not touched
  archive().close();
  auto after = Archive::open(other, workers_);
  ASSERT_TRUE(after);
  EXPECT_EQ(stored_stream(*after.value(), s.sop), s.stream());
}

TEST_F(ArchiveTest, AClosedArchiveAnswersClosed) {
  Sample s;
  ASSERT_TRUE(store(s));
  const auto held = archive().receive({}, {}).value();
  s.sop += ".9";
  ASSERT_TRUE(run(held->write(as_bytes(s.stream()))));
  archive().close();
  EXPECT_TRUE(archive().receive({}, {}).error() == Errc::closed);
  EXPECT_TRUE(run(held->commit()).error() == Errc::closed);
  EXPECT_TRUE(archive().instance("1.2.3.4").error() == Errc::closed);
  EXPECT_EQ(archive().series_version("1.2", "1.2.3"), 0u);
}

TEST_F(ArchiveTest, AnIndexOfAnotherArchiveIsMadeAnew) {
  Sample s;
  ASSERT_TRUE(store(s));
  archive_.reset();
  options_.directory = directory_ / "other";
  Sample other;
  other.sop = "5.5.5";
  ASSERT_TRUE(store(other));
  const std::string live = dump();
  archive_.reset();
  fs::remove_all(directory_ / "other" / "index");
  fs::copy(directory_ / "data" / "index", directory_ / "other" / "index", fs::copy_options::recursive);
  open();
  EXPECT_EQ(dump(), live);
  EXPECT_EQ(stored_stream(archive(), other.sop), other.stream());
}

TEST_F(ArchiveTest, AnIndexAheadOfItsLogIsMadeAnew) {
  Sample s;
  ASSERT_TRUE(store(s));
  const std::string live = dump();
  archive_.reset();
  fs::copy(directory_ / "data" / "volume0", directory_ / "volume0", fs::copy_options::recursive);
  for (int i = 0; i < 20; ++i) {
    s.sop = "6." + std::to_string(i);
    ASSERT_TRUE(store(s));
  }
  archive_.reset();
  fs::remove_all(directory_ / "data" / "volume0");
  fs::rename(directory_ / "volume0", directory_ / "data" / "volume0");
  open();
  EXPECT_EQ(dump(), live);
  EXPECT_EQ(archive().stats().counts.instances, 1u);
}

}  // namespace
}  // namespace cairn::archive::test
