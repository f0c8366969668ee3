// C-MOVE from one server to another, and to destinations that refuse, vanish and come back.
#include <random>

#include <gtest/gtest.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/tags.h"
#include "engine/dimse/mover.h"
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

dimse::Options to(std::uint16_t port, const std::function<void(dimse::Remote&)>& change = {}) {
  dimse::Remote remote;
  remote.ae_title = "DEST";
  remote.host = "127.0.0.1";
  remote.port = port;
  remote.retry_wait = 20ms;
  remote.connect = 2s;
  remote.answer = 5s;
  if (change) change(remote);
  dimse::Options options;
  options.remotes.push_back(remote);
  return options;
}

pdu::AssociateRQ request() {
  pdu::AssociateRQ rq = Peer::request();
  rq.contexts.resize(1);
  rq.contexts.push_back({3, std::string(dicom::uids::kStudyRootMove), {kImplicit}});
  rq.contexts.push_back({5, std::string(dicom::uids::kPatientRootMove), {kImplicit}});
  return rq;
}

std::string move_request(std::string destination, std::string_view value = "1.2.9", std::uint16_t message_id = 5) {
  CommandSet c;
  c.command = CommandField::c_move_rq;
  c.affected_sop_class_uid = dicom::uids::kStudyRootMove;
  c.message_id = message_id;
  c.move_destination = std::move(destination);
  c.priority = 0;
  c.data_set_type = 0;
  dicom::DataSet set;
  set.set_text(tags::QueryRetrieveLevel, VR::CS, "STUDY");
  set.set_text(tags::StudyInstanceUID, VR::UI, value);
  return Peer::message(3, c, set.encode({.explicit_vr = false}));
}

struct Moved {
  std::vector<CommandSet> pending;
  CommandSet final;
  std::string failed_uids;
};
Moved collect(Peer& peer, const std::function<void(std::size_t pending)>& each = {}) {
  Moved moved;
  for (;;) {
    std::string data;
    const CommandSet response = peer.response(&data);
    EXPECT_EQ(response.command, CommandField::c_move_rsp);
    if (response.status == 0xff00) {
      moved.pending.push_back(response);
      if (each) each(moved.pending.size());
      continue;
    }
    moved.final = response;
    if (!data.empty()) {
      const auto set = dicom::DataSet::parse(as_bytes(data), {.explicit_vr = false});
      EXPECT_TRUE(set.has_value());
      if (set) moved.failed_uids = set.value().text(tags::FailedSOPInstanceUIDList);
    }
    return moved;
  }
}

std::string data_of(std::size_t n, int seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::string out(n, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::string stream_of(const MemoryArchive::Object& o, std::string_view from) {
  return dicom::make_file_meta(o.instance.sop_class_uid, o.instance.sop_instance_uid, o.instance.transfer_syntax_uid,
                               from) +
         o.stream.substr(o.instance.data_set_offset);
}

TEST(Move, AStudyArrivesByteForByteWithRightCounts) {
  TestServer destination;
  TestServer server(to(destination.port()));
  for (int i = 0; i < 60; ++i) {
    server.archive.add(kCT, "1.3." + std::to_string(i), i % 3 == 0 ? kJPEG : i % 3 == 1 ? kExplicit : kImplicit,
                       data_of(i == 7 ? 25'000'000 : 40'000, i));
  }
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  const Moved moved = collect(peer);
  EXPECT_EQ(moved.final.status, 0);
  EXPECT_EQ(moved.final.completed, 60);
  EXPECT_EQ(moved.final.failed, 0);
  ASSERT_EQ(moved.pending.size(), 59u);
  for (std::size_t i = 0; i < 59; ++i) {
    EXPECT_EQ(moved.pending[i].completed, i + 1);
    EXPECT_EQ(moved.pending[i].remaining, 59 - i);
  }
  const std::lock_guard lock(destination.archive.mutex);
  ASSERT_EQ(destination.archive.kept.size(), 60u);
  for (const auto& [uid, object] : server.archive.objects) {
    EXPECT_TRUE(destination.archive.kept[uid].stream == stream_of(object, "CAIRN")) << uid;
  }
  EXPECT_LE(destination.server->stats().associations_total, 2u);
  EXPECT_EQ(server.server->stats().moves, 1u);
}

TEST(Move, UnknownDestinationsAndOurselvesAreRefused) {
  TestServer server(to(1));
  server.archive.add(kCT, "1.3.1", kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  for (const char* title : {"NOBODY", "CAIRN", ""}) {
    peer.send(move_request(title));
    const Moved moved = collect(peer);
    EXPECT_EQ(moved.final.status, 0xa801) << title;
    EXPECT_FALSE(moved.final.error_comment.empty());
  }
  EXPECT_TRUE(peer.alive());
}

TEST(Move, NothingFoundIsASuccessOfNone) {
  TestServer server(to(1));
  server.archive.add(kCT, "1.3.1", kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST", "1.9.9.9"));
  const Moved moved = collect(peer);
  EXPECT_EQ(moved.final.status, 0);
  EXPECT_EQ(moved.final.completed, 0);
}

TEST(Move, OneBadInstanceNeverEndsIt) {
  TestServer destination;
  TestServer server(to(destination.port()));
  for (int i = 0; i < 10; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, data_of(5000, i));
  server.archive.objects["1.3.4"].damage = fail(Errc::corrupt, "checksum of a part");
  destination.archive.fail_commit.insert({"1.3.6", fail(Errc::malformed, "value longer than its item")});
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  const Moved moved = collect(peer);
  EXPECT_EQ(moved.final.status, 0xb000);
  EXPECT_EQ(moved.final.completed, 8);
  EXPECT_EQ(moved.final.failed, 2);
  EXPECT_TRUE(moved.failed_uids == "1.3.4\\1.3.6" || moved.failed_uids == "1.3.6\\1.3.4") << moved.failed_uids;
}

TEST(Move, ADestinationThatIsAwayIsTriedAgainAndThenNamed) {
  std::uint16_t port = 0;
  { TestServer gone; port = gone.port(); }
  TestServer server(to(port, [](dimse::Remote& r) { r.retries = 2; }));
  for (int i = 0; i < 5; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  const auto began = std::chrono::steady_clock::now();
  peer.send(move_request("DEST"));
  const Moved moved = collect(peer);
  EXPECT_EQ(moved.final.status, 0xa702);
  EXPECT_EQ(moved.final.failed, 5);
  EXPECT_NE(moved.final.error_comment.find("nobody listens"), std::string::npos) << moved.final.error_comment;
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms + 40ms);
  EXPECT_TRUE(peer.alive());
}

TEST(Move, ARejectionForGoodIsNotRepeated) {
  dimse::Options strict;
  strict.callers = {{"SOMEBODY", {}, store::DuplicatePolicy::keep}};
  strict.ae_title = "DEST";
  TestServer destination(strict);
  TestServer server(to(destination.port(), [](dimse::Remote& r) { r.retries = 50, r.retry_wait = 10s; }));
  server.archive.add(kCT, "1.3.1", kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  EXPECT_EQ(collect(peer).final.status, 0xa702);
  EXPECT_EQ(destination.server->stats().rejected, 1u);
}

TEST(Move, OutOfResourcesIsRetriedLater) {
  TestServer destination;
  destination.archive.fail_commit.insert({"1.3.2", fail(Errc::out_of_space, "storage reserve")});
  TestServer server(to(destination.port(), [](dimse::Remote& r) { r.retries = 1, r.associations_per_move = 1; }));
  for (int i = 0; i < 4; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  const Moved moved = collect(peer);
  EXPECT_EQ(moved.final.completed, 3);
  EXPECT_EQ(moved.failed_uids, "1.3.2");
  EXPECT_EQ(destination.server->stats().stores[static_cast<std::size_t>(dimse::StoreAnswer::out_of_resources)], 2u);
}

// A destination that is scripted: accepts everything in the first syntax, and drops the connection when told.
class Sink {
 public:
  explicit Sink(std::function<bool(const CommandSet&, std::size_t index)> keep_on) : keep_on_(std::move(keep_on)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), length);
    ::listen(fd_, 16);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int c = 0; (c = ::accept(fd_, nullptr, nullptr)) >= 0;) serve(c);
    });
  }
  ~Sink() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::uint16_t port = 0;
  std::atomic<int> associations{0};
  std::vector<CommandSet> stores;  // read after the move

 private:
  static std::string receive(int c, std::size_t n) {
    std::string out(n, '\0');
    std::size_t at = 0;
    while (at < n) {
      const auto got = ::recv(c, out.data() + at, n - at, 0);
      if (got <= 0) return {};
      at += static_cast<std::size_t>(got);
    }
    return out;
  }
  void serve(int c) {
    ++associations;
    std::string command;
    for (;;) {
      std::string header = receive(c, 6);
      if (header.empty()) break;
      const std::string body = receive(c, pdu::read_header(as_bytes(header).data()).length);
      if (header[0] == 1) {
        const auto rq = pdu::decode_associate_rq(as_bytes(body)).value();
        pdu::AssociateAC ac;
        ac.called_ae = rq.called_ae, ac.calling_ae = rq.calling_ae, ac.application_context = rq.application_context;
        for (const auto& context : rq.contexts) {
          ac.contexts.push_back({context.id, pdu::ContextResult::acceptance, context.transfer_syntaxes[0]});
        }
        ac.user.max_length = 32768;
        ac.user.implementation_class_uid = "2.25.2";
        put(c, pdu::encode(ac));
      } else if (header[0] == 5) {
        put(c, pdu::encode_release_rp());
        break;
      } else if (header[0] == 4) {
        if ((body[5] & 1) != 0) command = body.substr(6);
        if ((body[5] & 3) != 2) continue;
        const auto rq = dicom::decode_command(as_bytes(command)).value();
        stores.push_back(rq);
        if (!keep_on_(rq, stores.size() - 1)) break;
        put(c, Peer::message(static_cast<std::uint8_t>(body[4]), dicom::make_response(rq, 0)));
      } else {
        break;
      }
    }
    ::close(c);
  }
  static void put(int c, const std::string& bytes) { (void)::send(c, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  std::function<bool(const CommandSet&, std::size_t)> keep_on_;
  int fd_ = -1;
  std::thread thread_;
};

TEST(Move, AnAssociationThatBreaksIsOpenedAgainAndNothingIsLost) {
  Sink sink([](const CommandSet&, std::size_t index) { return index % 7 != 3; });
  TestServer server(to(sink.port, [](dimse::Remote& r) { r.associations_per_move = 1; }));
  for (int i = 100; i < 130; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, data_of(3000, i));
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST", "1.2.9", 77));
  const Moved moved = collect(peer);
  EXPECT_EQ(moved.final.status, 0) << moved.final.error_comment;
  EXPECT_EQ(moved.final.completed, 30);
  EXPECT_GT(sink.associations, 4);
  std::set<std::string> seen;
  for (const CommandSet& rq : sink.stores) {
    seen.insert(rq.affected_sop_instance_uid);
    EXPECT_EQ(rq.move_originator_ae, "PEER");
    EXPECT_EQ(rq.move_originator_message_id, 77);
  }
  EXPECT_EQ(seen.size(), 30u);
}

TEST(Move, ACancelEndsItAndTellsWhatRemains) {
  Sink sink([](const CommandSet&, std::size_t) {
    std::this_thread::sleep_for(5ms);
    return true;
  });
  TestServer server(to(sink.port, [](dimse::Remote& r) { r.associations_per_move = 1; }));
  for (int i = 1000; i < 1400; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  CommandSet cancel;
  cancel.command = CommandField::c_cancel_rq;
  cancel.message_id_being_responded_to = 5;
  const Moved moved = collect(peer, [&](std::size_t pending) {
    if (pending == 3) peer.send(Peer::message(3, cancel));
  });
  EXPECT_EQ(moved.final.status, 0xfe00);
  EXPECT_LT(*moved.final.completed, 20);
  EXPECT_EQ(*moved.final.completed + *moved.final.remaining, 400);
  EXPECT_TRUE(peer.alive());
}

TEST(Move, ACancelEndsADestinationThatHangs) {
  std::atomic<bool> let_go{false};
  Sink sink([&](const CommandSet&, std::size_t) {
    for (int i = 0; i < 1000 && !let_go; ++i) std::this_thread::sleep_for(10ms);
    return false;
  });
  TestServer server(to(sink.port, [](dimse::Remote& r) { r.answer = 60s; }));
  server.archive.add(kCT, "1.3.1", kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  std::this_thread::sleep_for(200ms);
  CommandSet cancel;
  cancel.command = CommandField::c_cancel_rq;
  cancel.message_id_being_responded_to = 5;
  peer.send(Peer::message(3, cancel));
  const Moved moved = collect(peer);
  let_go = true;
  EXPECT_EQ(moved.final.status, 0xfe00);
  EXPECT_EQ(moved.final.remaining, 1);
}

TEST(Move, TheRequesterIsServedMeanwhileAndMayRunSeveral) {
  TestServer destination;
  destination.archive.commit_delay = 3ms;
  TestServer server(to(destination.port(), [](dimse::Remote& r) { r.max_associations = 1; }));
  for (int i = 0; i < 40; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST", "1.2.9", 5) + move_request("DEST", "1.2.9", 6) +
            Peer::message(1, Peer::echo_request(9)));
  std::set<int> finished;
  bool echoed = false;
  while (finished.size() < 2 || !echoed) {
    const CommandSet r = peer.response();
    if (!r.status) break;
    if (r.command == CommandField::c_echo_rsp) echoed = true;
    if (r.command == CommandField::c_move_rsp && r.status != 0xff00) {
      EXPECT_EQ(r.status, 0);
      EXPECT_EQ(r.completed, 40);
      finished.insert(*r.message_id_being_responded_to);
    }
  }
  EXPECT_TRUE(echoed);
  EXPECT_EQ(finished.size(), 2u);
}

void requester_vanishes(bool outlives, bool aborts, bool expect_all) {
  TestServer destination;
  destination.archive.commit_delay = 5ms;
  auto options = to(destination.port(), [](dimse::Remote& r) { r.associations_per_move = 1; });
  options.moves_outlive_requester = outlives;
  TestServer server(options);
  for (int i = 0; i < 60; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  peer.response();
  if (aborts) peer.send(pdu::encode(pdu::Abort{0, 0}));
  peer.close();
  for (int i = 0; i < 300 && server.server->stats().connections_open > 0; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(server.server->stats().connections_open, 0u);
  EXPECT_EQ(destination.archive.commits == 60, expect_all) << destination.archive.commits;
}

TEST(Move, GoesOnWhenTheRequesterIsLost) {
  requester_vanishes(true, false, true);
}
TEST(Move, StopsWhenTheRequesterIsLostIfConfiguredSo) {
  requester_vanishes(false, false, false);
}
TEST(Move, StopsWhenTheRequesterAborts) {
  requester_vanishes(true, true, false);
}

TEST(Move, TheServerStopsInTheMiddleOfOne) {
  TestServer destination;
  destination.archive.commit_delay = 20ms;
  TestServer server(to(destination.port()));
  for (int i = 0; i < 500; ++i) server.archive.add(kCT, "1.3." + std::to_string(i), kExplicit, "data");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  peer.response();
  const auto began = std::chrono::steady_clock::now();
  server.server->stop(5s);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST(Move, RecodesForADestinationThatTakesImplicitOnly) {
  std::string got;
  TestServer destination;
  TestServer server(to(destination.port(), [](dimse::Remote& r) { r.transfer_syntaxes = {kImplicit}; }));
  dicom::DataSet set;
  set.set_text(tags::SOPInstanceUID, VR::UI, "1.3.1");
  set.set_us(tags::Rows, 7);
  server.archive.add(kCT, "1.3.1", kExplicit, set.encode({}));
  server.archive.add(kCT, "1.3.2", kJPEG, "compressed");
  Peer peer(server.port());
  peer.associate(request());
  peer.send(move_request("DEST"));
  EXPECT_EQ(collect(peer).final.completed, 2);
  const std::lock_guard lock(destination.archive.mutex);
  EXPECT_EQ(destination.archive.kept["1.3.1"].stream,
            dicom::make_file_meta(kCT, "1.3.1", kImplicit, "CAIRN") + set.encode({.explicit_vr = false}));
  EXPECT_EQ(destination.archive.kept["1.3.2"].announced.transfer_syntax_uid, kJPEG);
}

TEST(Move, ProposalsFitAnAssociation) {
  std::map<std::string, std::set<std::string>> syntaxes;
  for (int i = 0; i < 30; ++i) syntaxes["1.2." + std::to_string(i)] = {kExplicit, kJPEG};
  EXPECT_EQ(dimse::proposals_for(syntaxes, {kExplicit, kImplicit}).size(), 90u);
  for (int i = 0; i < 60; ++i) syntaxes["1.2." + std::to_string(i)] = {kImplicit, kJPEG};
  const auto together = dimse::proposals_for(syntaxes, {kExplicit, kImplicit});
  EXPECT_EQ(together.size(), 60u);
  EXPECT_EQ(together[0].transfer_syntaxes, (std::vector<std::string>{kExplicit, kImplicit, kJPEG}));
  for (int i = 0; i < 200; ++i) syntaxes["1.2." + std::to_string(i)] = {kJPEG};
  EXPECT_EQ(dimse::proposals_for(syntaxes, {kExplicit}).size(), 128u);
}

}  // namespace
}  // namespace cairn::test
