// C-STORE and C-FIND, by scripted peers and by our own client.
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "engine/core/log.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/tags.h"
#include "engine/dimse/access.h"
#include "engine/dimse/client.h"
#include "engine/dimse/query.h"
#include "engine/dimse/retrieve.h"
#include "engine/dimse/status.h"
#include "tests/unit/dimse/test_server.h"

namespace cairn::test {
namespace {

using namespace std::chrono_literals;
namespace pdu = dicom::pdu;
namespace tags = dicom::tags;
using dicom::VR;

const std::string kCT(dicom::uids::kCTImageStorage);
const std::string kExplicit = "1.2.840.10008.1.2.1";

std::string random_bytes(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(n, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::string part10(const std::string& instance, const std::string& data, std::string_view source) {
  return dicom::make_file_meta(kCT, instance, kExplicit, source) + data;
}

TEST(Store, AnyFragmentationArrivesByteForByte) {
  TestServer server;
  std::mt19937 random(4);
  Peer peer(server.port());
  peer.associate();
  for (std::uint16_t i = 1; i <= 40; ++i) {
    const std::string data = random_bytes(2 * (random() % 40000), i);
    const std::string uid = "1.2.3." + std::to_string(i);
    const std::uint32_t max = i % 4 == 0 ? 16 : 64 + random() % 200000;
    const std::string wire = Peer::message(3, Peer::store_request(i, uid), data, max);
    for (std::size_t at = 0; at < wire.size();) {
      const std::size_t n = i % 3 == 0 ? wire.size() : 1 + random() % 30000;
      peer.send(std::string_view(wire).substr(at, n));
      at += n;
    }
    const auto response = peer.response();
    ASSERT_EQ(response.status, 0);
    ASSERT_EQ(response.message_id_being_responded_to, i);
    const std::lock_guard lock(server.archive.mutex);
    ASSERT_EQ(server.archive.kept[uid].stream, part10(uid, data, "PEER")) << "seed " << i;
    EXPECT_EQ(server.archive.kept[uid].announced.transfer_syntax_uid, kExplicit);
    EXPECT_EQ(server.archive.kept[uid].source.calling_ae, "PEER");
    EXPECT_EQ(server.archive.kept[uid].source.peer_address, "127.0.0.1");
  }
}

TEST(Store, EveryFailureHasItsStatusAndTheAssociationGoesOn) {
  TestServer server;
  auto& a = server.archive;
  a.fail_receive.insert({"1.1", fail(Errc::out_of_space, "storage reserve")});
  a.fail_received.insert({"1.2", fail(Errc::malformed, "item longer than its sequence", 77)});
  a.fail_commit.insert({"1.3", fail(Errc::mismatch, "SOP Class UID of the data set and of the request")});
  a.fail_commit.insert({"1.4", fail(Errc::missing, "StudyInstanceUID")});
  a.fail_commit.insert({"1.5", fail(Errc::conflict, "duplicate policy")});
  a.fail_commit.insert({"1.6", fail(Errc::io, "flush")});
  a.fail_commit.insert({"1.7", fail(Errc::out_of_memory, "budget")});
  Peer peer(server.port());
  peer.associate();
  const std::string data = random_bytes(100000, 1);
  const auto store = [&](const dicom::CommandSet& request) {
    peer.send(Peer::message(3, request, data));
    return peer.response();
  };
  EXPECT_EQ(store(Peer::store_request(1, "1.1")).status, 0xa700);
  const auto malformed = store(Peer::store_request(2, "1.2"));
  EXPECT_EQ(malformed.status, 0xc000);
  EXPECT_EQ(malformed.error_comment, "item longer than its sequence: malformed");
  const auto mismatch = store(Peer::store_request(3, "1.3"));
  EXPECT_EQ(mismatch.status, 0xa900);
  EXPECT_EQ(mismatch.error_comment, "SOP Class UID of the data set and of the request: differ");
  ASSERT_EQ(mismatch.offending_elements.size(), 1u);
  EXPECT_EQ(mismatch.offending_elements[0], tags::SOPClassUID);
  const auto missing = store(Peer::store_request(4, "1.4"));
  EXPECT_EQ(missing.status, 0xc000);
  EXPECT_EQ(missing.offending_elements.at(0), tags::StudyInstanceUID);
  EXPECT_EQ(store(Peer::store_request(5, "1.5")).status, 0x0111);
  EXPECT_EQ(store(Peer::store_request(6, "1.6")).status, 0x0110);
  EXPECT_EQ(store(Peer::store_request(7, "1.7")).status, 0xa700);
  EXPECT_EQ(store(Peer::store_request(8, "")).status, 0xc000);
  EXPECT_EQ(store(Peer::store_request(9, "not a uid")).status, 0xc000);
  auto other_class = Peer::store_request(10, "1.8");
  other_class.affected_sop_class_uid = "1.2.840.10008.5.1.4.1.1.4";
  EXPECT_EQ(store(other_class).status, 0xa900);
  auto no_data = Peer::store_request(11, "1.9");
  no_data.data_set_type = dicom::kNoDataSet;
  EXPECT_EQ(store(no_data).status, 0xc000);
  auto move = Peer::store_request(12, "1.10");
  move.command = dicom::CommandField::c_move_rq;
  EXPECT_EQ(store(move).status, 0x0211);
  EXPECT_EQ(store(Peer::store_request(13, "2.1")).status, 0);
  EXPECT_TRUE(peer.alive());
  const auto stats = server.server->stats();
  EXPECT_EQ(stats.stores[static_cast<std::size_t>(dimse::StoreAnswer::success)], 1u);
  EXPECT_EQ(stats.stores[static_cast<std::size_t>(dimse::StoreAnswer::out_of_resources)], 2u);
}

TEST(Store, AVanishedSenderLeavesNothing) {
  TestServer server;
  {
    Peer peer(server.port());
    peer.associate();
    const std::string wire = Peer::message(3, Peer::store_request(1, "1.2.3"), std::string(50000, 'x'));
    peer.send(wire.substr(0, 30000));
  }
  for (int i = 0; i < 300 && server.server->stats().aborted == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server.archive.open_receivers, 0);
  EXPECT_EQ(server.archive.commits, 0u);
}

TEST(Store, TheWindowIsUsedAndNeverExceeded) {
  TestServer server;
  server.archive.commit_delay = 30ms;
  Peer peer(server.port());
  auto rq = Peer::request();
  rq.user.asynchronous_window = pdu::AsynchronousWindow{5, 1};
  EXPECT_EQ(peer.associate(rq).user.asynchronous_window->invoked, 5);
  // A sender that does not keep to the window is held back, not refused.
  std::string wire;
  for (std::uint16_t i = 1; i <= 40; ++i) {
    wire += Peer::message(3, Peer::store_request(i, "1.2." + std::to_string(i)), random_bytes(3000, i));
  }
  wire += pdu::encode_release_rq();
  const auto began = std::chrono::steady_clock::now();
  peer.send(wire);
  std::map<int, int> answered;
  for (int i = 0; i < 40; ++i) {
    const auto response = peer.response();
    EXPECT_EQ(response.status, 0);
    ++answered[*response.message_id_being_responded_to];
  }
  EXPECT_EQ(answered.size(), 40u);
  EXPECT_EQ(peer.receive_pdu(), pdu::encode_release_rp());
  EXPECT_EQ(server.archive.most_pending, 5);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 40 * 30ms);
}

TEST(Store, WithoutAWindowOneAtATime) {
  TestServer server;
  server.archive.commit_delay = 5ms;
  Peer peer(server.port());
  peer.associate();
  std::string wire;
  for (std::uint16_t i = 1; i <= 10; ++i)
    wire += Peer::message(3, Peer::store_request(i, "1.2." + std::to_string(i)), "ab");
  peer.send(wire);
  for (std::uint16_t i = 1; i <= 10; ++i) EXPECT_EQ(peer.response().message_id_being_responded_to, i);
  EXPECT_EQ(server.archive.most_pending, 1);
}

TEST(Store, OurClientStoresWithAndWithoutAWindow) {
  TestServer server;
  server.archive.commit_delay = 1ms;
  for (const std::uint16_t window : {std::uint16_t{1}, std::uint16_t{8}}) {
    std::vector<std::string> data;
    for (unsigned i = 0; i < 30; ++i) data.push_back(random_bytes(i % 3 == 0 ? 900000 : 2000, i));
    std::size_t next_index = 0, successes = 0, refused = 0;
    auto work = [](std::uint16_t port, std::uint16_t w, dimse::StoreClient::Next next,
                   dimse::StoreClient::Answered answered) -> asio::awaitable<void> {
      dimse::ClientOptions options;
      options.port = port;
      options.async_window = w;
      options.contexts = {{kCT, {kExplicit}}, {std::string(dicom::uids::kVerification), {"1.2.840.10008.1.2"}}};
      auto client = co_await dimse::StoreClient::open(options);
      EXPECT_TRUE(client.has_value());
      if (!client) co_return;
      EXPECT_EQ(client.value()->window(), w);
      const auto echo = co_await client.value()->echo();
      EXPECT_TRUE(echo && echo.value() == 0);
      const auto stored = co_await client.value()->store(std::move(next), std::move(answered));
      EXPECT_TRUE(stored.has_value());
      const auto released = co_await client.value()->release();
      EXPECT_TRUE(released.has_value());
    };
    auto next = [&]() -> std::optional<dimse::StoreObject> {
      if (next_index == data.size()) return std::nullopt;
      dimse::StoreObject object{kCT, "1.9." + std::to_string(next_index), kExplicit, as_bytes(data[next_index])};
      if (next_index == 7) object.transfer_syntax_uid = "1.2.840.10008.1.2.4.70";
      ++next_index;
      return object;
    };
    auto answered = [&](std::size_t index, const dicom::CommandSet& response) {
      response.status == 0 ? ++successes : ++refused;
      EXPECT_EQ(response.status != 0, index == 7);
    };
    server.run(work(server.port(), window, next, answered));
    EXPECT_EQ(successes, 29u);
    EXPECT_EQ(refused, 1u);
    for (std::size_t i = 0; i < data.size(); ++i) {
      const std::string uid = "1.9." + std::to_string(i);
      if (i != 7) EXPECT_EQ(server.archive.kept[uid].stream, part10(uid, data[i], "CAIRN_SCU"));
    }
    server.archive.kept.clear();
  }
}

archive::Match study(const std::string& uid, const std::string& id, const std::string& name) {
  archive::Match match;
  match.set_text(tags::PatientID, VR::LO, id);
  match.set_text(tags::PatientName, VR::PN, name);
  match.set_text(tags::StudyInstanceUID, VR::UI, uid);
  match.set_text(tags::StudyDate, VR::DA, "20240102");
  return match;
}

dicom::DataSet identifier(std::string_view level) {
  dicom::DataSet keys;
  keys.set_text(tags::QueryRetrieveLevel, VR::CS, level);
  keys.set_text(tags::PatientID, VR::LO, "");
  keys.set_text(tags::PatientName, VR::PN, "");
  keys.set_text(tags::StudyInstanceUID, VR::UI, "");
  keys.set_text(tags::AccessionNumber, VR::SH, "");
  return keys;
}

struct Found {
  std::vector<dicom::DataSet> matches;
  std::vector<std::uint16_t> statuses;
  std::uint16_t final_status = 0xffff;
};

Found find(TestServer& server, dicom::DataSet keys, std::size_t at_most = SIZE_MAX) {
  Found found;
  auto work = [](std::uint16_t port, dicom::DataSet k, Found* f, std::size_t most) -> asio::awaitable<void> {
    dimse::ClientOptions options;
    options.port = port;
    options.contexts = {{std::string(dicom::uids::kStudyRootFind), {"1.2.840.10008.1.2"}}};
    auto client = co_await dimse::StoreClient::open(options);
    EXPECT_TRUE(client.has_value());
    if (!client) co_return;
    const auto status = co_await client.value()->find(std::string(dicom::uids::kStudyRootFind), std::move(k),
                                                      [f, most](dicom::DataSet&& match, std::uint16_t s) {
                                                        f->matches.push_back(std::move(match));
                                                        f->statuses.push_back(s);
                                                        return f->matches.size() < most;
                                                      });
    EXPECT_TRUE(status.has_value());
    if (status) f->final_status = status.value();
    const auto released = co_await client.value()->release();
    EXPECT_TRUE(released.has_value());
  };
  server.run(work(server.port(), std::move(keys), &found, at_most));
  return found;
}

TEST(Find, ReturnsTheKeysAskedForAndNoOthers) {
  TestServer server;
  server.archive.matches = {study("1.2.1", "P1", "ONE"), study("1.2.2", "P2", "TWO")};
  auto keys = identifier("STUDY");
  keys.set_text(tags::StudyInstanceUID, VR::UI, "1.2.1\\1.2.2");
  const Found found = find(server, keys);
  EXPECT_EQ(found.final_status, 0);
  ASSERT_EQ(found.matches.size(), 2u);
  const dicom::DataSet& match = found.matches[1];
  EXPECT_EQ(match.text(tags::PatientID), "P2");
  EXPECT_EQ(match.text(tags::PatientName), "TWO");
  EXPECT_EQ(match.text(tags::QueryRetrieveLevel), "STUDY");
  EXPECT_EQ(match.text(tags::RetrieveAETitle), "CAIRN");
  EXPECT_EQ(match.text(tags::InstanceAvailability), "ONLINE");
  EXPECT_TRUE(match.contains(tags::AccessionNumber));
  EXPECT_FALSE(match.contains(tags::StudyDate));
  EXPECT_EQ(found.statuses[0], 0xff00);
  EXPECT_EQ(server.archive.last_query.study_uids, (std::vector<std::string>{"1.2.1", "1.2.2"}));
  EXPECT_EQ(server.archive.last_query.level, archive::Level::study);
}

TEST(Find, KeysReachTheArchiveByTheirKind) {
  TestServer server;
  server.archive.matches = {study("1.2.1", "P1", "ONE")};
  auto keys = identifier("STUDY");
  keys.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100");
  keys.set_text(tags::AccessionNumber, VR::SH, "A1\\A2");
  keys.set_text(tags::PatientName, VR::PN, "J\xc3\xb6*");
  keys.set_text(tags::PatientID, VR::LO, "AB*");
  keys.set_text(tags::Modality, VR::CS, "CT");
  keys.set_text(tags::StudyDescription, VR::LO, "*");
  const Found found = find(server, keys);
  ASSERT_EQ(found.statuses.size(), 1u);
  EXPECT_EQ(found.statuses[0], 0xff00);
  const archive::Query& query = server.archive.last_query;
  ASSERT_EQ(query.keys.size(), 4u);
  EXPECT_EQ(query.keys[0].values, (std::vector<std::string>{"A1", "A2"}));
  EXPECT_EQ(query.keys[1].tag, tags::ModalitiesInStudy);
  EXPECT_EQ(query.keys[2].values, (std::vector<std::string>{"J\xc3\xb6*"}));
  EXPECT_EQ(query.keys[3].tag, tags::PatientID);
  EXPECT_TRUE(query.patient_ids.empty());
}

TEST(Find, AnswersComeInACharacterSetThatTheRequestNamesOrInUtf8) {
  TestServer server;
  server.archive.matches = {study("1.2.1", "P1", "ONE"), study("1.2.2", "P2", "TWO")};
  auto keys = identifier("STUDY");
  keys.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100");
  for (auto& match : server.archive.matches) {
    const std::string name = &match == &server.archive.matches[0] ? "M\xc3\xbcller" : "\xe5\xb1\xb1\xe7\x94\xb0";
    match.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 192");
    match.set_text(tags::PatientName, VR::PN, name);
  }
  const Found found = find(server, keys);
  ASSERT_EQ(found.matches.size(), 2u);
  EXPECT_EQ(found.matches[0].text(tags::SpecificCharacterSet), "ISO_IR 100");
  EXPECT_EQ(found.matches[0].text(tags::PatientName), "M\xc3\xbcller");
  EXPECT_EQ(found.matches[1].text(tags::SpecificCharacterSet), "ISO_IR 192");
  EXPECT_EQ(found.matches[1].text(tags::PatientName), "\xe5\xb1\xb1\xe7\x94\xb0");
}

TEST(Find, ManyMatchesComeInPagesAndACancelEndsThem) {
  TestServer server;
  for (int i = 0; i < 3000; ++i) {
    server.archive.matches.push_back(study("1.2." + std::to_string(i), "P" + std::to_string(i), std::string(40, 'N')));
  }
  const Found all = find(server, identifier("STUDY"));
  ASSERT_EQ(all.matches.size(), 3000u);
  EXPECT_EQ(all.matches[2999].text(tags::PatientID), "P2999");
  EXPECT_GT(server.archive.find_calls, 1u);
  const Found some = find(server, identifier("STUDY"), 3);
  EXPECT_EQ(some.matches.size(), 3u);
  EXPECT_TRUE(some.final_status == 0xfe00 || some.final_status == 0) << some.final_status;
}

TEST(Find, WhatIsNegotiatedDecidesHowDatesAndNamesMatch) {
  TestServer server;
  server.archive.matches = {study("1.2.1", "P1", "ONE")};
  dicom::CommandSet request;
  request.command = dicom::CommandField::c_find_rq;
  request.affected_sop_class_uid = dicom::uids::kStudyRootFind;
  request.message_id = 5;
  request.data_set_type = 0;
  auto set = identifier("STUDY");
  set.set_text(tags::AccessionNumber, VR::SH, "\"\"");
  const std::string keys = set.encode({.explicit_vr = false});
  const struct {
    std::string asked, answered;
    bool combined, fuzzy;
    std::size_t keys = 0;  // of two quotation marks: to be matched only where that was negotiated
  } rows[] = {{{"\1\1\1\1\1\1\1\1", 8}, {"\1\1\1\0\0\1\0", 7}, true, true, 1},
              {{"\0\0\0\0\0\2", 6}, {"\0\0\0\0\0\0", 6}, false, false},
              {{"\1\1\1\1\1", 5}, {"\1\1\1\0\0", 5}, true, true},
              {{"\1\0\1", 3}, {"\1\0\1", 3}, false, true},
              {{"\0\1\0\0\0", 5}, {"\0\1\0\0\0", 5}, true, false},
              {{"\1", 1}, {"\1", 1}, false, false},
              {{"\2\2\2", 3}, {"\0\0\0", 3}, false, false},
              {"", "", false, false}};
  for (const auto& row : rows) {
    Peer peer(server.port());
    auto rq = Peer::request();
    rq.user.extended.push_back({std::string(dicom::uids::kStudyRootFind), row.asked});
    const auto ac = peer.associate(rq);
    ASSERT_EQ(ac.user.extended.size(), 1u);
    EXPECT_EQ(ac.user.extended[0].application_information, row.answered);
    peer.send(Peer::message(5, request, keys));
    EXPECT_EQ(peer.response().status, 0xff00);
    EXPECT_EQ(peer.response().status, 0);
    EXPECT_EQ(server.archive.last_query.combined_date_time, row.combined);
    EXPECT_EQ(server.archive.last_query.fuzzy, row.fuzzy);
    EXPECT_EQ(server.archive.last_query.keys.size(), row.keys);
  }
}

TEST(Find, MoreMatchesThanAllowedEndWithARefusal) {
  dimse::Options options;
  options.max_find_matches = 700;
  TestServer server(options);
  for (int i = 0; i < 700; ++i) server.archive.matches.push_back(study("1.2." + std::to_string(i), "P", "N"));
  EXPECT_EQ(find(server, identifier("STUDY")).final_status, 0) << "as many as allowed";
  server.archive.matches.push_back(study("1.3", "P", "N"));
  const Found found = find(server, identifier("STUDY"));
  EXPECT_EQ(found.matches.size(), 700u);
  EXPECT_EQ(found.final_status, 0xa700);
}

TEST(Find, AListThatIsTooLongIsRefusedAndNotCut) {
  std::string uids = "1.2.0";
  for (int i = 1; i < 70'000; ++i) uids += "\\1.2." + std::to_string(i);
  auto keys = identifier("STUDY");
  keys.set(dicom::Element{tags::StudyInstanceUID, VR::UI, uids, {}, {}});
  EXPECT_EQ(dimse::FindRequest::read(keys, dimse::QueryRoot::study).error(), Errc::limit_exceeded);
  keys = identifier("STUDY");
  keys.set(dicom::Element{tags::AccessionNumber, VR::SH, uids, {}, {}});
  EXPECT_EQ(dimse::FindRequest::read(keys, dimse::QueryRoot::study).error(), Errc::limit_exceeded);
  keys = identifier("STUDY");
  keys.set(dicom::Element{tags::StudyInstanceUID, VR::UI, std::string(70'000, '\\') + "1.2", {}, {}});
  EXPECT_EQ(dimse::FindRequest::read(keys, dimse::QueryRoot::study).error(), Errc::limit_exceeded) << "nor for all";
  keys = identifier("STUDY");
  dicom::Element sequence{tags::RequestAttributesSequence, VR::SQ, {}, {}, {}};
  sequence.items.emplace_back().set(dicom::Element{tags::ScheduledProcedureStepID, VR::SH, uids, {}, {}});
  keys.set(std::move(sequence));
  EXPECT_EQ(dimse::FindRequest::read(keys, dimse::QueryRoot::study).error(), Errc::limit_exceeded);
  keys.set(dicom::Element{tags::StudyInstanceUID, VR::UI, uids + '\\' + uids, {}, {}});
  EXPECT_EQ(dimse::RetrieveRequest::read(keys, false).error(), Errc::limit_exceeded);
}

TEST(Find, ManyKeysAreRefused) {
  TestServer server;
  auto keys = identifier("STUDY");
  for (std::uint16_t i = 0; i < 5000; ++i) keys.set(dicom::Element{{0x0021, i}, VR::LO, {}, {}, {}});
  EXPECT_EQ(find(server, keys).final_status, 0xc000);
}

TEST(Find, LongIdentifiersOfManyLeaveRoomForOthers) {
  TestServer server;
  server.archive.matches = {study("1.2.1", "P1", "ONE")};
  dicom::CommandSet request;
  request.command = dicom::CommandField::c_find_rq;
  request.affected_sop_class_uid = dicom::uids::kStudyRootFind;
  request.message_id = 5;
  request.data_set_type = 0;
  auto keys = identifier("STUDY");
  keys.set(dicom::Element{tags::StudyInstanceUID, VR::UI, std::string(15u << 20, '1'), {}, {}});
  const std::string wire = Peer::message(5, request, keys.encode({.explicit_vr = false}));
  std::vector<std::unique_ptr<Peer>> hogs;
  for (int i = 0; i < 8; ++i) {
    hogs.push_back(std::make_unique<Peer>(server.port()));
    hogs.back()->associate();
    hogs.back()->send(std::string_view(wire).substr(0, wire.size() - 100));
  }
  EXPECT_EQ(find(server, identifier("STUDY")).final_status, 0) << "a short one";
  const auto status = [](Peer& peer) {
    std::uint16_t answered = 0xff00;
    for (std::string data; answered == 0xff00; data.clear()) answered = peer.response(&data).status.value_or(1);
    return answered;
  };
  std::map<std::uint16_t, int> statuses;
  for (const auto& hog : hogs) {
    hog->send(std::string_view(wire).substr(wire.size() - 100));
    ++statuses[status(*hog)];
  }
  EXPECT_EQ(statuses.size(), 2u);
  EXPECT_GT(statuses[0xa700], 0) << "more than there is room for";
  hogs.front()->send(wire);
  EXPECT_NE(status(*hogs.front()), 0xa700) << "alone";
}

TEST(Find, ACancelBeforeTheFirstMatchIsHonoured) {
  TestServer server;
  for (int i = 0; i < 2000; ++i) server.archive.matches.push_back(study("1.2." + std::to_string(i), "P", "N"));
  Peer peer(server.port());
  peer.associate();
  dicom::CommandSet request, cancel;
  request.command = dicom::CommandField::c_find_rq;
  request.affected_sop_class_uid = dicom::uids::kStudyRootFind;
  request.message_id = 5;
  request.data_set_type = 0;
  cancel.command = dicom::CommandField::c_cancel_rq;
  cancel.message_id_being_responded_to = 5;
  peer.send(Peer::message(5, request, identifier("STUDY").encode({.explicit_vr = false})) + Peer::message(5, cancel));
  std::uint16_t status = 0xff00;
  int matches = 0;
  for (; status == 0xff00; ++matches) {
    std::string data;
    status = peer.response(&data).status.value_or(1);
  }
  EXPECT_EQ(status, 0xfe00);
  EXPECT_LT(matches, 10);
  EXPECT_TRUE(peer.alive());
}

TEST(Find, BadIdentifiersAreRefusedByName) {
  TestServer server;
  const Found level = find(server, identifier("NONSENSE"));
  EXPECT_EQ(level.final_status, 0xa900);
  EXPECT_EQ(find(server, identifier("PATIENT")).final_status, 0xa900);
  Peer peer(server.port());
  peer.associate();
  dicom::CommandSet request;
  request.command = dicom::CommandField::c_find_rq;
  request.message_id = 5;
  request.data_set_type = 0;
  peer.send(Peer::message(5, request, std::string("\x10\0\x20\0\xff\xff\0\0xx", 10)));
  EXPECT_EQ(peer.response().status, 0xc000);
  EXPECT_TRUE(peer.alive());
}

TEST(AccessList, NetworksContainTheirHosts) {
  const auto inside = [](const char* network, const char* host) {
    return Network::parse(network).value().contains(Network::parse(host).value());
  };
  EXPECT_TRUE(inside("10.1.0.0/16", "10.1.255.3"));
  EXPECT_FALSE(inside("10.1.0.0/16", "10.2.0.1"));
  EXPECT_TRUE(inside("10.1.2.3", "::ffff:10.1.2.3"));
  EXPECT_TRUE(inside("0.0.0.0/0", "8.8.8.8"));
  EXPECT_FALSE(inside("0.0.0.0/0", "fd00::1"));
  EXPECT_TRUE(inside("fd00::/9", "fd7f::1"));
  EXPECT_FALSE(inside("fd00::/9", "fd80::1"));
  EXPECT_FALSE(Network::parse("10.0.0.0/33"));
  EXPECT_FALSE(Network::parse("hospital"));
  EXPECT_FALSE(Network::parse(""));
}

}  // namespace
}  // namespace cairn::test
