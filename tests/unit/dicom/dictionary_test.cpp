#include "engine/dicom/dictionary.h"

#include <gtest/gtest.h>

#include "engine/dicom/dictionary_table.h"
#include "engine/dicom/tags.h"
#include "engine/dicom/vr.h"

namespace cairn::dicom {
namespace {

TEST(Dictionary, KnowsPublicAttributes) {
  EXPECT_EQ(vr_of(tags::PatientName), VR::PN);
  EXPECT_EQ(vr_of(tags::PixelData), VR::OW);
  EXPECT_EQ(vr_of(tags::ExtendedOffsetTable), VR::OV);
  EXPECT_EQ(vr_of(tags::ReferencedStudySequence), VR::SQ);
  EXPECT_EQ(vr_of(tags::Item), VR::none);
  EXPECT_EQ(keyword_of(tags::SOPInstanceUID), "SOPInstanceUID");
  EXPECT_EQ(tag_of_keyword("StudyInstanceUID"), tags::StudyInstanceUID);
}

TEST(Dictionary, FoldsRepeatingGroups) {
  EXPECT_EQ(vr_of({0x6002, 0x3000}), VR::OW);
  EXPECT_EQ(vr_of({0x60fe, 0x0010}), VR::US);
  EXPECT_EQ(vr_of({0x5010, 0x3000}), VR::OW);
  EXPECT_EQ(vr_of({0x0020, 0x3155}), VR::CS);
  EXPECT_EQ(keyword_of({0x6004, 0x3000}), "OverlayData");
  EXPECT_EQ(tag_of_keyword("OverlayData"), (Tag{0x6000, 0x3000}));
  EXPECT_EQ(vr_of({0x7fe0, 0x9999}), VR::UN);
}

TEST(Dictionary, HasRulesForWhatItDoesNotList) {
  EXPECT_EQ(vr_of({0x0008, 0x0000}), VR::UL);
  EXPECT_EQ(vr_of({0x0029, 0x0000}), VR::UL);
  EXPECT_EQ(vr_of({0x0029, 0x0010}), VR::LO);
  EXPECT_EQ(vr_of({0x0029, 0x00ff}), VR::LO);
  EXPECT_EQ(vr_of({0x0029, 0x1001}), VR::UN);
  EXPECT_EQ(vr_of({0x6001, 0x3000}), VR::UN);
  EXPECT_EQ(vr_of({0x0008, 0xfff3}), VR::UN);
  EXPECT_EQ(keyword_of({0x0029, 0x1001}), "");
  EXPECT_FALSE(tag_of_keyword("NoSuchKeyword"));
  EXPECT_FALSE(tag_of_keyword(""));
}

TEST(Dictionary, KnowsWherePixelRepresentationDecides) {
  EXPECT_TRUE(is_us_or_ss(tags::SmallestImagePixelValue));
  EXPECT_TRUE(is_us_or_ss(tags::LUTDescriptor));
  EXPECT_FALSE(is_us_or_ss(tags::Rows));
  EXPECT_FALSE(is_us_or_ss({0x0029, 0x1001}));
}

TEST(Dictionary, EveryEntryIsFoundAgain) {
  for (const auto& e : dictionary_detail::kEntries) {
    const Tag tag = tag_of(e.tag);
    EXPECT_EQ(keyword_of(tag), e.keyword);
    if (tag.element != 0) {
      EXPECT_EQ(vr_of(tag), e.vr) << to_string(tag);
    }
    EXPECT_TRUE(e.vr == VR::none || properties(e.vr).known) << e.keyword;
  }
  for (const std::uint16_t i : dictionary_detail::kByKeyword) {
    const auto& e = dictionary_detail::kEntries[i];
    EXPECT_EQ(tag_of_keyword(e.keyword), tag_of(e.tag)) << e.keyword;
  }
}

TEST(TagText, IsThePrintedForm) {
  EXPECT_EQ(to_string(Tag{0x7fe0, 0x000a}), "(7FE0,000A)");
}

}  // namespace
}  // namespace cairn::dicom
