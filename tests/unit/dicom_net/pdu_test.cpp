#include "engine/dicom/pdu.h"

#include <random>

#include <gtest/gtest.h>

namespace cairn::dicom::pdu {
namespace {

// Hexadecimal digits to bytes; from # to the end of a line is a comment.
std::string bytes_of(std::string_view text) {
  std::string out, digits;
  bool comment = false;
  for (const char c : text) {
    if (c == '#') comment = true;
    if (c == '\n') comment = false;
    if (!comment && std::isxdigit(static_cast<unsigned char>(c))) digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return out;
}

Bytes body(const std::string& pdu) {
  return as_bytes(pdu).subspan(kHeaderBytes);
}

// Written by hand from PS3.8 §9.3.2: a verification request as DCMTK's echoscu makes it.
const char* const kVerificationRQ = R"(
  01 00 000000cd                                     # A-ASSOCIATE-RQ, 205 bytes
  0001 0000                                          # protocol version 1
  4341 4952 4e20 2020 2020 2020 2020 2020            # called "CAIRN"
  4543 484f 5343 5520 2020 2020 2020 2020            # calling "ECHOSCU"
  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
  10 00 0015 312e322e3834302e31303030382e332e312e312e31          # 1.2.840.10008.3.1.1.1
  20 00 002e 01 00 00 00                                         # presentation context 1
     30 00 0011 312e322e3834302e31303030382e312e31               # 1.2.840.10008.1.1
     40 00 0011 312e322e3834302e31303030382e312e32               # 1.2.840.10008.1.2
  50 00 003a                                                     # user information
     51 00 0004 00004000                                         # maximum length 16384
     52 00 001b 312e322e3237362e302e373233303031302e332e302e332e362e37
     55 00 000f 4f464649535f44434d544b5f333637                   # OFFIS_DCMTK_367
)";

AssociateRQ full_request() {
  AssociateRQ rq;
  rq.called_ae = "CAIRN";
  rq.calling_ae = "A LONG TITLE 16B";
  rq.application_context = "1.2.840.10008.3.1.1.1";
  rq.contexts.push_back({1, "1.2.840.10008.1.1", {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}});
  rq.contexts.push_back({255, "1.2.3.4", {"1.2.840.10008.1.2.4.70"}});
  rq.user.max_length = 0xfedcba98;
  rq.user.implementation_class_uid = "2.25.1";
  rq.user.implementation_version_name = "TEST";
  rq.user.asynchronous_window = AsynchronousWindow{8, 0};
  rq.user.roles.push_back({"1.2.3.4", true, false});
  rq.user.extended.push_back({"1.2.3.4", std::string("\2\0\3\0\0\0", 6)});
  rq.user.common_extended.push_back({"1.2.3.4", "1.2.840.10008.4.2", {"1.2.3", "1.2.5"}});
  UserIdentity identity;
  identity.kind = 2;
  identity.response_requested = true;
  identity.primary = "user";
  identity.secondary = "secret";
  rq.user.user_identity = identity;
  return rq;
}

TEST(PDU, ReadsAGoldenRequest) {
  const std::string pdu = bytes_of(kVerificationRQ);
  const Header header = read_header(as_bytes(pdu).data());
  EXPECT_EQ(header.type, 1);
  ASSERT_EQ(header.length + kHeaderBytes, pdu.size());
  const auto rq = decode_associate_rq(body(pdu));
  ASSERT_TRUE(rq) << to_string(rq.error());
  EXPECT_EQ(rq.value().called_ae, "CAIRN");
  EXPECT_EQ(rq.value().calling_ae, "ECHOSCU");
  EXPECT_EQ(rq.value().application_context, "1.2.840.10008.3.1.1.1");
  ASSERT_EQ(rq.value().contexts.size(), 1u);
  EXPECT_EQ(rq.value().contexts[0].id, 1);
  EXPECT_EQ(rq.value().contexts[0].abstract_syntax, "1.2.840.10008.1.1");
  ASSERT_EQ(rq.value().contexts[0].transfer_syntaxes.size(), 1u);
  EXPECT_EQ(rq.value().contexts[0].transfer_syntaxes[0], "1.2.840.10008.1.2");
  EXPECT_EQ(rq.value().user.max_length, 16384u);
  EXPECT_EQ(rq.value().user.implementation_class_uid, "1.2.276.0.7230010.3.0.3.6.7");
  EXPECT_EQ(rq.value().user.implementation_version_name, "OFFIS_DCMTK_367");
  EXPECT_FALSE(rq.value().user.asynchronous_window);
}

TEST(PDU, WritesTheGoldenRequest) {
  const std::string golden = bytes_of(kVerificationRQ);
  EXPECT_EQ(encode(decode_associate_rq(body(golden)).value()), golden);
}

TEST(PDU, EveryItemSurvivesARoundTrip) {
  const std::string first = encode(full_request());
  const auto decoded = decode_associate_rq(body(first));
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  const AssociateRQ& rq = decoded.value();
  EXPECT_EQ(encode(rq), first);
  EXPECT_EQ(rq.user.asynchronous_window->invoked, 8);
  EXPECT_TRUE(rq.user.roles.at(0).scu);
  EXPECT_FALSE(rq.user.roles.at(0).scp);
  EXPECT_EQ(rq.user.extended.at(0).application_information.size(), 6u);
  EXPECT_EQ(rq.user.common_extended.at(0).related_general_sop_class_uids.at(1), "1.2.5");
  EXPECT_EQ(rq.user.user_identity->secondary, "secret");
}

TEST(PDU, EveryKindOfUserIdentityIsRead) {
  for (std::uint8_t kind = 1; kind <= 5; ++kind) {
    AssociateRQ rq = full_request();
    rq.user.user_identity->kind = kind;
    rq.user.user_identity->primary = std::string(3000, 'x');
    const auto decoded = decode_associate_rq(body(encode(rq)));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded.value().user.user_identity->kind, kind);
    EXPECT_EQ(decoded.value().user.user_identity->primary.size(), 3000u);
  }
}

TEST(PDU, AnAcceptanceSurvivesARoundTrip) {
  AssociateAC ac;
  ac.called_ae = "CAIRN";
  ac.calling_ae = "CT1";
  ac.application_context = "1.2.840.10008.3.1.1.1";
  ac.contexts.push_back({1, ContextResult::acceptance, "1.2.840.10008.1.2"});
  ac.contexts.push_back({3, ContextResult::transfer_syntaxes_not_supported, "1.2.840.10008.1.2"});
  ac.user.max_length = 262144;
  ac.user.implementation_class_uid = "2.25.1";
  ac.user.user_identity_response = "";
  const auto decoded = decode_associate_ac(body(encode(ac)));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded.value().contexts[1].result, ContextResult::transfer_syntaxes_not_supported);
  EXPECT_EQ(decoded.value().user.user_identity_response, "");
  EXPECT_EQ(encode(decoded.value()), encode(ac));
}

TEST(PDU, ShortPDUsAreAsPrinted) {
  EXPECT_EQ(encode(AssociateRJ{1, 1, 7}), bytes_of("03 00 00000004 00 01 01 07"));
  EXPECT_EQ(encode(Abort{2, 6}), bytes_of("07 00 00000004 00 00 02 06"));
  EXPECT_EQ(encode_release_rq(), bytes_of("05 00 00000004 00000000"));
  EXPECT_EQ(encode_release_rp(), bytes_of("06 00 00000004 00000000"));
  EXPECT_EQ(decode_associate_rj(as_bytes(std::string_view("\0\2\3\2", 4))).value().source, 3);
  EXPECT_EQ(decode_abort(as_bytes(std::string_view("\0\0\2\6", 4))).value().reason, 6);
  EXPECT_FALSE(decode_abort(as_bytes(std::string_view("\0\0\2", 3))));
}

TEST(PDU, EveryTruncationOfARequestIsRefused) {
  const std::string pdu = encode(full_request());
  for (std::size_t n = 0; n < pdu.size() - kHeaderBytes; ++n) {
    const auto decoded = decode_associate_rq(body(pdu).first(n));
    // Cut between two items, what is left is a shorter request; else it is truncated or lacks what it needs.
    if (!decoded) {
      EXPECT_TRUE(decoded.error() == Errc::truncated || decoded.error() == Errc::missing) << to_string(decoded.error());
    }
  }
}

TEST(PDU, AnyChangedByteIsReadOrRefused) {
  std::mt19937 random(20250101);
  const std::string pdu = encode(full_request());
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = pdu;
    for (int i = 0; i < 3; ++i)
      damaged[kHeaderBytes + random() % (pdu.size() - kHeaderBytes)] = static_cast<char>(random());
    const auto decoded = decode_associate_rq(body(damaged));
    refused += decoded ? 0 : 1;
    if (decoded) EXPECT_LE(decoded.value().contexts.size(), kMaxPresentationContexts);
  }
  EXPECT_GT(refused, 0);
}

TEST(PDU, RefusesEvenAndRepeatedContextIDs) {
  AssociateRQ rq = full_request();
  rq.contexts[1].id = 2;
  EXPECT_TRUE(decode_associate_rq(body(encode(rq))).error() == Errc::malformed);
  rq.contexts[1].id = 1;
  EXPECT_TRUE(decode_associate_rq(body(encode(rq))).error() == Errc::malformed);
}

TEST(PDU, RefusesARequestWithoutContexts) {
  AssociateRQ rq = full_request();
  rq.contexts.clear();
  EXPECT_TRUE(decode_associate_rq(body(encode(rq))).error() == Errc::missing);
}

TEST(PDU, SkipsItemsThatItDoesNotKnow) {
  std::string pdu = encode(full_request());
  pdu += bytes_of("7e 00 0003 010203");
  EXPECT_TRUE(decode_associate_rq(body(pdu)));
}

TEST(PDU, FragmentsAnyDataWithinThePeersLimit) {
  std::mt19937 random(7);
  for (const std::uint32_t max : {0u, 1u, 8u, 17u, 100u, 16384u}) {
    std::string data(random() % 5000, '\0');
    for (char& c : data) c = static_cast<char>(random());
    std::string wire, joined;
    append_p_data(wire, 5, false, as_bytes(data), max);
    bool last = false;
    for (std::size_t at = 0; at < wire.size();) {
      ASSERT_FALSE(last);
      const Header header = read_header(as_bytes(wire).data() + at);
      ASSERT_EQ(header.type, 4);
      if (max >= 8) EXPECT_LE(header.length, max);
      const auto pdv = read_pdv_header(as_bytes(wire).data() + at + kHeaderBytes);
      ASSERT_TRUE(pdv);
      EXPECT_EQ(pdv.value().context_id, 5);
      EXPECT_FALSE(pdv.value().command);
      joined += wire.substr(at + 12, pdv.value().length);
      last = pdv.value().last;
      at += kHeaderBytes + header.length;
    }
    EXPECT_TRUE(last);
    EXPECT_EQ(joined, data);
  }
}

TEST(PDU, PDVShorterThanItsHeaderIsRefused) {
  EXPECT_FALSE(read_pdv_header(as_bytes(std::string_view("\0\0\0\1\1\3", 6)).data()));
}

}  // namespace
}  // namespace cairn::dicom::pdu
