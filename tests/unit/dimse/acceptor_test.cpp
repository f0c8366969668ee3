// The acceptor over a real socket: bytes in, bytes out.
#include <random>

#include <gtest/gtest.h>

#include "engine/core/log.h"
#include "tests/unit/dimse/test_server.h"

namespace cairn::test {
namespace {

using namespace std::chrono_literals;
namespace pdu = dicom::pdu;

std::string abort_pdu(int source, int reason) {
  return pdu::encode(pdu::Abort{static_cast<std::uint8_t>(source), static_cast<std::uint8_t>(reason)});
}

TEST(Acceptor, EchoAndRelease) {
  TestServer server;
  Peer peer(server.port());
  const auto ac = peer.associate();
  ASSERT_EQ(ac.contexts.size(), 3u);
  for (const auto& context : ac.contexts) EXPECT_EQ(context.result, pdu::ContextResult::acceptance);
  EXPECT_EQ(ac.user.max_length, 256u << 10);
  EXPECT_TRUE(peer.alive());
  peer.send(pdu::encode_release_rq());
  EXPECT_EQ(peer.receive_pdu(), pdu::encode_release_rp());
}

TEST(Acceptor, RejectsForTheReasonThatApplies) {
  dimse::Options options;
  options.callers = {{"CT1", {"127.0.0.0/8"}, store::DuplicatePolicy::keep},
                     {"FAR", {"10.0.0.0/8"}, store::DuplicatePolicy::keep}};
  TestServer server(options);
  const auto answer = [&](std::string calling, std::string called, std::string context) {
    Peer peer(server.port());
    auto rq = Peer::request();
    rq.calling_ae = calling;
    rq.called_ae = called;
    rq.application_context = context;
    peer.send(pdu::encode(rq));
    return peer.receive_pdu();
  };
  const std::string context(dicom::uids::kApplicationContext);
  EXPECT_EQ(answer("CT1", "WRONG", context), pdu::encode(pdu::AssociateRJ{1, 1, 7}));
  EXPECT_EQ(answer("XX", "CAIRN", context), pdu::encode(pdu::AssociateRJ{1, 1, 3}));
  EXPECT_EQ(answer("FAR", "CAIRN", context), pdu::encode(pdu::AssociateRJ{1, 1, 3}));
  EXPECT_EQ(answer("CT1", "CAIRN", "1.2.3"), pdu::encode(pdu::AssociateRJ{1, 1, 2}));
  EXPECT_EQ(answer("CT1", "CAIRN", context)[0], 2);
  EXPECT_EQ(server.server->stats().rejected, 4u);
}

TEST(Acceptor, RejectsPastTheLimitAndRecovers) {
  dimse::Options options;
  options.max_associations = 2;
  TestServer server(options);
  Peer a(server.port());
  a.associate();
  {
    Peer b(server.port());
    b.associate();
    Peer c(server.port());
    c.send(pdu::encode(Peer::request()));
    EXPECT_EQ(c.receive_pdu(), pdu::encode(pdu::AssociateRJ{2, 3, 2}));
    b.send(pdu::encode_release_rq());
    b.receive_pdu();
  }
  for (int i = 0; i < 100 && server.server->stats().associations_open > 1; ++i) std::this_thread::sleep_for(10ms);
  Peer d(server.port());
  d.associate();
  EXPECT_TRUE(d.alive());
  EXPECT_TRUE(a.alive());
}

TEST(Acceptor, AbortsWithSourceAndReason) {
  TestServer server;
  struct Case {
    std::string bytes, answer;
  };
  const std::string big_command = Peer::message(1, Peer::echo_request(1));
  std::string unknown_context = big_command, data_first = big_command;
  unknown_context[10] = 77;
  data_first[11] = 2;
  const Case cases[] = {
      {std::string("\x42\0\0\0\0\0", 6), abort_pdu(2, 1)},
      {pdu::encode(Peer::request()), abort_pdu(2, 2)},
      {pdu::encode_release_rp(), abort_pdu(2, 2)},
      {std::string("\4\0\0\0\0\x0a\0\0\0\x20\1\3abcd", 16), abort_pdu(2, 6)},
      {std::string("\4\0\xff\xff\xff\xf0", 6), abort_pdu(2, 6)},
      {unknown_context, abort_pdu(2, 6)},
      {data_first, abort_pdu(2, 5)},
  };
  for (const Case& c : cases) {
    Peer peer(server.port());
    peer.associate();
    peer.send(c.bytes);
    EXPECT_EQ(peer.receive_pdu(), c.answer) << log::escaped(c.bytes);
  }
  Peer before(server.port());
  before.send(std::string("\1\0\xff\xff\xff\xf0", 6));
  EXPECT_EQ(before.receive_pdu(), abort_pdu(0, 0));
}

TEST(Acceptor, ACommandSetPastItsLimitIsAborted) {
  TestServer server;
  Peer peer(server.port());
  peer.associate();
  const std::string fragment(16000, '\0');
  for (int i = 0; i < 5; ++i) {
    std::string wire(12, '\0');
    pdu::write_p_data_header(reinterpret_cast<std::byte*>(wire.data()), 1, true, false, 16000);
    peer.send(wire + fragment);
  }
  EXPECT_EQ(peer.receive_pdu(), abort_pdu(2, 6));
}

TEST(Acceptor, ARequestThatNeverComesIsEndedByARTIM) {
  dimse::Options options;
  options.artim = 200ms;
  TestServer server(options);
  Peer silent(server.port()), slow(server.port());
  slow.send(pdu::encode(Peer::request()).substr(0, 50));
  EXPECT_TRUE(silent.closed_by_peer(3000));
  EXPECT_TRUE(slow.closed_by_peer(3000));
}

TEST(Acceptor, ASenderThatStopsInMidPDUIsAborted) {
  dimse::Options options;
  options.stall = 300ms;
  TestServer server(options);
  Peer other(server.port());
  other.associate();
  Peer peer(server.port());
  peer.associate();
  const std::string wire = Peer::message(3, Peer::store_request(1, "1.2.3"), std::string(5000, 'x'));
  peer.send(wire.substr(0, wire.size() - 1000));
  EXPECT_EQ(peer.receive_pdu(), abort_pdu(0, 0));
  EXPECT_TRUE(other.alive());
}

// Wherever it stops, in a PDU or after a whole one, the archive is asked to give up the memory held for it.
TEST(Acceptor, MemoryOfAStoreThatStopsIsGivenUp) {
  for (const std::size_t cut : {std::size_t{1000}, std::size_t{0}}) {
    TestServer server;
    Peer peer(server.port());
    peer.associate();
    const std::string fragments = Peer::message(3, Peer::store_request(1, "1.2.3"), std::string(40'000, 'x'), 10'000);
    std::string last;
    pdu::append_p_data(last, 3, false, as_bytes(std::string(40'000 % (10'000 - 6), 'x')), 10'000);
    peer.send(fragments.substr(0, fragments.size() - last.size() - cut));  // and the last fragment never comes
    for (int i = 0; i < 100 && server.archive.open_receivers == 0; ++i) std::this_thread::sleep_for(10ms);
    std::this_thread::sleep_for(100ms);
    const int before = server.archive.relieved;
    for (int i = 0; i < 200 && server.archive.relieved < before + 2; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_GE(server.archive.relieved, before + 2) << "cut by " << cut;
    EXPECT_EQ(server.archive.open_receivers, 1);
  }
}

TEST(Acceptor, AnIdleAssociationIsAborted) {
  dimse::Options options;
  options.idle = 200ms;
  TestServer server(options);
  Peer peer(server.port());
  peer.associate();
  EXPECT_EQ(peer.receive_pdu(), abort_pdu(0, 0));
}

TEST(Acceptor, HalfOpenConnectionsMakeRoomForRealOnes) {
  dimse::Options options;
  options.max_setups = 16;
  TestServer server(options);
  Peer established(server.port());
  established.associate();
  std::vector<std::unique_ptr<Peer>> flood;
  for (int i = 0; i < 300; ++i) {
    flood.push_back(std::make_unique<Peer>(server.port()));
    flood.back()->send(std::string("\1\0\0\1\0\0half", 10));
  }
  Peer real(server.port());
  real.associate();
  EXPECT_TRUE(real.alive());
  EXPECT_TRUE(established.alive());
  for (int i = 0; i < 200 && server.server->stats().connections_open > 20; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_LE(server.server->stats().connections_open, 20u);
  EXPECT_GE(server.server->stats().evicted, 280u);
}

TEST(Acceptor, APeerThatReadsNoAnswersIsReadNoFurther) {
  dimse::Options options;
  options.stall = 500ms;
  TestServer server(options);
  Peer peer(server.port());
  peer.associate();
  // Far more answers than the sockets hold; the server must stop reading, then give up, and never grow.
  std::string echoes;
  for (int i = 0; i < 100; ++i) echoes += Peer::message(1, Peer::echo_request(1));
  std::thread sender([&] {
    for (int i = 0; i < 4000; ++i) peer.send(echoes);
  });
  sender.join();
  for (int i = 0; i < 500 && server.server->stats().associations_open != 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server.server->stats().associations_open, 0u);
}

TEST(Acceptor, NegotiatesRolesWindowAndIdentity) {
  TestServer server;
  Peer peer(server.port());
  auto rq = Peer::request();
  rq.user.asynchronous_window = pdu::AsynchronousWindow{0, 0};
  rq.user.roles.push_back({std::string(dicom::uids::kCTImageStorage), true, true});
  rq.user.roles.push_back({"1.9.9", true, true});
  rq.user.extended.push_back({std::string(dicom::uids::kCTImageStorage), std::string("\2\0\0\0\1\0", 6)});
  rq.user.user_identity = pdu::UserIdentity{3, true, "ticket", ""};
  rq.contexts.push_back({7, "1.2.840.10008.5.1.4.31", {"1.2.840.10008.1.2"}});
  rq.contexts.push_back({9, "1.2.826.0.1.77", {"1.2.9.9", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2"}});
  rq.contexts.push_back({11, "1.2.840.10008.5.1.4.1.1.4", {"1.2.9.9"}});
  const auto ac = peer.associate(rq);
  ASSERT_EQ(ac.contexts.size(), 6u);
  EXPECT_EQ(ac.contexts[3].result, pdu::ContextResult::abstract_syntax_not_supported);
  EXPECT_EQ(ac.contexts[4].result, pdu::ContextResult::acceptance);
  EXPECT_EQ(ac.contexts[4].transfer_syntax, "1.2.840.10008.1.2.4.70");
  EXPECT_EQ(ac.contexts[5].result, pdu::ContextResult::transfer_syntaxes_not_supported);
  EXPECT_EQ(ac.user.asynchronous_window->invoked, 16);
  EXPECT_EQ(ac.user.asynchronous_window->performed, 1);
  ASSERT_EQ(ac.user.roles.size(), 1u);
  EXPECT_TRUE(ac.user.roles[0].scu);
  EXPECT_TRUE(ac.user.roles[0].scp);  // of storage, for C-GET
  ASSERT_EQ(ac.user.extended.size(), 1u);
  EXPECT_EQ(ac.user.extended[0].application_information, std::string("\2\0\3\0\0\0", 6));
  EXPECT_EQ(ac.user.user_identity_response, "");
}

TEST(Acceptor, OffLoopbackTheConfigurationMustSayWho) {
  MemoryArchive archive;
  io::WorkerPool pool(1, "test");
  asio::io_context reactor;
  dimse::Options options;
  options.address = "0.0.0.0";
  options.port = 0;
  const auto refused = dimse::Server::start(options, archive, pool, {&reactor});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error() == Errc::missing);
}

TEST(Acceptor, StopEndsIdleAssociationsAndRefusesNewOnes) {
  TestServer server;
  Peer peer(server.port());
  peer.associate();
  EXPECT_TRUE(peer.alive());
  server.server->stop(2s);
  EXPECT_EQ(peer.receive_pdu(), abort_pdu(0, 0));
  EXPECT_FALSE(Peer(server.port()).connected);
}

TEST(Acceptor, RandomBytesNeverDisturbOthers) {
  TestServer server;
  Peer good(server.port());
  good.associate();
  std::mt19937 random(99);
  for (int round = 0; round < 200; ++round) {
    Peer peer(server.port());
    if (round % 2 == 0) peer.associate();
    std::string bytes = round % 3 == 0 ? Peer::message(3, Peer::store_request(1, "1.2"), std::string(400, 'x'))
                                       : std::string(random() % 300, '\0');
    for (std::size_t i = 0; i < bytes.size(); i += 1 + random() % 40) bytes[i] = static_cast<char>(random());
    if (round % 5 == 0 && !bytes.empty()) bytes[0] = static_cast<char>(random() % 8);
    peer.send(bytes);
  }
  EXPECT_TRUE(good.alive());
}

}  // namespace
}  // namespace cairn::test
