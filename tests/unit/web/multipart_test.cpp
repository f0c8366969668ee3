#include "engine/web/multipart.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/unit/web/multipart_parser.h"

namespace cairn::web {
namespace {

TEST(Multipart, ParsesBackToWhatWasWritten) {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    const std::string boundary = new_boundary();
    std::vector<std::string> bodies(1 + random() % 5);
    std::string whole;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      bodies[i].resize(random() % 300);
      for (char& c : bodies[i]) c = "\r\n-ab\0"[random() % 6];
      whole += part_head(boundary, i == 0, "application/dicom;transfer-syntax=1.2", bodies[i].size(),
                         "/x/" + std::to_string(i));
      whole += bodies[i];
    }
    whole += closing(boundary);
    const auto parts = testing::parse_multipart(whole, boundary);
    ASSERT_TRUE(parts) << "round " << round;
    ASSERT_EQ(parts->size(), bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      EXPECT_EQ((*parts)[i].body, bodies[i]);
      EXPECT_EQ((*parts)[i].headers.at("content-type"), "application/dicom;transfer-syntax=1.2");
      EXPECT_EQ((*parts)[i].headers.at("content-length"), std::to_string(bodies[i].size()));
      EXPECT_EQ((*parts)[i].headers.at("content-location"), "/x/" + std::to_string(i));
    }
  }
}

TEST(Multipart, BoundariesDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(new_boundary()).second);
}

}  // namespace
}  // namespace cairn::web
