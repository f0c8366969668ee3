// Storage commitment: what is answered, what is checked, what a restart finds, and the report on the same association.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "engine/dicom/tags.h"
#include "engine/dimse/commitment_journal.h"
#include "tests/unit/dimse/test_server.h"

namespace cairn::test {
namespace {

using namespace std::chrono_literals;
using dimse::CommitmentJournal;
using dimse::CommitmentRequest;
namespace tags = dicom::tags;

const std::string kCT(dicom::uids::kCTImageStorage);

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "cairn-commitment-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

CommitmentRequest asked(const std::string& transaction, std::size_t references = 2) {
  CommitmentRequest r{"CT 1%", "CAIRN", transaction, {}, 77, 0};
  for (std::size_t i = 0; i < references; ++i) r.references.push_back({kCT, "1.2." + std::to_string(i + 1)});
  return r;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(CommitmentJournal, WhatIsPendingComesBack) {
  Folder folder;
  const auto file = folder.path / "commitments";
  {
    auto journal = CommitmentJournal::open(file).value();
    auto first = asked("1.1"), second = asked("1.2", 3), third = asked("1.3");
    ASSERT_TRUE(journal->add(first));
    ASSERT_TRUE(journal->add(second));
    auto again = asked("1.2");
    EXPECT_EQ(journal->add(again).error(), Errc::conflict);
    ASSERT_TRUE(journal->add(third));
    journal->done(first.id);
    auto anew = asked("1.1");
    EXPECT_TRUE(journal->add(anew)) << "reported, so the UID is free";
    journal->done(anew.id);
  }
  auto journal = CommitmentJournal::open(file).value();
  const auto pending = journal->pending();
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[0].transaction_uid, "1.2");
  EXPECT_EQ(pending[0].requester_ae, "CT 1%");
  EXPECT_EQ(pending[0].received_s, 77);
  EXPECT_EQ(pending[0].references, asked("1.2", 3).references);
  EXPECT_EQ(pending[1].transaction_uid, "1.3");
  auto next = asked("1.4");
  ASSERT_TRUE(journal->add(next));
  EXPECT_GT(next.id, pending[1].id);
}

TEST(CommitmentJournal, DamageTakesOneLineAndNoMore) {
  Folder folder;
  const auto file = folder.path / "commitments";
  {
    auto journal = CommitmentJournal::open(file).value();
    for (int i = 1; i <= 4; ++i) {
      auto r = asked("1." + std::to_string(i));
      ASSERT_TRUE(journal->add(r));
    }
  }
  const std::string whole = text_of(file);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    std::ofstream(file) << damaged;
    // A line's end that is damaged makes two lines one.
    EXPECT_GE(CommitmentJournal::open(file).value()->pending().size(), whole[at] == '\n' ? 2u : 3u) << at;
  }
  for (std::size_t length = 0; length < whole.size(); length += 3) {
    std::ofstream(file) << whole.substr(0, length);
    const auto lines =
        static_cast<std::size_t>(std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length), '\n'));
    const auto pending = CommitmentJournal::open(file).value()->pending().size();
    EXPECT_GE(pending, lines);
    EXPECT_LE(pending, lines + 1);  // its line without the line's end is whole
  }
}

TEST(CommitmentJournal, WhatCannotBeReadIsNotWrittenOver) {
  Folder folder;
  const auto file = folder.path / "commitments";
  std::filesystem::create_directory(file);
  EXPECT_FALSE(CommitmentJournal::open(file)) << "a folder in its place";
  std::filesystem::remove(file);
  {
    auto journal = CommitmentJournal::open(file).value();
    auto r = asked("1.1");
    ASSERT_TRUE(journal->add(r));
  }
  const std::string damaged = "12345678 request 9\n" + text_of(file);
  std::ofstream(file) << damaged;
  EXPECT_EQ(CommitmentJournal::open(file).value()->pending().size(), 1u);
  EXPECT_EQ(text_of(folder.path / "commitments.damaged"), damaged);
}

TEST(CommitmentJournal, IsBounded) {
  Folder folder;
  auto journal = CommitmentJournal::open(folder.path / "commitments").value();
  for (std::size_t i = 0; i < dimse::kMaxPendingReferences / dimse::kMaxReferences; ++i) {
    auto r = asked("1." + std::to_string(i + 1), dimse::kMaxReferences);
    r.requester_ae = "CT" + std::to_string(i / 4);
    ASSERT_TRUE(journal->add(r)) << i;
    if (i != 3) continue;
    r = asked("1.9", 1);
    r.requester_ae = "CT0";
    EXPECT_EQ(journal->add(r).error(), Errc::limit_exceeded) << "one requester leaves room for others";
  }
  auto one = asked("2.1", 1);
  EXPECT_EQ(journal->add(one).error(), Errc::limit_exceeded);
  for (const auto& r : journal->pending()) journal->done(r.id);
  EXPECT_TRUE(journal->add(one));
  EXPECT_LT(std::filesystem::file_size(folder.path / "commitments"), 8u << 20)
      << "what is done takes no space for ever";
}

struct Commitment : ::testing::Test {
  Commitment() {
    dimse::Options options;
    options.commitment_journal = folder.path / "commitments";
    options.commitment_wait = 0ms;
    server.emplace(options);
    rq.contexts.push_back({7, std::string(dicom::uids::kStorageCommitment), {"1.2.840.10008.1.2"}});
  }
  static dicom::CommandSet action(std::uint16_t id) {
    dicom::CommandSet c;
    c.command = dicom::CommandField::n_action_rq;
    c.requested_sop_class_uid = dicom::uids::kStorageCommitment;
    c.requested_sop_instance_uid = dicom::uids::kStorageCommitmentInstance;
    c.message_id = id;
    c.action_type_id = 1;
    c.data_set_type = 0;
    return c;
  }
  static std::string information(const std::string& transaction,
                                 const std::vector<std::pair<std::string, std::string>>& references) {
    dicom::DataSet all;
    if (!transaction.empty()) all.set_text(tags::TransactionUID, dicom::VR::UI, transaction);
    dicom::Element sequence{tags::ReferencedSOPSequence, dicom::VR::SQ, {}, {}, {}};
    for (const auto& [sop_class, instance] : references) {
      dicom::DataSet item;
      item.set_text(tags::ReferencedSOPClassUID, dicom::VR::UI, sop_class);
      item.set_text(tags::ReferencedSOPInstanceUID, dicom::VR::UI, instance);
      sequence.items.push_back(std::move(item));
    }
    all.set(std::move(sequence));
    return all.encode({false, false, false});
  }
  std::uint16_t status(const dicom::CommandSet& request, const std::string& data) {
    Peer peer(server->port());
    peer.associate(rq);
    peer.send(Peer::message(7, request, data));
    const auto r = peer.response();
    if (r.status != 0) EXPECT_TRUE(peer.alive());  // else the report comes
    return r.status.value_or(0xFFFF);
  }

  Folder folder;
  std::optional<TestServer> server;
  dicom::pdu::AssociateRQ rq = Peer::request();
};

TEST_F(Commitment, IsReportedOnTheAssociationThatIsStillOpen) {
  server->archive.add(kCT, "1.2.1", "1.2.840.10008.1.2.1", std::string(5'000'000, 'x'));
  server->archive.add(kCT, "1.2.2", "1.2.840.10008.1.2.1", "abc ");
  server->archive.add(kCT, "1.2.3", "1.2.840.10008.1.2.1", std::string(5'000'000, 'x')).damage =
      fail(Errc::corrupt, "part");
  Peer peer(server->port());
  peer.associate(rq);
  peer.send(Peer::message(
      7, action(1),
      information(
          "1.9.1",
          {{kCT, "1.2.1"}, {"1.2.840.10008.5.1.4.1.1.4", "1.2.2"}, {kCT, "1.2.3"}, {kCT, "1.2.4"}, {kCT, "1.2.1"}})));
  const auto accepted = peer.response();
  ASSERT_EQ(accepted.command, dicom::CommandField::n_action_rsp);
  ASSERT_EQ(accepted.status, 0);
  EXPECT_EQ(accepted.affected_sop_instance_uid, dicom::uids::kStorageCommitmentInstance);

  std::string data;
  const auto report = peer.response(&data);
  ASSERT_EQ(report.command, dicom::CommandField::n_event_report_rq);
  EXPECT_EQ(report.affected_sop_class_uid, dicom::uids::kStorageCommitment);
  EXPECT_EQ(report.event_type_id, 2);
  const auto event = dicom::DataSet::parse(as_bytes(data), {false, false, false}).value();
  EXPECT_EQ(event.text(tags::TransactionUID), "1.9.1");
  ASSERT_EQ(event.find(tags::ReferencedSOPSequence)->items.size(), 1u) << "named twice, told of once";
  EXPECT_EQ(event.item(tags::ReferencedSOPSequence)->text(tags::ReferencedSOPInstanceUID), "1.2.1");
  std::map<std::string, std::int64_t> failed;
  for (const auto& item : event.find(tags::FailedSOPSequence)->items) {
    failed[item.text(tags::ReferencedSOPInstanceUID)] = item.integer(tags::FailureReason).value();
  }
  EXPECT_EQ(failed, (std::map<std::string, std::int64_t>{{"1.2.2", 0x0119}, {"1.2.3", 0x0110}, {"1.2.4", 0x0112}}));

  peer.send(Peer::message(7, dicom::make_response(report, 0)));
  EXPECT_TRUE(peer.alive());
  for (int i = 0; i < 500 && server->server->stats().commitments_reported == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server->server->stats().commitments_reported, 1u);
  const auto remembered = server->server->commitments_naming([](std::string_view uid) { return uid == "1.2.3"; });
  ASSERT_EQ(remembered.size(), 1u);
  EXPECT_EQ(remembered[0].transaction_uid, "1.9.1");
  EXPECT_EQ(remembered[0].references.size(), 4u);
  peer.send(Peer::message(7, action(2), information("1.9.1", {{kCT, "1.2.1"}})));
  EXPECT_EQ(peer.response().status, 0) << "the transaction is over";
  EXPECT_EQ(peer.response().event_type_id, 1) << "all is committed";
}

TEST_F(Commitment, AnAnswerToItsReportHidesNoCancel) {
  for (int i = 0; i < 2000; ++i) {
    server->archive.matches.emplace_back().set_text(tags::StudyInstanceUID, dicom::VR::UI, "1." + std::to_string(i));
  }
  for (const bool with_data : {false, true}) {
    Peer peer(server->port());
    peer.associate(rq);
    peer.send(Peer::message(7, action(1), information(with_data ? "1.9.2" : "1.9.1", {{kCT, "1.2.1"}})));
    ASSERT_EQ(peer.response().status, 0);
    const auto report = peer.response();
    ASSERT_EQ(report.command, dicom::CommandField::n_event_report_rq);
    dicom::CommandSet find, cancel;
    find.command = dicom::CommandField::c_find_rq;
    find.affected_sop_class_uid = dicom::uids::kStudyRootFind;
    find.message_id = 5;
    find.data_set_type = 0;
    cancel.command = dicom::CommandField::c_cancel_rq;
    cancel.message_id_being_responded_to = 5;
    dicom::DataSet keys;
    keys.set_text(tags::QueryRetrieveLevel, dicom::VR::CS, "STUDY");
    keys.set_text(tags::StudyInstanceUID, dicom::VR::UI, "");
    auto answer = dicom::make_response(report, 0);
    if (with_data) answer.data_set_type = 0;
    peer.send(Peer::message(5, find, keys.encode({.explicit_vr = false})) + Peer::message(7, answer, "") +
              Peer::message(5, cancel));
    std::uint16_t status = 0xff00;
    int responses = 0;
    for (; status == 0xff00; ++responses) {
      std::string data;
      status = peer.response(&data).status.value_or(1);
    }
    EXPECT_EQ(status, 0xfe00);
    EXPECT_LT(responses, 10);
    EXPECT_TRUE(peer.alive());
  }
}

TEST_F(Commitment, WhatIsNotTakenStaysInTheJournal) {
  server->archive.add(kCT, "1.2.1", "1.2.840.10008.1.2.1", "abc ");
  {
    Peer peer(server->port());
    peer.associate(rq);
    peer.send(Peer::message(7, action(1), information("1.9.7", {{kCT, "1.2.1"}})));
    ASSERT_EQ(peer.response().status, 0);
    const auto report = peer.response();
    ASSERT_EQ(report.command, dicom::CommandField::n_event_report_rq);
    peer.send(Peer::message(7, dicom::make_response(report, 0x0110)));
    EXPECT_TRUE(peer.alive());
  }
  server.reset();
  const auto pending = CommitmentJournal::open(folder.path / "commitments").value()->pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].requester_ae, "PEER");
  EXPECT_EQ(pending[0].transaction_uid, "1.9.7");
}

TEST_F(Commitment, EachFaultHasItsStatus) {
  const std::string good = information("1.9.1", {{kCT, "1.2.1"}});
  auto request = action(1);
  request.action_type_id = 2;
  EXPECT_EQ(status(request, good), 0x0123);
  request = action(1);
  request.requested_sop_instance_uid = "1.2.3";
  EXPECT_EQ(status(request, good), 0x0112);
  request = action(1);
  request.requested_sop_class_uid = kCT;
  EXPECT_EQ(status(request, good), 0x0118);
  EXPECT_EQ(status(action(1), information("", {{kCT, "1.2.1"}})), 0x0121);
  EXPECT_EQ(status(action(1), information("1.9.1", {})), 0x0121);
  EXPECT_EQ(status(action(1), information("1.9.x", {{kCT, "1.2.1"}})), 0x0115);
  EXPECT_EQ(status(action(1), information("1.9.1", {{kCT, std::string(70, '1')}})), 0x0115);
  EXPECT_EQ(status(action(1), "\1\2\3"), 0x0115);
  EXPECT_EQ(status(action(1), std::string(17u << 20, '\0')), 0x0213);
  request = action(1);
  request.data_set_type = dicom::kNoDataSet;
  EXPECT_EQ(status(request, {}), 0x0121);
  EXPECT_EQ(status(action(1), good), 0);
  EXPECT_EQ(status(action(1), good), 0x0131) << "pending: its requester is gone and is no [[dicom.remote]]";
}

}  // namespace
}  // namespace cairn::test
