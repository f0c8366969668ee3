#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "bench/load/journal.h"
#include "bench/load/sender.h"
#include "bench/load/sink.h"
#include "bench/load/wire.h"
#include "engine/core/uid.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/tags.h"

namespace cairn::load {
namespace {

namespace tags = dicom::tags;

std::string bytes_of(const Object& object) {
  std::string all = object.header;
  for (const Bytes part : object.body) all += as_text(part);
  return all;
}

TEST(GeneratedCorpus, ObjectsAreDistinctWellFormedAndThemselvesAgain) {
  std::set<std::string> seen;
  for (const Kind kind : {Kind::ct, Kind::mr, Kind::tiny}) {
    const auto corpus = generated_corpus(kind, 42, 0), again = generated_corpus(kind, 42, 0);
    Object a, b;
    for (std::uint64_t sender = 0; sender < 3; ++sender) {
      for (const std::uint64_t index : {0u, 1u, 399u, 400u, 100000u}) {
        corpus->make(sender, index, a);
        again->make(sender, index, b);
        EXPECT_EQ(bytes_of(a), bytes_of(b));
        EXPECT_TRUE(seen.insert(a.sop_instance_uid).second) << a.sop_instance_uid;
        EXPECT_TRUE(is_usable_uid(a.sop_instance_uid));
        const std::string bytes = bytes_of(a);
        EXPECT_EQ(bytes.size(), a.size_bytes());
        const auto parsed = dicom::DataSet::parse(as_bytes(bytes), {});
        ASSERT_TRUE(parsed) << to_string(parsed.error());
        EXPECT_EQ(parsed.value().text(tags::SOPInstanceUID), a.sop_instance_uid);
        EXPECT_EQ(parsed.value().text(tags::StudyInstanceUID), a.study_instance_uid);
        EXPECT_EQ(parsed.value().text(tags::SeriesInstanceUID), a.series_instance_uid);
      }
    }
  }
}

TEST(GeneratedCorpus, AHugeObjectIsAsLongAsAskedWithoutHoldingItInMemory) {
  const auto corpus = generated_corpus(Kind::huge, 1, std::uint64_t{6} << 30);
  Object object;
  corpus->make(0, 0, object);
  EXPECT_GE(object.size_bytes(), std::uint64_t{6} << 30);
  EXPECT_LT(object.size_bytes(), (std::uint64_t{6} << 30) + (1u << 20));
}

TEST(Wire, AResponseIsReadBackAndAPDVThatOverrunsIsRefused) {
  const std::string pdu = wire::p_data(3, true, true, wire::c_store_rsp("1.2", "1.2.3", 77));
  std::string command;
  const auto last = wire::append_command(as_bytes(pdu).subspan(6), command);
  ASSERT_TRUE(last && last.value());
  const auto response = wire::read_c_store_rsp(as_bytes(command));
  ASSERT_TRUE(response);
  EXPECT_EQ(response.value().message_id, 77);
  EXPECT_EQ(response.value().status, 0);
  std::string overrun = pdu;
  overrun[9] = '\x7F';
  EXPECT_FALSE(wire::append_command(as_bytes(overrun).subspan(6), command));
  EXPECT_FALSE(wire::read_c_store_rsp(as_bytes(wire::c_store_rq("1.2", "1.2.3", 1))));
}

TEST(RunLoad, EveryInstanceIsAnsweredOnceAndJournalled) {
  const auto file = std::filesystem::temp_directory_path() / ("cairn_load_test_" + std::to_string(::getpid()));
  const auto port = static_cast<std::uint16_t>(20000 + ::getpid() % 20000);
  std::thread([port] { (void)run_sink(port, 4096); }).detach();
  LoadOptions options;
  options.association.port = port;
  options.association.window = 4;
  options.associations = 3;
  options.count = 50;
  LoadReport report;
  for (int tries = 0; tries < 100 && report.stored == 0; ++tries) {  // until the sink listens
    auto journal = Journal::open(file.string());
    ASSERT_TRUE(journal);
    options.journal = journal.value().get();
    report = run_load(*generated_corpus(Kind::mr, 9, 0), options);
    if (report.stored == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(report.stored, 50u) << (report.errors.empty() ? "" : report.errors[0]);
  EXPECT_EQ(report.failed, 0u);
  EXPECT_EQ(report.latencies_ms.size(), 50u);
  std::ifstream in(file);
  std::string line, kind, sop;
  std::multiset<std::string> sent, answered;
  while (std::getline(in, line)) {
    std::istringstream(line) >> kind >> sop;
    (kind == "S" ? sent : answered).insert(sop);
  }
  EXPECT_EQ(sent.size(), 50u);
  EXPECT_EQ(sent, answered);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace cairn::load
