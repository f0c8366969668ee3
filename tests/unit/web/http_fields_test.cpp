#include "engine/web/http_fields.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

using Kind = RangeRequest::Kind;

TEST(Range, OfOnePieceIsCutToTheSize) {
  const auto check = [](const char* text, std::uint64_t first, std::uint64_t length) {
    const auto asked = parse_range(text, 1000);
    ASSERT_EQ(asked.kind, Kind::part) << text;
    EXPECT_EQ(asked.range.first, first) << text;
    EXPECT_EQ(asked.range.length, length) << text;
  };
  check("bytes=0-0", 0, 1);
  check("bytes=0-", 0, 1000);
  check("bytes=999-5000", 999, 1);
  check("bytes=-1", 999, 1);
  check("bytes=-5000", 0, 1000);
  check("Bytes= 10 - 19 ", 10, 10);
  check("bytes=5-18446744073709551615", 5, 995);
}

TEST(Range, PastTheEndIsUnsatisfiable) {
  for (const char* text : {"bytes=1000-", "bytes=1000-2000", "bytes=-0"}) {
    EXPECT_EQ(parse_range(text, 1000).kind, Kind::unsatisfiable) << text;
  }
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, Kind::unsatisfiable);
  EXPECT_EQ(parse_range("bytes=-5", 0).kind, Kind::unsatisfiable);
}

TEST(Range, ThatWeDoNotServeAsksForTheWhole) {
  for (const char* text : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,4-5", "items=0-1",
                           "bytes=99999999999999999999-", "bytes=0-99999999999999999999", "bytes=--1"}) {
    EXPECT_EQ(parse_range(text, 1000).kind, Kind::whole) << text;
  }
}

TEST(ETag, MatchesByWeakComparison) {
  EXPECT_TRUE(matches_etag("\"a\"", "\"a\""));
  EXPECT_TRUE(matches_etag(" \"x\" , W/\"a\"", "\"a\""));
  EXPECT_TRUE(matches_etag("*", "\"a\""));
  EXPECT_FALSE(matches_etag("\"b\"", "\"a\""));
  EXPECT_FALSE(matches_etag("", "\"a\""));
}

TEST(Host, MayBePutIntoUrlsOnlyWhenPlain) {
  EXPECT_TRUE(is_plain_host("localhost:8080"));
  EXPECT_TRUE(is_plain_host("[::1]:80"));
  for (const char* bad : {"", "a b", "a/b", "a\"b", "a@b", "a<b"}) EXPECT_FALSE(is_plain_host(bad)) << bad;
}

TEST(Host, NamesThatForeignDnsCannotPointHere) {
  EXPECT_TRUE(is_local_or_literal(host_name("localhost:8080")));
  EXPECT_TRUE(is_local_or_literal(host_name("127.0.0.1:8080")));
  EXPECT_TRUE(is_local_or_literal(host_name("[::1]:8080")));
  EXPECT_FALSE(is_local_or_literal(host_name("evil.example:8080")));
  EXPECT_FALSE(is_local_or_literal(host_name("127.0.0.1.evil.example")));
  EXPECT_FALSE(is_local_or_literal(""));
}

TEST(Origin, IsTheSameForTheSameHostOnly) {
  EXPECT_TRUE(is_same_origin("http://localhost:8080", "localhost:8080"));
  EXPECT_TRUE(is_same_origin("https://pacs.example", "PACS.example"));
  EXPECT_FALSE(is_same_origin("http://localhost:3000", "localhost:8080"));
  EXPECT_FALSE(is_same_origin("null", "localhost:8080"));
  EXPECT_FALSE(is_same_origin("", ""));
}

}  // namespace
}  // namespace cairn::web
