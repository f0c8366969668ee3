#include "engine/dicom/sop_classes.h"

#include <set>

#include <gtest/gtest.h>

#include "engine/core/uid.h"

namespace cairn::dicom {
namespace {

TEST(SOPClasses, EveryRowIsFoundAndUnique) {
  std::set<std::string_view> seen;
  for (const SOPClass& row : sop_classes()) {
    EXPECT_TRUE(is_usable_uid(row.uid)) << row.uid;
    EXPECT_FALSE(row.name.empty()) << row.uid;
    EXPECT_TRUE(seen.insert(row.uid).second) << row.uid;
    EXPECT_EQ(find_sop_class(row.uid), &row);
    EXPECT_FALSE(may_be_storage_class(row.uid));
  }
  EXPECT_GT(seen.size(), 200u);
}

TEST(SOPClasses, KnowsOldAndNewStorage) {
  EXPECT_EQ(find_sop_class(uids::kCTImageStorage)->name, "CT Image Storage");
  EXPECT_TRUE(find_sop_class("1.2.840.10008.5.1.4.1.1.5")->retired);  // Nuclear Medicine Image Storage of 1993
  EXPECT_EQ(find_sop_class("1.2.840.10008.5.1.4.1.1.66.8")->name, "Height Map Segmentation Storage");
  EXPECT_EQ(find_sop_class("1.2.840.10008.1.1")->kind, SOPClassKind::verification);
  EXPECT_EQ(find_sop_class("1.2.840.10008.5.1.4.1.1.999"), nullptr);
  EXPECT_EQ(find_sop_class(""), nullptr);
}

TEST(SOPClasses, TellsWhatMayBeStorage) {
  EXPECT_TRUE(may_be_storage_class("1.2.826.0.1.3680043.2.135.1066.5.1.4.1.1"));
  EXPECT_TRUE(may_be_storage_class("1.2.840.10008.5.1.4.1.1.999"));
  EXPECT_FALSE(may_be_storage_class("1.2.840.10008.5.1.4.31"));  // worklist
  EXPECT_FALSE(may_be_storage_class("1.2.840.10008.1.20.1"));    // storage commitment
  EXPECT_FALSE(may_be_storage_class("1.2.840.10008.1.3.10"));    // media directory
  EXPECT_FALSE(may_be_storage_class("1.2.840.10008.5.1.4.1.1.200.4"));
}

}  // namespace
}  // namespace cairn::dicom
