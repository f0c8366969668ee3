#include "engine/core/uid.h"

#include <gtest/gtest.h>

#include <set>

namespace cairn {
namespace {

TEST(Uid, AcceptsWhatTheFieldSendsAndNothingThatCannotBeAKey) {
  EXPECT_TRUE(is_usable_uid("1.2.840.10008.1.1"));
  EXPECT_TRUE(is_usable_uid("1.2.03"));
  EXPECT_FALSE(is_usable_uid(""));
  EXPECT_FALSE(is_usable_uid("1.2.a"));
  EXPECT_FALSE(is_usable_uid("1.2/../3"));
  EXPECT_FALSE(is_usable_uid(std::string(65, '1')));
}

TEST(Uid, TrimsPadding) { EXPECT_EQ(trim_uid(std::string_view("1.2.3\0", 6)), "1.2.3"); }

TEST(Uid, NewOnesAreUsableAndDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uid = new_uid();
    EXPECT_TRUE(is_usable_uid(uid)) << uid;
    EXPECT_TRUE(seen.insert(uid).second);
  }
}

TEST(Uid, DerivedOnesRepeat) {
  EXPECT_EQ(derived_uid("a"), derived_uid("a"));
  EXPECT_NE(derived_uid("a"), derived_uid("b"));
}

}  // namespace
}  // namespace cairn
