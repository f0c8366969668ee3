#include "engine/dicom/data_set.h"

#include <gtest/gtest.h>

#include "engine/dicom/header_scan.h"
#include "scan_outcome.h"
#include "stream_builder.h"
#include "test_data.h"

namespace cairn::dicom {
namespace {

using namespace test;
using namespace std::string_view_literals;

DataSet parse(std::string_view bytes, Encoding encoding = kExplicitLE) {
  auto set = DataSet::parse(as_bytes(bytes), encoding);
  EXPECT_TRUE(set) << to_string(set.error());
  return set ? std::move(set).value() : DataSet{};
}

bool same(const DataSet& a, const DataSet& b) {
  if (a.elements().size() != b.elements().size()) return false;
  for (std::size_t i = 0; i < a.elements().size(); ++i) {
    const Element &x = a.elements()[i], &y = b.elements()[i];
    if (x.tag != y.tag || x.vr != y.vr || x.value != y.value || x.items.size() != y.items.size()) return false;
    for (std::size_t j = 0; j < x.items.size(); ++j) {
      if (!same(x.items[j], y.items[j])) return false;
    }
  }
  return true;
}

DataSet example() {
  DataSet set, item;
  set.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100");
  set.set_text(tags::PatientName, VR::PN, "Buc^J\u00e9r\u00f4me");
  set.set_text(tags::SOPInstanceUID, VR::UI, "1.2.3");
  set.set_text(tags::PixelSpacing, VR::DS, "0.5\\0.25");
  set.set_us(tags::Rows, 512);
  set.set_ul(tags::SimpleFrameList, 0x01020304);
  item.set_text(tags::CodeValue, VR::SH, "T-1");
  set.set({tags::AnatomicRegionSequence, VR::SQ, {}, {item, DataSet()}, std::nullopt});
  set.set({tags::SelectorFDValue, VR::FD, std::string("\0\0\0\0\0\0\xf8\x3f", 8), {}, std::nullopt});
  set.set({tags::SelectorATValue, VR::AT, std::string("\x10\0\x20\0", 4), {}, std::nullopt});
  return set;
}

TEST(DataSet, EncodesTheBytesOfTheStandard) {
  DataSet set, item;
  set.set_us(tags::Rows, 0x0102);
  set.set_text(tags::PatientID, VR::LO, "abc");
  item.set_text(tags::CodeValue, VR::SH, "X");
  set.set({tags::AnatomicRegionSequence, VR::SQ, {}, {item}, std::nullopt});
  EXPECT_EQ(set.encode(kExplicitLE),
            "\x08\0\x18\x22SQ\0\0\x12\0\0\0\xfe\xff\0\xe0\x0a\0\0\0\x08\0\0\x01SH\x02\0X "
            "\x10\0\x20\0LO\x04\0abc \x28\0\x10\0US\x02\0\x02\x01"sv);
  EXPECT_EQ(set.encode(kImplicitLE),
            "\x08\0\x18\x22\x12\0\0\0\xfe\xff\0\xe0\x0a\0\0\0\x08\0\0\x01\x02\0\0\0X "
            "\x10\0\x20\0\x04\0\0\0abc \x28\0\x10\0\x02\0\0\0\x02\x01"sv);
  EXPECT_EQ(set.encode(kExplicitBE),
            "\0\x08\x22\x18SQ\0\0\0\0\0\x12\xff\xfe\xe0\0\0\0\0\x0a\0\x08\x01\0SH\0\x02X "
            "\0\x10\0\x20LO\0\x04"
            "abc \0\x28\0\x10US\0\x02\x01\x02"sv);
}

TEST(DataSet, ComesBackFromEveryEncoding) {
  const DataSet set = example();
  for (const Encoding encoding : {kExplicitLE, kImplicitLE, kExplicitBE}) {
    const DataSet back = parse(set.encode(encoding), encoding);
    EXPECT_TRUE(same(set, back)) << encoding.explicit_vr << encoding.big_endian;
    EXPECT_EQ(back.text(tags::PatientName), "Buc^J\u00e9r\u00f4me");
    EXPECT_EQ(back.number(tags::SelectorFDValue), 1.5);
    EXPECT_EQ(back.text(tags::SelectorATValue), "00100020");
  }
}

TEST(DataSet, ReadsNumbersOfAllKinds) {
  DataSet set = example();
  EXPECT_EQ(set.integer(tags::Rows), 512);
  EXPECT_EQ(set.text(tags::Rows), "512");
  EXPECT_EQ(set.number(tags::PixelSpacing, 1), 0.25);
  EXPECT_EQ(set.numbers(tags::PixelSpacing), (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(set.integer(tags::SimpleFrameList), 0x01020304);
  EXPECT_FALSE(set.number(tags::PixelSpacing, 2));
  EXPECT_FALSE(set.number(tags::Columns));
  set.set_text(tags::InstanceNumber, VR::IS, " +12 ");
  EXPECT_EQ(set.integer(tags::InstanceNumber), 12);
  set.set_text(tags::InstanceNumber, VR::IS, "7.0");
  EXPECT_EQ(set.integer(tags::InstanceNumber), 7);
  set.set_text(tags::RescaleSlope, VR::DS, "1.5e+2");
  EXPECT_EQ(set.number(tags::RescaleSlope), 150.0);
  for (const char* unreadable : {"1A", "nan", "inf", "", "-", "1e999", "0x10"}) {
    set.set_text(tags::RescaleSlope, VR::DS, unreadable);
    EXPECT_FALSE(set.number(tags::RescaleSlope)) << unreadable;
    EXPECT_TRUE(set.numbers(tags::RescaleSlope).empty()) << unreadable;
  }
  set.set_text(tags::PixelSpacing, VR::DS, "1\\x");
  EXPECT_TRUE(set.numbers(tags::PixelSpacing).empty());
}

TEST(DataSet, SplitsAndTrimsText) {
  DataSet set;
  set.set_text(tags::ImageType, VR::CS, "ORIGINAL \\ PRIMARY\\\\AXIAL");
  EXPECT_EQ(set.text(tags::ImageType, 0), "ORIGINAL");
  EXPECT_EQ(set.text(tags::ImageType, 1), "PRIMARY");
  EXPECT_EQ(set.text(tags::ImageType, 2), "");
  EXPECT_EQ(set.text(tags::ImageType, 3), "AXIAL");
  EXPECT_EQ(set.text(tags::ImageType, 4), "");
  set.set_text(tags::PatientComments, VR::LT, " C:\\files ");
  EXPECT_EQ(set.text(tags::PatientComments, 0), " C:\\files");  // one value, and its leading space means something
  EXPECT_EQ(set.text(tags::PatientComments, 1), "");
}

TEST(DataSet, KeepsTheFirstOfRepeatedElementsInOrder) {
  StreamBuilder bytes;
  bytes.element(tags::Rows, VR::US, "ab")
      .element(tags::PatientID, VR::LO, "one ")
      .element(tags::PatientID, VR::LO, "two ");
  const DataSet set = parse(bytes.bytes());
  ASSERT_EQ(set.elements().size(), 2u);
  EXPECT_EQ(set.elements()[0].tag, tags::PatientID);
  EXPECT_EQ(set.text(tags::PatientID), "one");
}

TEST(DataSet, ItemsInheritTheCharacterSetAndMayHaveTheirOwn) {
  StreamBuilder bytes;
  bytes.element(tags::SpecificCharacterSet, VR::CS, "ISO_IR 144");
  bytes.header(tags::ReferencedPatientSequence, VR::SQ, kUndefined);
  bytes.item().element(tags::PatientName, VR::PN, "\xbb\xee").item_end();
  bytes.item().element(tags::SpecificCharacterSet, VR::CS, "ISO_IR 192");
  bytes.element(tags::PatientName, VR::PN, "\xc3\xa9").item_end().sequence_end();
  bytes.element(tags::PatientName, VR::PN, "\xbb\xee");
  const DataSet set = parse(bytes.bytes());
  EXPECT_EQ(set.item(tags::ReferencedPatientSequence, 0)->text(tags::PatientName), "\u041b\u044e");  // ISO 8859-5
  EXPECT_EQ(set.item(tags::ReferencedPatientSequence, 1)->text(tags::PatientName), "\u00e9");
  EXPECT_EQ(set.item(tags::ReferencedPatientSequence, 2), nullptr);
  EXPECT_EQ(set.text(tags::PatientName), "\u041b\u044e");
}

TEST(DataSet, PixelRepresentationDecidesUSOrSSWhereTheVRIsImplicit) {
  StreamBuilder bytes(kImplicitLE);
  bytes.element(tags::PixelRepresentation, VR::US, "\1\0"sv).element(tags::SmallestImagePixelValue, VR::US, "\xfe\xff");
  const DataSet set = parse(bytes.bytes(), kImplicitLE);
  EXPECT_EQ(set.find(tags::SmallestImagePixelValue)->vr, VR::SS);
  EXPECT_EQ(set.integer(tags::SmallestImagePixelValue), -2);
}

TEST(DataSet, UNOfAKnownAttributeTakesItsVR) {
  StreamBuilder bytes;
  bytes.element(tags::PatientName, VR::UN, "A^B ").element(tags::Rows, VR::UN, "\0\2"sv);
  const DataSet set = parse(bytes.bytes());
  EXPECT_EQ(set.find(tags::PatientName)->vr, VR::PN);
  EXPECT_EQ(set.integer(tags::Rows), 512);
}

TEST(DataSet, LeavesOutEncapsulatedValues) {
  StreamBuilder bytes;
  bytes.element(tags::Rows, VR::US, "ab")
      .header(tags::PixelData, VR::OB, kUndefined)
      .item(0)
      .item(2)
      .raw("xy")
      .sequence_end();
  const DataSet set = parse(bytes.bytes());
  const Element* pixels = set.find(tags::PixelData);
  ASSERT_TRUE(pixels != nullptr && pixels->bulk);
  EXPECT_EQ(pixels->bulk->stream_offset, 10u + 12);
  EXPECT_EQ(pixels->bulk->length, 8u + 10 + 8);
  EXPECT_TRUE(pixels->bulk->encapsulated);
  EXPECT_EQ(set.encode(kExplicitLE), bytes.bytes().substr(0, 10));  // it does not come out
}

TEST(DataSet, WritesWhatAShortLengthCannotSayAsUN) {
  DataSet set;
  set.set_text(tags::PatientComments, VR::LT, std::string(70000, 'x'));
  const std::string bytes = set.encode(kExplicitLE);
  EXPECT_EQ(bytes.substr(4, 2), "UN");
  EXPECT_EQ(parse(bytes).text(tags::PatientComments).size(), 70000u);
}

TEST(DataSet, ReplacesWhatItsCharacterSetDoesNotHave) {
  DataSet set;
  set.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 100");
  set.set_text(tags::PatientName, VR::PN, "\u00e9\u5c71");
  EXPECT_EQ(set.find(tags::PatientName)->value, "\xe9?");
}

TEST(DataSet, RefusesTruncatedInputWithItsOffset) {
  const std::string bytes = example().encode(kExplicitLE);
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto set = DataSet::parse(as_bytes(bytes).first(size), kExplicitLE);
    if (set) {
      ++accepted;  // between two elements
    } else {
      EXPECT_EQ(set.error(), Errc::truncated) << size;
      EXPECT_LE(set.error().offset, size);
    }
  }
  EXPECT_EQ(accepted, example().elements().size());
}

TEST(DataSet, RealFilesComeBackFromTheirOwnEncodings) {
  CAIRN_NEEDS_TEST_DATA();
  std::size_t checked = 0;
  for (const auto& path : part10_files()) {
    const ScanOutcome scan = scan_whole(read_file(path));
    if (!scan.error.empty()) continue;
    const auto header = Header::deserialize(as_bytes(scan.header));
    ASSERT_TRUE(header);
    const DataSet set = DataSet::parse(header.value()).value();
    for (const Encoding encoding : {kExplicitLE, kExplicitBE}) {
      const std::string once = set.encode(encoding);
      const auto back = DataSet::parse(as_bytes(once), encoding);
      ASSERT_TRUE(back) << path << to_string(back.error());
      EXPECT_EQ(back.value().encode(encoding), once) << path;
    }
    ++checked;
  }
  EXPECT_GT(checked, 1000u);
}

}  // namespace
}  // namespace cairn::dicom
