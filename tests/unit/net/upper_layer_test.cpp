#include "engine/net/upper_layer.h"

#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "engine/dicom/sop_classes.h"

namespace cairn::net {
namespace {

namespace pdu = dicom::pdu;

pdu::AssociateRQ request() {
  pdu::AssociateRQ rq;
  rq.called_ae = "CAIRN";
  rq.calling_ae = "TEST";
  rq.application_context = dicom::uids::kApplicationContext;
  rq.contexts.push_back({1, "1.2.840.10008.1.1", {"1.2.840.10008.1.2"}});
  return rq;
}

pdu::AssociateAC acceptance() {
  pdu::AssociateAC ac;
  ac.application_context = dicom::uids::kApplicationContext;
  ac.contexts.push_back({1, pdu::ContextResult::acceptance, "1.2.840.10008.1.2"});
  return ac;
}

// An acceptor whose input is handed over in the given pieces; writes down what it indicates.
struct Acceptor {
  UpperLayer layer{Role::acceptor, {.associate_bytes = kMaxAssociateBytes, .p_data_bytes = 1024}};
  std::string trace, payload;
  std::string output() { return std::exchange(layer.output(), {}); }

  Acceptor() { layer.transport_connected(); }

  void feed(std::string_view bytes) {
    Bytes in = as_bytes(bytes);
    for (;;) {
      if (layer.payload_remaining() != 0) {
        const auto n = std::min<std::size_t>(layer.payload_remaining(), in.size());
        payload += as_text(in.first(n));
        layer.payload_taken(n);
        in = in.subspan(n);
        if (layer.payload_remaining() != 0) return;
      }
      switch (layer.receive(in)) {
        case Indication::more:
          return;
        case Indication::associate_rq:
          trace += "RQ ";
          layer.accept(acceptance());
          break;
        case Indication::fragment:
          trace += layer.fragment().last ? "last " : "fragment ";
          break;
        case Indication::release_rq:
          trace += "release ";
          layer.release_response();
          break;
        case Indication::abort:
          trace += "abort ";
          return;
        case Indication::provider_abort:
          trace += "fault ";
          break;
        case Indication::refused:
          trace += "refused ";
          break;
        case Indication::finished:
          trace += "finished ";
          return;
        default:
          trace += "? ";
          return;
      }
    }
  }
};

std::string established(Acceptor& a) {
  a.feed(pdu::encode(request()));
  return a.output();
}

std::string header(int type, std::uint32_t length) {
  std::string h(6, '\0');
  h[0] = static_cast<char>(type);
  store_be(reinterpret_cast<std::byte*>(h.data()) + 2, length);
  return h;
}

const std::string kAbortUnrecognized = pdu::encode(pdu::Abort{2, 1});
const std::string kAbortUnexpected = pdu::encode(pdu::Abort{2, 2});
const std::string kAbortInvalid = pdu::encode(pdu::Abort{2, 6});
const std::string kAbortUser = pdu::encode(pdu::Abort{0, 0});

TEST(UpperLayer, AnyChunkingOfAConversationGivesTheSameIndications) {
  std::mt19937 random(42);
  std::string data(3000, '\0');
  for (char& c : data) c = static_cast<char>(random());
  std::string wire = pdu::encode(request());
  pdu::append_p_data(wire, 1, true, as_bytes(std::string_view("command")), 0);
  pdu::append_p_data(wire, 1, false, as_bytes(data), 1024);
  // Two PDVs in one PDU, the second empty.
  wire += header(4, 8 + 6) + std::string("\0\0\0\4\1\1xy", 8) + std::string("\0\0\0\2\1\3", 6);
  wire += pdu::encode_release_rq();

  Acceptor whole;
  whole.feed(wire);
  const std::string output = whole.output();
  EXPECT_EQ(whole.trace, "RQ last fragment fragment last fragment last release ");
  EXPECT_EQ(whole.payload, "command" + data + "xy");
  EXPECT_EQ(output, pdu::encode(acceptance()) + pdu::encode_release_rp());
  EXPECT_EQ(whole.layer.state(), State::Sta13);

  for (int round = 0; round < 300; ++round) {
    Acceptor pieces;
    for (std::size_t at = 0; at < wire.size();) {
      const std::size_t n = round == 0 ? 1 : 1 + random() % (round % 2 == 0 ? 9 : 700);
      pieces.feed(std::string_view(wire).substr(at, n));
      at += n;
    }
    ASSERT_EQ(pieces.trace, whole.trace) << "round " << round;
    ASSERT_EQ(pieces.payload, whole.payload);
    ASSERT_EQ(pieces.output(), output);
  }
}

TEST(UpperLayer, UnrecognizedPDUIsAbortedByTheProviderWithReason1) {
  Acceptor a;
  established(a);
  a.feed(header(0x42, 4) + "abcd");
  EXPECT_EQ(a.output(), kAbortUnrecognized);
  EXPECT_EQ(a.layer.state(), State::Sta13);
  EXPECT_TRUE(a.layer.artim_running());
}

TEST(UpperLayer, UnexpectedPDUIsAbortedByTheProviderWithReason2) {
  Acceptor a;
  established(a);
  a.feed(pdu::encode(request()));
  EXPECT_EQ(a.output(), kAbortUnexpected);
  Acceptor b;
  established(b);
  b.feed(pdu::encode_release_rp());
  EXPECT_EQ(b.output(), kAbortUnexpected);
}

TEST(UpperLayer, BeforeTheRequestTheTableAbortsAsTheUser) {
  for (const std::string& first : {header(4, 100), pdu::encode_release_rq(), pdu::encode_release_rp(), header(0xff, 0),
                                   header(1, 0xffffffff), header(1, 10) + std::string(10, 'x')}) {
    Acceptor a;
    a.feed(first);
    EXPECT_EQ(a.output(), kAbortUser);
    EXPECT_EQ(a.layer.state(), State::Sta13);
  }
}

TEST(UpperLayer, InvalidParametersAreAbortedWithReason6) {
  const std::string pdv_longer_than_its_pdu = header(4, 20) + std::string("\0\0\0\x20\1\3", 6);
  const std::string pdv_header_cut = header(4, 4) + "\1\2\3\4";
  const std::string pdv_length_one = header(4, 20) + std::string("\0\0\0\1\1\3", 6);
  for (const std::string& bad : {pdv_longer_than_its_pdu, pdv_header_cut, pdv_length_one, header(4, 0), header(4, 1025),
                                 header(4, 0xffffffff), header(5, 5), header(7, 0)}) {
    Acceptor a;
    established(a);
    a.feed(bad);
    EXPECT_EQ(a.output(), kAbortInvalid);
    EXPECT_EQ(a.layer.state(), State::Sta13);
  }
}

TEST(UpperLayer, ARequestOfFourGiBAllocatesNothing) {
  Acceptor a;
  a.feed(header(1, 0xfffffff0));
  EXPECT_EQ(a.layer.state(), State::Sta13);
  EXPECT_TRUE(a.layer.fault() == Errc::limit_exceeded);
  // The rest streams by.
  a.feed(std::string(1 << 20, 'x'));
  EXPECT_EQ(a.layer.state(), State::Sta13);
}

TEST(UpperLayer, OtherProtocolVersionsAreRejectedByTheProvider) {
  pdu::AssociateRQ rq = request();
  rq.protocol_version = 2;
  Acceptor a;
  a.feed(pdu::encode(rq));
  EXPECT_EQ(a.trace, "refused ");
  EXPECT_EQ(a.output(), pdu::encode(pdu::AssociateRJ{1, 2, 2}));
  EXPECT_EQ(a.layer.state(), State::Sta13);
}

TEST(UpperLayer, AfterTheEndItIgnoresDataAndAnswersRequestsOnce) {
  Acceptor a;
  established(a);
  a.feed(pdu::encode_release_rq());
  a.output();
  a.feed(header(4, 100) + std::string(100, 'x'));
  EXPECT_EQ(a.output(), "");
  for (int i = 0; i < 1000; ++i) a.feed(pdu::encode(request()));
  EXPECT_EQ(a.output(), kAbortUnexpected);
  a.feed(pdu::encode(pdu::Abort{0, 0}));
  EXPECT_EQ(a.layer.state(), State::Sta1);
}

TEST(UpperLayer, ARTIMEndsASilentConnection) {
  Acceptor a;
  EXPECT_TRUE(a.layer.artim_running());
  EXPECT_EQ(a.layer.artim_expired(), Indication::finished);
  EXPECT_EQ(a.layer.state(), State::Sta1);
  EXPECT_EQ(a.output(), "");
}

TEST(UpperLayer, ALocalAbortInsideAFragmentDropsTheRestOfIt) {
  Acceptor a;
  established(a);
  a.feed(header(4, 106) + std::string("\0\0\0\x66\1\0", 6) + "begin");
  EXPECT_EQ(a.layer.payload_remaining(), 95u);
  EXPECT_TRUE(a.layer.abort());
  EXPECT_EQ(a.output(), kAbortUser);
  EXPECT_EQ(a.layer.payload_remaining(), 0u);
  a.feed(std::string(95, 'x') + pdu::encode(pdu::Abort{2, 0}));
  EXPECT_EQ(a.layer.state(), State::Sta1);
}

TEST(UpperLayer, ReleaseCollisionAsAcceptor) {
  Acceptor a;
  established(a);
  EXPECT_TRUE(a.layer.release_request());
  EXPECT_EQ(a.output(), pdu::encode_release_rq());
  const std::string rq = pdu::encode_release_rq();
  Bytes in = as_bytes(rq);
  EXPECT_EQ(a.layer.receive(in), Indication::release_rq);
  EXPECT_EQ(a.layer.state(), State::Sta10);
  EXPECT_FALSE(a.layer.release_response());
  const std::string rp = pdu::encode_release_rp();
  in = as_bytes(rp);
  EXPECT_EQ(a.layer.receive(in), Indication::release_rp);
  EXPECT_EQ(a.layer.state(), State::Sta12);
  EXPECT_TRUE(a.layer.release_response());
  EXPECT_EQ(a.output(), pdu::encode_release_rp());
  EXPECT_EQ(a.layer.state(), State::Sta13);
}

TEST(UpperLayer, ReleaseCollisionAsRequestor) {
  UpperLayer layer(Role::requestor, {});
  EXPECT_TRUE(layer.associate_request(request()));
  layer.transport_connected();
  EXPECT_EQ(layer.output(), pdu::encode(request()));
  const std::string ac = pdu::encode(acceptance());
  Bytes in = as_bytes(ac);
  EXPECT_EQ(layer.receive(in), Indication::associate_ac);
  EXPECT_TRUE(layer.p_data_request());
  EXPECT_TRUE(layer.release_request());
  EXPECT_FALSE(layer.p_data_request());
  const std::string rq = pdu::encode_release_rq();
  in = as_bytes(rq);
  EXPECT_EQ(layer.receive(in), Indication::release_rq);
  EXPECT_TRUE(layer.release_response());
  EXPECT_EQ(layer.state(), State::Sta11);
  const std::string rp = pdu::encode_release_rp();
  in = as_bytes(rp);
  EXPECT_EQ(layer.receive(in), Indication::release_rp);
  EXPECT_EQ(layer.state(), State::Sta1);
}

}  // namespace
}  // namespace cairn::net
