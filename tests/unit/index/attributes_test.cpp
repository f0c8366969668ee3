// The extraction of attributes must read headers exactly as the parser does, whatever the encoding.
#include "engine/store/index/attributes.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "engine/dicom/tags.h"

namespace cairn::store {
namespace {

namespace fs = std::filesystem;
namespace tags = dicom::tags;
using dicom::VR;

constexpr dicom::Tag kText[] = {
    tags::Modality,   tags::StudyDate,        tags::StudyDescription, tags::PatientName,         tags::PatientID,
    tags::PatientSex, tags::StudyInstanceUID, tags::SeriesNumber,     tags::StationName,         tags::InstanceNumber,
    tags::ImageType,  tags::ContentLabel,     tags::SliceThickness,   tags::ImagePositionPatient};

TEST(AttributeValues, ReadsEveryRealHeaderAsTheParserDoes) {
  const char* from_environment = std::getenv("DICOM_TEST_DATA_DIR");
  const fs::path data = from_environment != nullptr ? from_environment : CAIRN_TEST_DATA_DIR;
  if (!fs::exists(data)) GTEST_SKIP() << "no real DICOM files: set DICOM_TEST_DATA_DIR";
  int headers = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream content;
    content << in.rdbuf();
    dicom::HeaderScanner scanner;
    if (!scanner.feed(as_bytes(content.view())) || !scanner.finish()) continue;
    SCOPED_TRACE(entry.path().string());
    const dicom::Header header = scanner.take_header();
    const auto values = AttributeValues::of(header);
    ASSERT_TRUE(values) << to_string(values.error());
    const auto parsed = dicom::DataSet::parse(header);
    ASSERT_TRUE(parsed) << to_string(parsed.error());
    std::string encoded;
    values.value().encode(0xff, encoded);
    const auto again = decode_attributes(encoded);
    ASSERT_TRUE(again) << to_string(again.error());
    for (const dicom::Tag tag : kText) {
      const dicom::Element* expected = parsed.value().find(tag);
      EXPECT_EQ(values.value().raw(tag), expected == nullptr ? "" : expected->value) << to_string(tag);
      EXPECT_EQ(again.value().text(tag), parsed.value().text(tag)) << to_string(tag);
    }
    EXPECT_EQ(again.value().integer(tags::Rows), parsed.value().integer(tags::Rows));
    EXPECT_EQ(again.value().integer(tags::BitsStored), parsed.value().integer(tags::BitsStored));
    ++headers;
  }
  EXPECT_GT(headers, 100);
}

dicom::Header header_of(std::string bytes) {
  dicom::Header h;
  h.bytes = std::move(bytes);
  return h;
}

TEST(AttributeValues, NoHeaderBytesMakeItReadPastTheEnd) {
  dicom::DataSet inner, d;
  inner.set_text(tags::StudyDescription, VR::LO, "inner");
  d.set({tags::ReferencedStudySequence, VR::SQ, {}, {inner, inner}, {}});
  d.set_text(tags::PatientID, VR::LO, "ID");
  d.set_text(tags::InstanceNumber, VR::IS, "5");
  const std::string whole = d.encode({});
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    (void)AttributeValues::of(header_of(whole.substr(0, cut)));
    std::string flipped = whole;
    for (const int bit : {0, 7}) {
      flipped[cut] = static_cast<char>(flipped[cut] ^ (1 << bit));
      (void)AttributeValues::of(header_of(flipped));
    }
  }
  const dicom::Header whole_header = header_of(whole);
  const auto values = AttributeValues::of(whole_header).value();
  EXPECT_EQ(values.text(tags::PatientID), "ID");
  EXPECT_EQ(values.raw(tags::StudyDescription), "");  // what is inside a sequence is not the study's
  dicom::Header endless = header_of({});
  for (int i = 0; i < 100'000; ++i)
    endless.bytes += std::string("\x08\x00\x10\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", 20);
  EXPECT_FALSE(AttributeValues::of(endless));
}

TEST(AttributeValues, IntegersAreReadLeniently) {
  for (const auto& [text, expected] :
       {std::pair{" 12 ", 12}, {"+3", 3}, {"-7", -7}, {"- 7", -7}, {"4\\5", 4}, {"007", 7}}) {
    dicom::DataSet d;
    d.set_text(tags::InstanceNumber, VR::IS, text);
    const dicom::Header header = header_of(d.encode({}));
    std::int64_t value = 0;
    EXPECT_TRUE(AttributeValues::of(header).value().integer(tags::InstanceNumber, value)) << text;
    EXPECT_EQ(value, expected);
  }
  for (const char* text : {"", " ", "x", "1.5", "--1", "99999999999999999999"}) {
    dicom::DataSet d;
    d.set_text(tags::InstanceNumber, VR::IS, text);
    const dicom::Header header = header_of(d.encode({}));
    std::int64_t value = 0;
    EXPECT_FALSE(AttributeValues::of(header).value().integer(tags::InstanceNumber, value)) << text;
  }
}

TEST(MergeAttributes, DifferentCharacterSetsMeetInUtf8) {
  dicom::DataSet latin, cyrillic;
  latin.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100");
  latin.set_text(tags::PatientName, VR::PN, "M\xc3\xbcller");
  cyrillic.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 144");
  cyrillic.set_text(tags::SeriesDescription, VR::LO, "\xd0\x9b\xd1\x8e");
  merge_attributes(latin, cyrillic);
  EXPECT_EQ(latin.character_set(), "ISO_IR 192");
  EXPECT_EQ(latin.text(tags::PatientName), "M\xc3\xbcller");
  EXPECT_EQ(latin.text(tags::SeriesDescription), "\xd0\x9b\xd1\x8e");
}

}  // namespace
}  // namespace cairn::store
