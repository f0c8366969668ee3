#include "engine/web/pages.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

TEST(Pages, EscapeWhatComesFromADataSet) {
  EXPECT_EQ(html_escaped("<script>\"a\"&'b'"), "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39;");
}

TEST(Pages, ShowNamesAsPeopleReadThem) {
  EXPECT_EQ(readable_name("Doe^John^Q"), "Doe, John Q");
  EXPECT_EQ(readable_name("Doe"), "Doe");
  EXPECT_EQ(readable_name("Doe^^"), "Doe");
  EXPECT_EQ(readable_name("Yamada^Tarou=山田^太郎"), "Yamada, Tarou");
  EXPECT_EQ(readable_name("=山田^太郎"), "山田, 太郎");
  EXPECT_EQ(readable_name(""), "");
}

}  // namespace
}  // namespace cairn::web
