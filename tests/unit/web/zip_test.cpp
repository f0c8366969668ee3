#include "engine/web/zip.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

TEST(Zip, IsAsLongAsItSaysAndHasTheKnownChecksum) {
  ZipWriter writer;
  std::string whole = writer.begin("a/b.dcm", 9);
  writer.data(as_bytes("1234"));
  writer.data(as_bytes("56789"));
  whole += "123456789" + writer.end_entry();
  whole += writer.begin("empty", 0) + writer.end_entry() + writer.finish();
  EXPECT_EQ(whole.size(), ZipWriter::length_of({{"a/b.dcm", 9}, {"empty", 0}}));
  EXPECT_NE(whole.find("\x26\x39\xF4\xCB"), std::string::npos) << "CRC-32 of 123456789 is cbf43926";
  EXPECT_EQ(load_le<std::uint32_t>(as_bytes(whole).data() + whole.size() - 22), 0x06054b50u);
}

TEST(Zip, UsesZip64ForLargeEntriesAndFarOnes) {
  const std::uint64_t large = std::uint64_t{5} << 30;
  ZipWriter writer;
  const std::string head = writer.begin("x", large);
  EXPECT_EQ(load_le<std::uint64_t>(as_bytes(head).data() + head.size() - 8), large);
  EXPECT_EQ(writer.end_entry().size(), 24u);
  writer.begin("y", 1);
  EXPECT_EQ(writer.end_entry().size(), 16u);
  const std::string directory = writer.finish();
  EXPECT_NE(directory.find("PK\x06\x06"), std::string::npos);
  EXPECT_NE(directory.find("PK\x06\x07"), std::string::npos);
}

}  // namespace
}  // namespace cairn::web
