// What real frames and videos say of themselves, against the data sets that they came in.
#include "codec/codestream.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace cairn::codec {
namespace {

std::string corpus(const char* name) {
  std::ifstream in(std::string(CAIRN_SOURCE_DIR "/tests/fuzz/corpus/codec_codestream/") + name, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

struct Expected {
  const char* file;
  std::string_view syntax;
  std::uint32_t rows, columns;
  std::uint16_t samples, bits;
  const char* photometric;
  bool lossy;
};

TEST(Codestream, PicturesSayTheirSyntax) {
  for (const Expected& e : {Expected{"jls", uids::kJPEGLSLossless, 4, 4, 1, 8, "MONOCHROME2", false},
                            Expected{"jpeg", uids::kJPEGBaseline, 16, 16, 3, 8, "YBR_FULL_422", true},
                            Expected{"j2k", uids::kJPEG2000Lossless, 16, 16, 1, 8, "MONOCHROME2", false},
                            Expected{"jp2", uids::kJPEG2000Lossless, 16, 16, 1, 8, "MONOCHROME2", false}}) {
    const std::string bytes = corpus(e.file);
    const auto seen = inspect_picture(as_bytes(bytes), bytes.size());
    ASSERT_TRUE(seen) << e.file << ' ' << to_string(seen.error());
    EXPECT_EQ(seen.value().syntax->uid, e.syntax) << e.file;
    EXPECT_EQ(seen.value().rows, e.rows);
    EXPECT_EQ(seen.value().columns, e.columns);
    EXPECT_EQ(seen.value().samples_per_pixel, e.samples);
    EXPECT_EQ(seen.value().bits_stored, e.bits);
    EXPECT_EQ(seen.value().photometric, e.photometric);
    EXPECT_EQ(seen.value().lossy, e.lossy);
    EXPECT_EQ(seen.value().offset, std::string_view(e.file) == "jp2" ? 20u : 0u);
  }
}

TEST(Codestream, VideosSayTheirExtentAndFrames) {
  const std::string mp4 = corpus("mp4");
  SpanSource source(as_bytes(mp4));
  const auto seen = inspect_video(source);
  ASSERT_TRUE(seen) << to_string(seen.error());
  EXPECT_EQ(seen.value().columns, 640u);
  EXPECT_EQ(seen.value().rows, 480u);
  EXPECT_EQ(seen.value().frames, 25u);
  EXPECT_EQ(seen.value().syntax->uid, "1.2.840.10008.1.2.4.102");
  const std::string mpeg2 = corpus("mpeg2");
  SpanSource other(as_bytes(mpeg2));
  const auto old = inspect_video(other);
  ASSERT_TRUE(old) << to_string(old.error());
  EXPECT_EQ(old.value().columns, 720u);
  EXPECT_EQ(old.value().rows, 576u);
  EXPECT_EQ(old.value().syntax->uid, "1.2.840.10008.1.2.4.100");
}

TEST(Codestream, EveryCutOfThemIsAnErrorOrTheSame) {
  for (const char* file : {"jls", "jpeg", "j2k", "jp2", "mp4", "mpeg2"}) {
    const std::string bytes = corpus(file);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const Bytes head = as_bytes(bytes).first(length);
      if (const auto seen = inspect_picture(head, length)) EXPECT_GT(seen.value().rows, 0u);
      SpanSource source(head);
      if (const auto seen = inspect_video(source)) EXPECT_GT(seen.value().rows, 0u);
    }
  }
}

}  // namespace
}  // namespace cairn::codec
