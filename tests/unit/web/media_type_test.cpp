#include "engine/web/media_type.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

TEST(Accept, KeepsTypesParametersAndQualities) {
  const auto ranges = parse_accept(
      "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1;q=0.5, Image/PNG , "
      "*/*;q=0.001");
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].type, "multipart");
  EXPECT_EQ(ranges[0].parameter("type"), "application/dicom");
  EXPECT_EQ(ranges[0].parameter("transfer-syntax"), "1.2.840.10008.1.2.1");
  EXPECT_EQ(ranges[0].quality, 500);
  EXPECT_TRUE(ranges[1].matches("image/png"));
  EXPECT_EQ(ranges[2].quality, 1);
}

TEST(Accept, TakesQuotedCommasAndEscapes) {
  const auto ranges = parse_accept(R"(a/b;x="1,2\"3;4",c/d)");
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].parameter("x"), "1,2\"3;4");
  EXPECT_EQ(ranges[1].subtype, "d");
}

TEST(Accept, TakesUnquotedTypesAsSendersWriteThem) {
  const auto ranges = parse_accept("multipart/related;type=application/dicom;transfer-syntax=*");
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].parameter("type"), "application/dicom");
  EXPECT_EQ(ranges[0].parameter("transfer-syntax"), "*");
}

TEST(Accept, SkipsWhatIsMalformedAndKeepsTheRest) {
  for (const char* text : {"nonsense, a/b", ", ,a/b", "x/;q, a/b", "a/b;;", "*/png, a/b", "c/d;q=2, a/b",
                           "c/d;q=0.1234, a/b", "c/d;x=\"open, a/b", "c d/e, a/b"}) {
    const auto ranges = parse_accept(text);
    const bool open_quote = std::string_view(text).find("open") != std::string_view::npos;
    ASSERT_EQ(ranges.size(), open_quote ? 0u : 1u) << text;
    if (!open_quote) EXPECT_TRUE(ranges[0].matches("a/b")) << text;
  }
}

TEST(Accept, IsBoundedInLength) {
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "a/b,";
  EXPECT_EQ(parse_accept(many).size(), kMaxMediaRanges);
}

TEST(Choice, FollowsQualityThenSpecificityThenOurOrder) {
  EXPECT_EQ(choose(parse_accept("image/png;q=0.5, image/jpeg;q=0.4"), {"image/jpeg", "image/png"}), 1u);
  EXPECT_EQ(choose(parse_accept("image/*, */*;q=0.1"), {"image/jpeg", "image/png"}), 0u);
  EXPECT_EQ(choose(parse_accept("image/*;q=0.9, image/jpeg;q=0.1"), {"image/jpeg", "image/png"}), 1u);
  EXPECT_EQ(choose(parse_accept("*/*, image/jpeg;q=0"), {"image/jpeg", "image/png"}), 1u);
  EXPECT_EQ(choose({}, {"image/jpeg"}), 0u);
  EXPECT_EQ(choose(parse_accept("text/html"), {"image/jpeg", "image/png"}), std::nullopt);
  EXPECT_EQ(choose(parse_accept("image/jpeg;q=0"), {"image/jpeg"}), std::nullopt);
}

TEST(MediaType, IsOneTypeAndNothingElse) {
  EXPECT_TRUE(parse_media_type("application/dicom"));
  EXPECT_TRUE(parse_media_type("text/plain; charset=utf-8"));
  for (const char* bad : {"", "application", "a/b, c/d", "*/*", "a/*", "a/b c"})
    EXPECT_FALSE(parse_media_type(bad)) << bad;
}

}  // namespace
}  // namespace cairn::web
