#include "engine/core/log.h"

#include <gtest/gtest.h>

namespace cairn::log {
namespace {

TEST(Log, EscapesWhatAPeerSendsSoThatALineStaysALine) {
  EXPECT_EQ(escaped("STORESCU"), "STORESCU");
  EXPECT_EQ(escaped("two words"), "\"two words\"");
  EXPECT_EQ(escaped("a\nb\x1b[31m"), "a\\x0ab\\x1b[31m");
  EXPECT_EQ(escaped("say \"x\""), "\"say \\\"x\\\"\"");
  EXPECT_EQ(escaped(std::string(1000, 'x')).size(), 256u + 3u);
}

}  // namespace
}  // namespace cairn::log
