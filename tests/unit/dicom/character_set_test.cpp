#include "engine/dicom/character_set.h"

#include <sstream>

#include <gtest/gtest.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/part10.h"
#include "engine/dicom/tags.h"
#include "test_data.h"

namespace cairn::dicom {
namespace {

using namespace test;

constexpr const char* kReplacement = "\u{fffd}";

std::string of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(CharacterSet, DecodesEverySingleByteTerm) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"ISO_IR 100", "J\xe9r\xf4me", "J\u00e9r\u00f4me"},
      {"ISO_IR 101", "\xb1\xe6", "\u0105\u0107"},
      {"ISO_IR 109", "\xa1\xb1", "\u0126\u0127"},
      {"ISO_IR 110", "\xa1\xb6", "\u0104\u013c"},
      {"ISO_IR 144", "\xbb\xee", "\u041b\u044e"},
      {"ISO_IR 127", "\xe2\xc8", "\u0642\u0628"},
      {"ISO_IR 126", "\xc4\xe9", "\u0394\u03b9"},
      {"ISO_IR 138", "\xf9\xf8", "\u05e9\u05e8"},
      {"ISO_IR 148", "\xd0\xfd", "\u011e\u0131"},
      {"ISO_IR 203", "\xa4", "\u20ac"},
      {"ISO_IR 166", "\xa1\xd2", "\u0e01\u0e32"},
      {"ISO_IR 13", "\xd4\xcf", "\uff94\uff8f"},
      {"ISO_IR 192", "\xc3\xa9", "\u00e9"},
      {"GB18030", "\xcd\xf5", "\u738b"},
      {"GBK", "\xcd\xf5", "\u738b"},
      {"ISO 2022 IR 100", "\xe9", "\u00e9"},
  };
  for (const auto& [term, bytes, text] : cases) {
    EXPECT_EQ(decode_text(bytes, term, VR::LO), text) << term;
    EXPECT_EQ(encode_text(text, term), bytes) << term;
  }
}

TEST(CharacterSet, DecodesTheExamplesOfTheStandard) {  // PS3.5 annexes H, I, J, K
  const std::string yamada = "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
  const std::string yamada_text = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046";
  EXPECT_EQ(decode_text(yamada, "\\ISO 2022 IR 87", VR::PN), yamada_text);
  EXPECT_EQ(encode_text(yamada_text, "\\ISO 2022 IR 87"), yamada);
  const std::string romaji = "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J";
  EXPECT_EQ(decode_text(romaji, "ISO 2022 IR 13\\ISO 2022 IR 87", VR::PN),
            "\uff94\uff8f\uff80\uff9e^\uff80\uff9b\uff73=\u5c71\u7530^\u592a\u90ce");
  const std::string hong =
      "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
  const std::string hong_text = "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9";
  EXPECT_EQ(decode_text(hong, "\\ISO 2022 IR 149", VR::PN), hong_text);
  EXPECT_EQ(encode_text(hong_text, "\\ISO 2022 IR 149"), hong) << "readers other than this one need each designation";
  EXPECT_EQ(decode_text("Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", "\\ISO 2022 IR 58", VR::PN),
            "Zhang^XiaoDong=\u5f20^\u5c0f\u4e1c=");
}

TEST(CharacterSet, CodeExtensionsEndAtDelimiters) {
  const char* terms = "ISO 2022 IR 100\\ISO 2022 IR 126";
  // Greek is designated in the first value only; after the delimiter E1 is Latin again.
  EXPECT_EQ(decode_text("\x1b-F\xe1\\\xe1", terms, VR::LO), "\u03b1\\\u00e1");
  EXPECT_EQ(decode_text("\x1b-F\xe1^\xe1", terms, VR::PN), "\u03b1^\u00e1");
  EXPECT_EQ(decode_text("\x1b-F\xe1^\xe1", terms, VR::LO), "\u03b1^\u03b1");  // "^" delimits in names only
  EXPECT_EQ(decode_text("\x1b-F\xe1\r\n\xe1", terms, VR::LT), "\u03b1\r\n\u00e1");
  EXPECT_EQ(decode_text("\x1b-F\xe1\\\xe1", terms, VR::LT), "\u03b1\\\u03b1");  // LT has one value
  const std::string mixed = "\u00e1\u03b1\\\u00e1^\u03b1";
  EXPECT_EQ(decode_text(*encode_text(mixed, terms), terms, VR::PN), mixed);
}

TEST(CharacterSet, DecodesBeforeBackslashesAreLookedFor) {
  // The second byte of this GBK character is a backslash.
  EXPECT_EQ(decode_text("\x90\x5c\\b", "GBK", VR::LO), "\u603d\\b");
  DataSet set;
  set.set_character_set("GBK");
  set.set({tags::OtherPatientNames, VR::PN, "\x90\x5c\\b ", {}, std::nullopt});
  EXPECT_EQ(set.text(tags::OtherPatientNames, 1), "b");
}

TEST(CharacterSet, IsLenient) {
  EXPECT_EQ(decode_text("\xe9", "", VR::LO), "\u00e9");
  EXPECT_EQ(decode_text("\xc3\xa9", "", VR::LO), "\u00e9");
  EXPECT_EQ(decode_text("\xe9", "NO SUCH TERM", VR::LO), "\u00e9");
  EXPECT_EQ(decode_text("\xc3\xa9", "utf-8", VR::LO), "\u00e9");
  EXPECT_EQ(decode_text("\xe9", "iso-ir 100", VR::LO), "\u00e9");
  EXPECT_EQ(decode_text("\xfb\xf3", "ISO 2022 IR 149", VR::LO), "\u6d2a");  // never designated
  EXPECT_EQ(decode_text("\xe1", "\\ISO 2022 IR 126", VR::LO), "\u03b1");    // never designated
  EXPECT_EQ(decode_text("a\xff z", "ISO_IR 192", VR::LO), std::string("a") + kReplacement + " z");
  EXPECT_EQ(decode_text("\xe9", "ISO_IR 192", VR::UI), "\u00e9");  // not governed by the attribute
  EXPECT_EQ(decode_text("\x1b$B\x7f~", "\\ISO 2022 IR 87", VR::LO).find("\xef\xbf\xbd"), 1u);
  EXPECT_EQ(decode_text("\x1b$B;", "\\ISO 2022 IR 87", VR::LO), kReplacement);
  EXPECT_EQ(decode_text("\x1b[31m", "ISO_IR 100", VR::LO), "\x1b[31m");  // no designation: kept
  EXPECT_EQ(decode_text("\xfb", "ISO 2022 IR 149", VR::LO), kReplacement);
  EXPECT_EQ(decode_text("\x81", "GBK", VR::LO), kReplacement);
}

TEST(CharacterSet, EncodesOnlyWhatTheSetHas) {
  EXPECT_EQ(encode_text("plain", "ISO_IR 100"), "plain");
  EXPECT_FALSE(encode_text("\u5c71", "ISO_IR 100"));
  EXPECT_FALSE(encode_text("\u00e9", ""));
  EXPECT_FALSE(encode_text("\xff", "ISO_IR 192"));
  EXPECT_FALSE(encode_text("\U0001f600", "GBK"));
  EXPECT_TRUE(encode_text("\U0001f600", "GB18030"));
  EXPECT_EQ(encode_text("\u5c71", "ISO_IR 192"), "\u5c71");
}

TEST(CharacterSet, ReadsTheNamesOfRealFiles) {
  CAIRN_NEEDS_TEST_DATA();
  std::istringstream lines(read_file(data_dir() / "charsets/EXPECTED.tsv"));
  std::string line;
  std::getline(lines, line);
  int checked = 0;
  while (std::getline(lines, line)) {
    std::vector<std::string> column;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) column.push_back(cell);
    ASSERT_GE(column.size(), 6u);
    const std::string bytes = read_file(data_dir() / "charsets" / column[0]);
    const auto prefix = read_prefix(as_bytes(bytes));
    ASSERT_TRUE(prefix) << column[0];
    const auto set = DataSet::parse(as_bytes(bytes).subspan(prefix.value().data_set_offset), prefix.value().encoding);
    ASSERT_TRUE(set) << column[0];
    const DataSet* owner = &set.value();
    if (column[2].starts_with("(0032")) owner = owner->item(tags::RequestedProcedureCodeSequence);
    ASSERT_NE(owner, nullptr) << column[0];
    std::string expected = column[5];
    while (expected.ends_with(' ')) expected.pop_back();
    std::string name = owner->text(tags::PatientName);
    if (name.ends_with('=') && !expected.ends_with('=')) name.pop_back();  // pydicom drops an empty last group
    EXPECT_EQ(name, expected) << column[0];
    if (!column[4].empty()) {
      EXPECT_EQ(owner->find(tags::PatientName)->value, of_hex(column[4])) << column[0];
    }
    ++checked;
  }
  EXPECT_GE(checked, 13);
}

}  // namespace
}  // namespace cairn::dicom
