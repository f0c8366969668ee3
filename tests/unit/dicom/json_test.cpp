#include "engine/dicom/json.h"

#include <cmath>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "engine/dicom/header_scan.h"
#include "scan_outcome.h"
#include "stream_builder.h"

namespace cairn::dicom {
namespace {

using namespace test;
using namespace std::string_view_literals;

// Of one element, and without the braces around it.
std::string json_of(Tag tag, VR vr, std::string_view value, std::string_view character_set = "") {
  DataSet set;
  set.set_character_set(std::string(character_set));
  set.set({tag, vr, std::string(value), {}, std::nullopt});
  std::string out;
  append_json(out, set, "/b");
  boost::json::error_code error;
  boost::json::parse(out, error);
  EXPECT_FALSE(error) << out;
  const std::string expected_start = "{\"" + [&] {
    char text[9];
    std::snprintf(text, sizeof text, "%08X", tag.value());
    return std::string(text);
  }() + "\":";
  EXPECT_EQ(out.substr(0, expected_start.size()), expected_start);
  return out.substr(expected_start.size(), out.size() - expected_start.size() - 1);
}

TEST(Json, WritesText) {
  EXPECT_EQ(json_of(tags::PatientID, VR::LO, "ab "), R"({"vr":"LO","Value":["ab"]})");
  EXPECT_EQ(json_of(tags::ImageType, VR::CS, "A\\B \\\\C"), R"({"vr":"CS","Value":["A","B",null,"C"]})");
  EXPECT_EQ(json_of(tags::PatientID, VR::LO, ""), R"({"vr":"LO"})");
  EXPECT_EQ(json_of(tags::PatientID, VR::LO, "  "), R"({"vr":"LO"})");
  EXPECT_EQ(json_of(tags::PatientComments, VR::LT, " a\\\"b\r\n\x01"), R"({"vr":"LT","Value":[" a\\\"b\r\n\u0001"]})");
  EXPECT_EQ(json_of(tags::SOPInstanceUID, VR::UI, "1.2.3\0"sv), R"({"vr":"UI","Value":["1.2.3"]})");
  EXPECT_EQ(json_of(tags::PatientID, VR::LO, "\xe9", "ISO_IR 100"), "{\"vr\":\"LO\",\"Value\":[\"\u00e9\"]}");
  EXPECT_EQ(json_of(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100"), R"({"vr":"CS","Value":["ISO_IR 192"]})");
}

TEST(Json, WritesNamesByTheirGroups) {
  EXPECT_EQ(json_of(tags::PatientName, VR::PN, "A^B=\xe5\xb1\xb1=x", "ISO_IR 192"),
            "{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A^B\",\"Ideographic\":\"\u5c71\",\"Phonetic\":\"x\"}]}");
  EXPECT_EQ(json_of(tags::PatientName, VR::PN, "==x"), R"({"vr":"PN","Value":[{"Phonetic":"x"}]})");
  EXPECT_EQ(json_of(tags::PatientName, VR::PN, "A\\\\B=C"),
            R"({"vr":"PN","Value":[{"Alphabetic":"A"},null,{"Alphabetic":"B","Ideographic":"C"}]})");
  EXPECT_EQ(json_of(tags::PatientName, VR::PN, ""), R"({"vr":"PN"})");
}

TEST(Json, WritesDecimalAndIntegerStringsAsNumbers) {
  const std::pair<const char*, const char*> cases[] = {{"1.50", "1.50"},
                                                       {"+7", "7"},
                                                       {"-0.5", "-0.5"},
                                                       {".5", "0.5"},
                                                       {"-.5", "-0.5"},
                                                       {"5.", "5"},
                                                       {"007", "7"},
                                                       {"0", "0"},
                                                       {"00", "0"},
                                                       {"1E+02", "1e+02"},
                                                       {"1e5 ", "1e5"},
                                                       {"1A", "\"1A\""},
                                                       {"nan", "\"nan\""},
                                                       {"-", "\"-\""},
                                                       {".", "\".\""},
                                                       {"1e999", "\"1e999\""},
                                                       {"1,5", "\"1,5\""},
                                                       {"0x1", "\"0x1\""},
                                                       {"12345678901234567890", "12345678901234567890"},
                                                       {"--1", "\"--1\""}};
  for (const auto& [in, out] : cases) {
    EXPECT_EQ(json_of(tags::RescaleSlope, VR::DS, in), "{\"vr\":\"DS\",\"Value\":[" + std::string(out) + "]}");
  }
  EXPECT_EQ(json_of(tags::PixelSpacing, VR::DS, "0.5\\\\ 1"), R"({"vr":"DS","Value":[0.5,null,1]})");
  EXPECT_EQ(json_of(tags::InstanceNumber, VR::IS, "3 "), R"({"vr":"IS","Value":[3]})");
}

TEST(Json, WritesBinaryNumbers) {
  EXPECT_EQ(json_of(tags::Rows, VR::US, "\1\2\xff\xff"), R"({"vr":"US","Value":[513,65535]})");
  EXPECT_EQ(json_of(tags::Rows, VR::SS, "\xff\xff"), R"({"vr":"SS","Value":[-1]})");
  EXPECT_EQ(json_of(tags::Rows, VR::FL, "\0\0\0\x3f\0\0\xc0\x7f\0\0\x80\xff"sv),
            R"({"vr":"FL","Value":[0.5,"NaN","-inf"]})");
  EXPECT_EQ(json_of(tags::Rows, VR::FD, "\0\0\0\0\0\0\xf8\x3f"sv), R"({"vr":"FD","Value":[1.5]})");
  EXPECT_EQ(json_of(tags::Rows, VR::UV, "\0\0\0\0\0\0\x20\0"sv), R"({"vr":"UV","Value":[9007199254740992]})");
  EXPECT_EQ(json_of(tags::Rows, VR::UV, "\1\0\0\0\0\0\x20\0"sv), R"({"vr":"UV","Value":["9007199254740993"]})");
  EXPECT_EQ(json_of(tags::Rows, VR::SV, "\0\0\0\0\0\0\0\x80"sv), R"({"vr":"SV","Value":["-9223372036854775808"]})");
  EXPECT_EQ(json_of(tags::Rows, VR::AT, "\x10\0\x20\0\xe0\x7f\x10\0"sv),
            R"({"vr":"AT","Value":["00100020","7FE00010"]})");
  EXPECT_EQ(json_of(tags::Rows, VR::US, "x"), R"({"vr":"US"})");  // no whole number
}

TEST(Json, WritesBinaryInBase64) {
  EXPECT_EQ(json_of({0x0009, 0x1001}, VR::OB, "M"), R"({"vr":"OB","InlineBinary":"TQ=="})");
  EXPECT_EQ(json_of({0x0009, 0x1001}, VR::OW, "Ma"), R"({"vr":"OW","InlineBinary":"TWE="})");
  EXPECT_EQ(json_of({0x0009, 0x1001}, VR::UN, "Man"), R"({"vr":"UN","InlineBinary":"TWFu"})");
  EXPECT_EQ(json_of({0x0009, 0x1001}, VR::UN, "\xff\xfe\xfd\xfc"), R"({"vr":"UN","InlineBinary":"//79/A=="})");
  EXPECT_EQ(json_of({0x0009, 0x1001}, VR::OB, ""), R"({"vr":"OB"})");
}

TEST(Json, WritesSequencesAndBulkDataURIs) {
  StreamBuilder nested;
  nested.header(tags::IconImageSequence, VR::SQ, kUndefined).item().item_end().item();
  nested.header(tags::PixelData, VR::OB, kUndefined).item(2).raw("xy").sequence_end().item_end().sequence_end();
  StreamBuilder body;
  body.header(tags::ReferencedPatientSequence, VR::SQ, 0).element({0x0010, 0x0000}, VR::UL, "abcd");
  body.instance(nested.bytes()).element(tags::PixelData, VR::OW, "pixels");
  const ScanOutcome scan = scan_whole(body.file(kExplicitUID));
  ASSERT_EQ(scan.error, "");
  const auto header = Header::deserialize(as_bytes(scan.header));
  std::string out = "before";
  ASSERT_TRUE(append_json(out, header.value(), "/s/\"1"));
  EXPECT_EQ(out.substr(0, 7), "before{");
  const auto json = boost::json::parse(std::string_view(out).substr(6));
  EXPECT_EQ(boost::json::serialize(json.at("00081120")), R"({"vr":"SQ"})");
  EXPECT_FALSE(json.as_object().contains("00100000"));  // group lengths are left out
  EXPECT_EQ(boost::json::serialize(json.at("00880200")),
            R"({"vr":"SQ","Value":[{},{"7FE00010":{"vr":"OB","BulkDataURI":"/s/\"1/00880200/1/7FE00010"}}]})");
  EXPECT_EQ(boost::json::serialize(json.at("7FE00010")), R"({"vr":"OW","BulkDataURI":"/s/\"1/7FE00010"})");
}

TEST(Json, NamesStayUniqueWhenElementsRepeat) {
  StreamBuilder body;
  body.instance().element(tags::PatientID, VR::LO, "one ").element(tags::PatientID, VR::LO, "two ");
  const auto header = Header::deserialize(as_bytes(scan_whole(body.file(kExplicitUID)).header));
  std::string out;
  ASSERT_TRUE(append_json(out, header.value(), ""));
  EXPECT_EQ(out.find("\"00100020\""), out.rfind("\"00100020\""));
  EXPECT_NE(out.find("one"), std::string::npos);
}

TEST(Json, SwapsBigEndianValues) {
  StreamBuilder body(kExplicitBE);
  body.instance().element(tags::Rows, VR::US, "\1\2");
  const auto header = Header::deserialize(as_bytes(scan_whole(body.file(kBigEndianUID)).header));
  std::string out;
  ASSERT_TRUE(append_json(out, header.value(), ""));
  EXPECT_NE(out.find(R"("00280010":{"vr":"US","Value":[258]})"), std::string::npos) << out;
}

}  // namespace
}  // namespace cairn::dicom
