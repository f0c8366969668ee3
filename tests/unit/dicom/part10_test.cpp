#include "engine/dicom/part10.h"

#include <gtest/gtest.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/inflate.h"
#include "stream_builder.h"
#include "test_data.h"

namespace cairn::dicom {
namespace {

using namespace test;

TEST(FileMeta, HasTheBytesOfTable71_1) {
  const std::string meta = make_file_meta("1.2.3", "1.2.34", "1.2.840.10008.1.2.1", "AE1");
  EXPECT_EQ(meta.substr(0, 128), std::string(128, '\0'));
  EXPECT_EQ(meta.substr(128, 4), "DICM");
  using namespace std::string_view_literals;
  std::string group_length("\x02\x00\x00\x00UL\x04\x00"sv);
  group_length.push_back(static_cast<char>(meta.size() - 144));
  EXPECT_EQ(meta.substr(132, 12), group_length + std::string(3, '\0'));
  EXPECT_EQ(meta.substr(144, 14), "\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"sv);
  EXPECT_EQ(meta.substr(158, 14),
            "\x02\x00\x02\x00UI\x06\x00"
            "1.2.3\x00"sv);
  EXPECT_EQ(meta.size() % 2, 0u);
  const auto set = DataSet::parse(as_bytes(meta).subspan(132), kExplicitLE);
  ASSERT_TRUE(set);
  EXPECT_EQ(set.value().text(tags::TransferSyntaxUID), "1.2.840.10008.1.2.1");
  EXPECT_EQ(set.value().text(tags::ImplementationVersionName), "CAIRN_0_1");
  EXPECT_EQ(set.value().text(tags::ImplementationClassUID), kImplementationClassUID);
  EXPECT_LE(kImplementationClassUID.size(), 64u);
  EXPECT_EQ(set.value().text(tags::SourceApplicationEntityTitle), "AE1");
}

TEST(Part10Prefix, ReadsACompleteFile) {
  const std::string file = StreamBuilder().instance().file(kExplicitUID);
  const auto prefix = read_prefix(as_bytes(file));
  ASSERT_TRUE(prefix);
  EXPECT_TRUE(prefix.value().is_complete());
  EXPECT_EQ(prefix.value().meta_offset, 132u);
  EXPECT_EQ(file.substr(prefix.value().data_set_offset, 4), std::string("\x08\0\x16\0", 4));
  EXPECT_EQ(prefix.value().media_storage_sop_instance_uid, "1.2.3.4");
  EXPECT_EQ(prefix.value().source_ae, "SENDER");
  EXPECT_FALSE(prefix.value().is_dicomdir);
}

TEST(Part10Prefix, GuessesTheSyntaxOfABareDataSet) {
  const std::pair<Encoding, std::string_view> cases[] = {
      {kExplicitLE, kExplicitUID}, {kImplicitLE, kImplicitUID}, {kExplicitBE, kBigEndianUID}};
  for (const auto& [encoding, uid] : cases) {
    const std::string bare = StreamBuilder(encoding).instance().bytes();
    const auto prefix = read_prefix(as_bytes(bare));
    ASSERT_TRUE(prefix) << uid;
    EXPECT_FALSE(prefix.value().has_meta);
    EXPECT_FALSE(prefix.value().transfer_syntax_stated);
    EXPECT_EQ(prefix.value().data_set_offset, 0u);
    EXPECT_EQ(prefix.value().transfer_syntax_uid, uid);
    EXPECT_EQ(prefix.value().encoding, encoding);
  }
}

TEST(Part10Prefix, RefusesWhatIsNoDicom) {
  for (const std::string& other : {std::string(), std::string("PK\3\4 a zip file of some length"),
                                   std::string(500, '\0'), std::string("{\"json\": true, \"and\": \"so on\"}"),
                                   std::string("\x89PNG\r\n\x1a\n...."), std::string(2000, '\xff')}) {
    const auto prefix = read_prefix(as_bytes(other));
    ASSERT_FALSE(prefix) << other;
    EXPECT_EQ(prefix.error(), Errc::malformed);
  }
}

TEST(Part10Prefix, BoundsTheMeta) {
  StreamBuilder many;
  for (int i = 0; i < 1000; ++i) many.element({0x0002, 0x0102}, VR::UI, "");
  EXPECT_EQ(read_prefix(as_bytes(many.file(kExplicitUID).substr(0, 132) + many.bytes())).error(), Errc::limit_exceeded);
  StreamBuilder large;
  large.header(tags::PrivateInformation, VR::OB, 0x7fffffff);
  EXPECT_EQ(read_prefix(as_bytes(std::string(128, '\0') + "DICM" + large.bytes())).error(), Errc::limit_exceeded);
  EXPECT_EQ(read_prefix(as_bytes(StreamBuilder().file(kExplicitUID)).first(150)).error(), Errc::truncated);
}

TEST(Part10Prefix, ReadsTheOddFilesOfTheField) {
  CAIRN_NEEDS_TEST_DATA();
  const auto read = [](const char* name) {
    const std::string bytes = read_file(data_dir() / name);
    auto prefix = read_prefix(as_bytes(bytes));
    EXPECT_TRUE(prefix) << name;
    return prefix ? std::move(prefix).value() : Part10Prefix{};
  };
  EXPECT_EQ(read("malformed/ExplVR_BigEndNoMeta.dcm").transfer_syntax_uid, kBigEndianUID);
  EXPECT_EQ(read("malformed/ExplVR_LitEndNoMeta.dcm").transfer_syntax_uid, kExplicitUID);
  EXPECT_EQ(read("malformed/rtplan_no_preamble.dcm").transfer_syntax_uid, kImplicitUID);
  const Part10Prefix trap = read("malformed/no_preamble_dicm_in_data");  // "DICM" at 128 is part of a value
  EXPECT_EQ(trap.data_set_offset, 0u);
  EXPECT_EQ(trap.transfer_syntax_uid, kExplicitUID);
  const Part10Prefix no_syntax = read("malformed/meta_missing_tsyntax.dcm");
  EXPECT_TRUE(no_syntax.has_meta);
  EXPECT_FALSE(no_syntax.is_complete());
  EXPECT_EQ(no_syntax.transfer_syntax_uid, kImplicitUID);
  EXPECT_TRUE(read("malformed/no_meta_group_length.dcm").is_complete());
  EXPECT_TRUE(read("dicomdir/pcir-tiny/DICOMDIR").is_dicomdir);
  EXPECT_FALSE(read("malformed/MR_small_padded.dcm").is_dicomdir);
}

TEST(Inflate, StopsAtItsLimit) {
  // A stored block of five bytes: 01, length, its complement, data.
  const std::string stored("\x01\x05\x00\xfa\xffHello", 10);
  const auto whole = inflate_data_set(as_bytes(stored), 5);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole.value(), "Hello");
  EXPECT_EQ(inflate_data_set(as_bytes(stored), 4).error(), Errc::limit_exceeded);
  EXPECT_EQ(inflate_data_set(as_bytes(stored).first(7), 5).error(), Errc::truncated);
  EXPECT_EQ(inflate_data_set(as_bytes("\x07 nonsense"), 5).error(), Errc::malformed);
}

}  // namespace
}  // namespace cairn::dicom
