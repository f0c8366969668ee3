// C-GET by scripted peers: what arrives, the counts, the failures by name, the cancel.
#include <random>

#include <gtest/gtest.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/tags.h"
#include "engine/dimse/context_table.h"
#include "engine/dimse/negotiation.h"
#include "tests/unit/dimse/test_server.h"

namespace cairn::test {
namespace {

using namespace std::chrono_literals;
namespace pdu = dicom::pdu;
namespace tags = dicom::tags;
using dicom::CommandField;
using dicom::CommandSet;
using dicom::VR;

const std::string kCT(dicom::uids::kCTImageStorage);
const std::string kMR = "1.2.840.10008.5.1.4.1.1.4";
const std::string kImplicit = "1.2.840.10008.1.2", kExplicit = "1.2.840.10008.1.2.1", kJPEG = "1.2.840.10008.1.2.4.70";

// Context 1 verification, 3 CT explicit, 5 CT JPEG, 7 get (study root), 9 get (patient root).
pdu::AssociateRQ request() {
  pdu::AssociateRQ rq = Peer::request();
  rq.contexts.resize(2);
  rq.contexts.push_back({5, kCT, {kJPEG}});
  rq.contexts.push_back({7, std::string(dicom::uids::kStudyRootGet), {kImplicit}});
  rq.contexts.push_back({9, std::string(dicom::uids::kPatientRootGet), {kExplicit}});
  rq.user.roles.push_back({kCT, false, true});
  return rq;
}

CommandSet get_request(std::string_view model, std::uint16_t message_id = 7) {
  CommandSet c;
  c.command = CommandField::c_get_rq;
  c.affected_sop_class_uid = model;
  c.message_id = message_id;
  c.priority = 0;
  c.data_set_type = 0;
  return c;
}

std::string keys(std::string_view level, dicom::Tag tag, std::string_view value, bool explicit_vr = false) {
  dicom::DataSet set;
  set.set_text(tags::QueryRetrieveLevel, VR::CS, level);
  set.set_text(tag, tag == tags::PatientID ? VR::LO : VR::UI, value);
  return set.encode({.explicit_vr = explicit_vr});
}

// What follows a C-GET-RQ until its final response.
struct Got {
  std::map<std::string, std::string> received;  // data sets by SOP Instance UID
  std::map<std::string, std::uint8_t> contexts;
  std::vector<CommandSet> pending;
  CommandSet final;
  std::string failed_uids;
};

// One message: the command, its context and data.
struct Message {
  CommandSet command;
  std::uint8_t context = 0;
  std::string data;
};
Message next_message(Peer& peer) {
  Message m;
  std::string command;
  bool command_done = false;
  for (;;) {
    const std::string p = peer.receive_pdu();
    if (p.size() < 12 || p[0] != 4) {
      ADD_FAILURE() << "PDU type " << (p.empty() ? -1 : p[0]);
      m.command.status = 1;
      return m;
    }
    EXPECT_LE(p.size(), 16384u + 6);
    EXPECT_EQ(p.size() % 2, 0u) << "a fragment of odd length";
    const bool is_command = (p[11] & 1) != 0, last = (p[11] & 2) != 0;
    m.context = static_cast<std::uint8_t>(p[10]);
    (is_command ? command : m.data) += p.substr(12);
    if (!last) continue;
    if (!is_command) return m;
    m.command = dicom::decode_command(as_bytes(command)).value();
    command_done = true;
    if (command_done && !m.command.has_data_set()) return m;
  }
}

Got collect(Peer& peer, const std::function<std::uint16_t(const std::string& uid, std::size_t index)>& answer = {}) {
  Got got;
  for (;;) {
    const Message m = next_message(peer);
    if (m.command.command == CommandField::c_store_rq) {
      const std::string& uid = m.command.affected_sop_instance_uid;
      const std::uint16_t status = answer ? answer(uid, got.received.size()) : std::uint16_t{0};
      got.received[uid] = m.data;
      got.contexts[uid] = m.context;
      peer.send(Peer::message(m.context, dicom::make_response(m.command, status)));
      continue;
    }
    EXPECT_EQ(m.command.command, CommandField::c_get_rsp);
    if (m.command.status == 0xff00) {
      got.pending.push_back(m.command);
      continue;
    }
    got.final = m.command;
    if (!m.data.empty()) {
      const auto set = dicom::DataSet::parse(as_bytes(m.data), {.explicit_vr = m.context == 9});
      EXPECT_TRUE(set.has_value());
      if (set) got.failed_uids = set.value().text(tags::FailedSOPInstanceUIDList);
    }
    return got;
  }
}

std::string random_bytes(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(n, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

TEST(Get, AStudyComesByteForByteWithRightCounts) {
  TestServer server;
  server.archive.part_bytes = 99'999;  // odd: fragments are even all the same
  std::map<std::string, std::string> sent;
  const std::size_t sizes[] = {2, 1000, 16'378, 16'379, 16'380, 300'000, 3'000'001, 20'000'001, 0};
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    const std::string uid = "1.2.3." + std::to_string(i);
    sent[uid] = random_bytes(sizes[i] & ~std::size_t{1}, static_cast<unsigned>(i));
    server.archive.add(kCT, uid, i % 2 == 0 ? kExplicit : kJPEG, sent[uid], i < 4 ? "1.2.9.1" : "1.2.9.2");
  }
  server.archive.add(kCT, "1.2.3.99", kExplicit, "xx", "1.8.1", "1.8");
  Peer peer(server.port());
  const auto ac = peer.associate(request());
  ASSERT_EQ(ac.user.roles.size(), 1u);
  EXPECT_TRUE(ac.user.roles[0].scp);
  EXPECT_FALSE(ac.user.roles[0].scu);
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  const Got got = collect(peer);
  EXPECT_EQ(got.received.size(), sent.size());
  for (const auto& [uid, data] : sent) {
    const auto at = got.received.find(uid);
    ASSERT_TRUE(at != got.received.end()) << uid;
    EXPECT_TRUE(at->second == data) << uid << ": " << at->second.size() << " of " << data.size();
  }
  EXPECT_EQ(got.contexts.at("1.2.3.0"), 3);
  EXPECT_EQ(got.contexts.at("1.2.3.1"), 5);
  ASSERT_EQ(got.pending.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(got.pending[i].completed, i + 1);
    EXPECT_EQ(got.pending[i].remaining, 8 - i);
    EXPECT_EQ(got.pending[i].failed, 0);
    EXPECT_EQ(got.pending[i].warning, 0);
    EXPECT_EQ(got.pending[i].message_id_being_responded_to, 7);
  }
  EXPECT_EQ(got.final.status, 0);
  EXPECT_EQ(got.final.completed, 9);
  EXPECT_FALSE(got.final.remaining.has_value());
  EXPECT_FALSE(got.final.has_data_set());
  EXPECT_TRUE(peer.alive());
  EXPECT_EQ(server.server->stats().sub_operations_completed, 9u);
}

TEST(Get, EveryLevelOfBothRootsAndListsOfUIDs) {
  TestServer server;
  for (int p = 1; p <= 2; ++p) {
    for (int s = 1; s <= 2; ++s) {
      for (int i = 1; i <= 3; ++i) {
        const std::string study = "1." + std::to_string(p), series = study + "." + std::to_string(s);
        server.archive.add(kCT, series + "." + std::to_string(i), kExplicit, "data", series, study,
                           "P" + std::to_string(p));
      }
    }
  }
  const struct {
    bool patient_root;
    std::string level;
    dicom::Tag tag;
    std::string value;
    std::uint16_t status;
    std::size_t instances;
  } cases[] = {
      {true, "PATIENT", tags::PatientID, "P1", 0, 6},
      {true, "PATIENT", tags::PatientID, "P1\\P2", 0, 12},
      {true, "PATIENT", tags::PatientID, "P9", 0, 0},
      {true, "STUDY", tags::StudyInstanceUID, "1.1", 0, 6},
      {false, "STUDY", tags::StudyInstanceUID, "1.1\\1.2", 0, 12},
      {false, "SERIES", tags::SeriesInstanceUID, "1.1.2\\1.2.1\\1.7", 0, 6},
      {false, "IMAGE", tags::SOPInstanceUID, "1.1.2.1\\1.1.2.1\\1.2.2.3\\1.9.9.9", 0, 2},
      {true, "IMAGE", tags::SOPInstanceUID, "1.1.1.1", 0, 1},
      {false, "STUDY", tags::StudyInstanceUID, "", 0xa900, 0},
      {false, "STUDY", tags::StudyInstanceUID, "*", 0xa900, 0},
      {false, "PATIENT", tags::PatientID, "P1", 0xa900, 0},
      {false, "SERIES", tags::StudyInstanceUID, "1.1", 0xa900, 0},
      {false, "NONSENSE", tags::StudyInstanceUID, "1.1", 0xa900, 0},
  };
  Peer peer(server.port());
  peer.associate(request());
  for (const auto& c : cases) {
    SCOPED_TRACE(c.level + " " + c.value);
    peer.send(Peer::message(c.patient_root ? 9 : 7,
                            get_request(c.patient_root ? dicom::uids::kPatientRootGet : dicom::uids::kStudyRootGet),
                            keys(c.level, c.tag, c.value, c.patient_root)));
    const Got got = collect(peer);
    EXPECT_EQ(got.final.status, c.status);
    EXPECT_EQ(got.received.size(), c.instances);
    if (c.status == 0) EXPECT_EQ(got.final.completed, c.instances);
    if (c.status != 0) EXPECT_FALSE(got.final.error_comment.empty());
  }
  // A patient who is not the instance's own.
  dicom::DataSet set;
  set.set_text(tags::QueryRetrieveLevel, VR::CS, "IMAGE");
  set.set_text(tags::SOPInstanceUID, VR::UI, "1.1.1.1\\1.2.1.1");
  set.set_text(tags::PatientID, VR::LO, "P2");
  peer.send(Peer::message(9, get_request(dicom::uids::kPatientRootGet), set.encode({})));
  const Got got = collect(peer);
  EXPECT_EQ(got.received.size(), 1u);
  EXPECT_TRUE(got.received.contains("1.2.1.1"));
  EXPECT_TRUE(peer.alive());
}

TEST(Get, OneBadInstanceNeverEndsIt) {
  TestServer server;
  auto& a = server.archive;
  a.add(kCT, "1.1", kExplicit, std::string(4000, 'a'));
  a.add(kCT, "1.2", kExplicit, std::string(4000, 'b')).damage = fail(Errc::corrupt, "checksum of a part");
  // Damaged behind what is held: found before the first byte goes out.
  a.add(kCT, "1.3", kExplicit, std::string(60'000'000, 'c')).damage = fail(Errc::io, "read of a segment");
  a.add(kMR, "1.4", kExplicit, "no context");
  a.add(kCT, "1.5", "1.2.840.10008.1.2.4.90", "no such syntax");
  a.add(kCT, "1.6", kExplicit, "refused by the peer!");
  a.add(kCT, "1.7", kExplicit, "a warning!");
  a.add(kCT, "1.8", kImplicit, std::string("\x08\0\x18\0\xff\0\0\0xx", 10));  // breaks when it is recoded
  a.add(kCT, "1.9", kExplicit, std::string(4000, 'z'));
  Peer peer(server.port());
  peer.associate(request());
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  const Got got = collect(peer, [](const std::string& uid, std::size_t) -> std::uint16_t {
    return uid == "1.6" ? 0xa700 : uid == "1.7" ? 0xb000 : 0;
  });
  EXPECT_EQ(got.final.status, 0xb000);
  EXPECT_EQ(got.final.completed, 2);
  EXPECT_EQ(got.final.warning, 1);
  EXPECT_EQ(got.final.failed, 6);
  EXPECT_EQ(got.failed_uids, "1.2\\1.3\\1.4\\1.5\\1.6\\1.8");
  EXPECT_NE(got.final.error_comment.find("checksum"), std::string::npos) << got.final.error_comment;
  EXPECT_EQ(got.received.size(), 4u);
  EXPECT_TRUE(peer.alive());
  // When nothing can be sent at all.
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("IMAGE", tags::SOPInstanceUID, "1.2\\1.4")));
  EXPECT_EQ(collect(peer).final.status, 0xa702);
}

TEST(Get, OfALongOneSomePendingResponsesComeAndAllAreRight) {
  TestServer server;
  for (int i = 0; i < 500; ++i) server.archive.add(kCT, "1.1." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  const Got got = collect(peer, [](const std::string&, std::size_t index) -> std::uint16_t {
    if (index == 250 || index == 400) std::this_thread::sleep_for(60ms);
    return index % 100 == 99 ? 0xa700 : 0;
  });
  EXPECT_EQ(got.received.size(), 500u);
  EXPECT_GE(got.pending.size(), 18u);
  EXPECT_LT(got.pending.size(), 499u);
  for (const auto& p : got.pending) EXPECT_EQ(*p.completed + *p.failed + *p.remaining, 500);
  EXPECT_EQ(got.final.completed, 495);
  EXPECT_EQ(got.final.failed, 5);
}

TEST(Get, WithoutTheSCPRoleNothingIsSent) {
  TestServer server;
  server.archive.add(kCT, "1.1", kExplicit, "data");
  auto rq = request();
  rq.user.roles.clear();
  Peer peer(server.port());
  peer.associate(rq);
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  const Got got = collect(peer);
  EXPECT_EQ(got.final.status, 0xa702);
  EXPECT_EQ(got.failed_uids, "1.1");
  EXPECT_NE(got.final.error_comment.find("context"), std::string::npos);
}

TEST(Get, IsRecodedOnlyWhenThePeerDidNotTakeTheStoredSyntax) {
  TestServer server;
  dicom::DataSet set;
  set.set_text(tags::SOPInstanceUID, VR::UI, "1.1");
  set.set_us(tags::Rows, 0x0102);
  dicom::Element pixels;
  pixels.tag = tags::PixelData;
  pixels.vr = VR::OW;
  pixels.value = random_bytes(30'000'000, 5);  // more than is held
  set.set(std::move(pixels));
  server.archive.add(kCT, "1.1", kImplicit, set.encode({.explicit_vr = false}));
  server.archive.add(kCT, "1.2", "1.2.840.10008.1.2.2", set.encode({.big_endian = true}));
  server.archive.add(kCT, "1.3", kExplicit, set.encode({}));
  Peer peer(server.port());
  peer.associate(request());
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  const Got got = collect(peer);
  EXPECT_EQ(got.final.status, 0);
  for (const char* uid : {"1.1", "1.2", "1.3"}) {
    ASSERT_TRUE(got.received.contains(uid));
    EXPECT_EQ(got.contexts.at(uid), 3);
    EXPECT_TRUE(got.received.at(uid) == set.encode({})) << uid;  // no sequences: so the bytes are these
  }
}

TEST(Get, ACancelEndsItAtOnce) {
  TestServer server;
  for (int i = 100; i < 400; ++i) server.archive.add(kCT, "1.1." + std::to_string(i), kExplicit, std::string(200'000, 'x'));
  server.archive.add(kCT, "1.0", kMR, "cannot be sent");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  CommandSet cancel;
  cancel.command = CommandField::c_cancel_rq;
  cancel.message_id_being_responded_to = 7;
  const Got got = collect(peer, [&](const std::string&, std::size_t index) -> std::uint16_t {
    if (index == 2) peer.send(Peer::message(7, cancel));
    return 0;
  });
  EXPECT_EQ(got.final.status, 0xfe00);
  EXPECT_EQ(got.received.size(), 3u);
  EXPECT_EQ(got.final.completed, 3);
  EXPECT_EQ(got.final.failed, 1);
  EXPECT_EQ(got.final.remaining, 297);
  EXPECT_EQ(got.failed_uids, "1.0");
  EXPECT_TRUE(peer.alive());
}

TEST(Get, APeerThatVanishesOrReleasesLeaksNothing) {
  TestServer server;
  for (int i = 0; i < 50; ++i) server.archive.add(kCT, "1.1." + std::to_string(i), kExplicit, std::string(2'000'000, 'x'));
  const std::string wire =
      Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9"));
  for (int i = 0; i < 10; ++i) {
    Peer peer(server.port());
    peer.associate(request());
    peer.send(wire);
    if (i % 2 == 0) peer.receive(static_cast<std::size_t>(i) * 100'000 + 1);
    if (i % 3 == 0) peer.send(pdu::encode_release_rq());
    peer.close();
  }
  {
    Peer peer(server.port());
    peer.associate(request());
    peer.send(wire);
    const Message m = next_message(peer);
    EXPECT_EQ(m.command.command, CommandField::c_store_rq);
    peer.send(Peer::message(m.context, dicom::make_response(m.command, 0)) + pdu::encode_release_rq());
    std::string pdu;
    do pdu = peer.receive_pdu();
    while (!pdu.empty() && pdu[0] == 4);
  }
  for (int i = 0; i < 200 && server.server->stats().associations_open > 0; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(server.server->stats().associations_open, 0u);
}

TEST(Get, AnotherRequestMeanwhileIsRefused) {
  TestServer server;
  server.archive.add(kCT, "1.1", kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(Peer::message(7, get_request(dicom::uids::kStudyRootGet), keys("STUDY", tags::StudyInstanceUID, "1.2.9")));
  const Message m = next_message(peer);
  peer.send(Peer::message(1, Peer::echo_request(44)));
  EXPECT_EQ(next_message(peer).command.status, 0xa700);
  peer.send(Peer::message(m.context, dicom::make_response(m.command, 0)));
  EXPECT_EQ(next_message(peer).command.status, 0);
  EXPECT_TRUE(peer.alive());
}

TEST(Negotiation, AnSCPOfStorageGetsANativeSyntaxFirstAndThenTheOthers) {
  pdu::AssociateRQ rq = Peer::request();
  rq.contexts = {{1, kCT, {kJPEG, kExplicit, kImplicit}}, {3, kCT, {kJPEG, kExplicit}}, {5, kMR, {kJPEG, kExplicit}}};
  rq.user.roles = {{kCT, true, true}, {kMR, true, false}};
  const auto agreement = dimse::negotiate(rq, {});
  EXPECT_EQ(agreement.contexts[0]->transfer_syntax, kExplicit);
  EXPECT_EQ(agreement.contexts[1]->transfer_syntax, kJPEG);
  EXPECT_EQ(agreement.contexts[2]->transfer_syntax, kJPEG);
  EXPECT_EQ(agreement.storage_scp.choose(kCT, kImplicit).value()[0]->id, 1);
  EXPECT_EQ(agreement.storage_scp.choose(kCT, kJPEG).value()[0]->id, 3);
  // What the peer does not take comes decompressed, never with a loss.
  const auto decompressed = agreement.storage_scp.choose(kCT, "1.2.840.10008.1.2.4.90");
  ASSERT_TRUE(decompressed.has_value());
  ASSERT_EQ(decompressed.value().size(), 2u);
  EXPECT_EQ(decompressed.value()[0]->id, 1);
  EXPECT_EQ(decompressed.value()[1]->id, 3);
  EXPECT_FALSE(agreement.storage_scp.choose(kMR, kExplicit).has_value());
  EXPECT_FALSE(agreement.storage_scp.choose(kCT, "1.2.840.10008.1.2.4.100").has_value());
  EXPECT_TRUE(agreement.acceptance.user.roles[0].scp);
  EXPECT_FALSE(agreement.acceptance.user.roles[1].scp);
}

}  // namespace
}  // namespace cairn::test
