#include "engine/dicom/dimse_message.h"

#include <gtest/gtest.h>

namespace cairn::dicom {
namespace {

CommandSet store_request() {
  CommandSet c;
  c.command = CommandField::c_store_rq;
  c.affected_sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
  c.affected_sop_instance_uid = "1.2.3.4.5";
  c.message_id = 513;
  c.priority = 0;
  c.data_set_type = 0;
  c.move_originator_ae = "MOVER";
  c.move_originator_message_id = 9;
  return c;
}

// PS3.7 §9.3.5.1, by hand.
TEST(DIMSEMessage, AnEchoRequestIsAsPrinted) {
  CommandSet c;
  c.command = CommandField::c_echo_rq;
  c.affected_sop_class_uid = "1.2.840.10008.1.1";
  c.message_id = 1;
  // clang-format off
  const std::string_view expected(
      "\0\0\0\0\4\0\0\0\x38\0\0\0"                      // group length 56
      "\0\0\2\0\x12\0\0\0" "1.2.840.10008.1.1\0"        // Affected SOP Class UID
      "\0\0\0\1\2\0\0\0\x30\0"                          // Command Field C-ECHO-RQ
      "\0\0\x10\1\2\0\0\0\1\0"                          // Message ID
      "\0\0\0\x8\2\0\0\0\1\1", 68);                     // no data set
  // clang-format on
  EXPECT_EQ(encode_command(c), expected);
}

TEST(DIMSEMessage, EveryFieldSurvivesARoundTrip) {
  CommandSet c = store_request();
  c.status = 0xa900;
  c.offending_elements = {{0x0008, 0x0016}, {0x0020, 0x000d}};
  c.error_comment = "SOP Class UID: contradiction";
  c.error_id = 3;
  c.remaining = 1, c.completed = 2, c.failed = 3, c.warning = 4;
  c.move_destination = "DEST";
  c.requested_sop_class_uid = "1.2";
  c.requested_sop_instance_uid = "1.3";
  c.event_type_id = 1, c.action_type_id = 2;
  c.attribute_identifier_list = {{0x0010, 0x0010}};
  c.message_id_being_responded_to = 77;
  const std::string bytes = encode_command(c);
  const auto decoded = decode_command(as_bytes(bytes));
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  EXPECT_EQ(encode_command(decoded.value()), bytes);
  EXPECT_EQ(decoded.value().affected_sop_instance_uid, "1.2.3.4.5");
  EXPECT_EQ(decoded.value().offending_elements[1], (Tag{0x0020, 0x000d}));
  EXPECT_EQ(decoded.value().move_originator_ae, "MOVER");
  EXPECT_EQ(*decoded.value().failed, 3);
}

TEST(DIMSEMessage, EveryTruncationInsideAnElementIsRefused) {
  const std::string bytes = encode_command(store_request());
  std::size_t whole = 0;
  for (std::size_t n = 0; n < bytes.size(); ++n) whole += decode_command(as_bytes(bytes).first(n)) ? 1u : 0u;
  // Whole again only where the cut falls between two of the elements behind the Command Data Set Type: three of them.
  EXPECT_EQ(whole, 3u);
}

TEST(DIMSEMessage, RefusesWhatCannotBeACommand) {
  const auto with = [](auto change) {
    CommandSet c = store_request();
    change(c);
    return decode_command(as_bytes(encode_command(c)));
  };
  EXPECT_TRUE(with([](CommandSet& c) { c.message_id.reset(); }).error() == Errc::missing);
  EXPECT_TRUE(with([](CommandSet& c) { c.command = CommandField::c_echo_rsp; }).error() == Errc::missing);
  EXPECT_TRUE(with([](CommandSet& c) { c.command = CommandField::c_cancel_rq; }).error() == Errc::missing);
  EXPECT_TRUE(decode_command({}).error() == Errc::missing);
  const std::string element_of_a_data_set("\x8\0\x16\0\0\0\0\0", 8);
  EXPECT_TRUE(decode_command(as_bytes(element_of_a_data_set)).error() == Errc::malformed);
  const std::string long_number("\0\0\0\1\4\0\0\0\1\0\0\0", 12);
  EXPECT_TRUE(decode_command(as_bytes(long_number)).error() == Errc::malformed);
  const std::string four_gib("\0\0\2\0\xff\xff\xff\xff", 8);
  EXPECT_TRUE(decode_command(as_bytes(four_gib)).error() == Errc::truncated);
  const std::string too_long(kMaxCommandBytes + 1, '\0');
  EXPECT_TRUE(decode_command(as_bytes(too_long)).error() == Errc::limit_exceeded);
}

TEST(DIMSEMessage, AResponseNamesItsRequest) {
  const CommandSet response = make_response(store_request(), 0xa700);
  EXPECT_EQ(response.command, CommandField::c_store_rsp);
  EXPECT_EQ(*response.message_id_being_responded_to, 513);
  EXPECT_EQ(response.affected_sop_instance_uid, "1.2.3.4.5");
  EXPECT_EQ(*response.status, 0xa700);
  EXPECT_FALSE(response.has_data_set());
  EXPECT_FALSE(response.message_id);
}

TEST(DIMSEMessage, CutsACommentAtWhatLOAllows) {
  CommandSet c = make_response(store_request(), 0xc000);
  c.error_comment = std::string(200, 'x');
  EXPECT_EQ(decode_command(as_bytes(encode_command(c))).value().error_comment.size(), 64u);
}

}  // namespace
}  // namespace cairn::dicom
