#include "engine/web/uri.h"

#include <random>

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Target, IsSplitBeforeItIsDecoded) {
  const auto target = parse_target("/a%2Fb/c?x=1%262&y&=z&q=a+b%2B").value();
  EXPECT_EQ(target.segments, (std::vector<std::string>{"a/b", "c"}));
  EXPECT_EQ(target.parameters, (Pairs{{"x", "1&2"}, {"y", ""}, {"", "z"}, {"q", "a b+"}}));
}

TEST(Target, ForgetsOneTrailingSlashAndTheFragment) {
  EXPECT_EQ(parse_target("/studies/").value().segments, (std::vector<std::string>{"studies"}));
  EXPECT_EQ(parse_target("/studies//").value().segments, (std::vector<std::string>{"studies", ""}));
  EXPECT_TRUE(parse_target("/").value().segments.empty());
  EXPECT_EQ(parse_target("/a#b?c=d").value().parameters.size(), 0u);
}

TEST(Target, InAbsoluteFormIsTaken) {
  EXPECT_EQ(parse_target("http://host:80/a/b?c=d").value().segments, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(parse_target("http://host").value().segments.empty());
}

TEST(Target, ThatIsNoPathIsRefused) {
  for (const char* bad :
       {"", "*", "a/b", "/a/../b", "/a/%2e%2E/b", "/a/./b", "/%", "/%4", "/%zz", "/%00", "/a%0d%0ab", "/?x=%1"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
  EXPECT_EQ(parse_target(std::string(200, '/')).error(), Errc::limit_exceeded);
  std::string many = "/?";
  for (int i = 0; i < 1000; ++i) many += "a=b&";
  EXPECT_EQ(parse_target(many).error(), Errc::limit_exceeded);
}

TEST(Percent, EncodingIsUndoneByDecoding) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 20, ' ');
    for (char& c : text) c = static_cast<char>(0x20 + random() % 0xd0);
    for (char& c : text) {
      if (c == 0x7f) c = 'x';
    }
    EXPECT_EQ(percent_decode(percent_encode(text), true).value(), text);
  }
}

}  // namespace
}  // namespace cairn::web
