#include "codec/transfer_syntax.h"

#include <set>

#include <gtest/gtest.h>

#include "engine/core/uid.h"

namespace cairn::codec {
namespace {

TEST(TransferSyntaxTable, holds_each_uid_once_and_finds_it) {
  std::set<std::string_view> uids;
  for (const TransferSyntax& row : transfer_syntaxes()) {
    EXPECT_TRUE(uids.insert(row.uid).second) << row.uid;
    EXPECT_TRUE(is_usable_uid(row.uid)) << row.uid;
    EXPECT_FALSE(row.name.empty());
    EXPECT_EQ(find_transfer_syntax(row.uid), &row);
  }
  EXPECT_EQ(find_transfer_syntax("1.2.840.10008.1.2.4"), nullptr);
  EXPECT_EQ(find_transfer_syntax(""), nullptr);
}

TEST(TransferSyntaxTable, holds_every_family_of_the_standard) {
  for (const char* uid :
       {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.4.66", "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.106.1", "1.2.840.10008.1.2.4.108", "1.2.840.10008.1.2.4.112", "1.2.840.10008.1.2.4.205",
        "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.2.7.3", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.20",
        "1.2.840.113619.5.2"}) {
    EXPECT_NE(find_transfer_syntax(uid), nullptr) << uid;
  }
}

TEST(TransferSyntaxTable, does_not_contradict_itself) {
  for (const TransferSyntax& row : transfer_syntaxes()) {
    SCOPED_TRACE(row.uid);
    if (row.big_endian) EXPECT_TRUE(row.big_endian_pixels);
    if (row.multi_fragment) EXPECT_TRUE(row.encapsulated);
    if (row.coding == Coding::native) EXPECT_FALSE(row.encapsulated);
    if (row.encapsulated) EXPECT_TRUE(row.explicit_vr) << "PS3.5 A.4: encapsulated syntaxes are explicit little endian";
    if (row.video) EXPECT_FALSE(row.decodable);
    if (row.coding == Coding::rle || row.coding == Coding::htj2k || row.coding == Coding::jpeg_xl ||
        row.coding == Coding::uncompressed || row.coding == Coding::deflated_frame) {
      EXPECT_FALSE(row.multi_fragment);
    }
  }
}

}  // namespace
}  // namespace cairn::codec
