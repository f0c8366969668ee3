// What commitments asked for is remembered for a while, and memory stays bounded whoever asks for how much.
#include "engine/dimse/recent_commitments.h"

#include <gtest/gtest.h>

namespace cairn::dimse {
namespace {

CommitmentRequest request_for(std::size_t number, std::size_t references) {
  CommitmentRequest out;
  out.transaction_uid = "1.9." + std::to_string(number);
  for (std::size_t i = 0; i < references; ++i) {
    out.references.push_back({"1.2.840.10008.5.1.4.1.1.2", "1.2." + std::to_string(number) + '.' + std::to_string(i)});
  }
  return out;
}

std::size_t named(const RecentCommitments& recent, std::string_view uid) {
  return recent.naming([&](std::string_view one) { return one == uid; }).size();
}

TEST(RecentCommitmentsTest, AreFoundByAnyInstanceThatTheyName) {
  RecentCommitments recent;
  recent.add(request_for(1, 3));
  recent.add(request_for(2, 1));
  recent.add(request_for(1, 1));
  const auto found = recent.naming([](std::string_view uid) { return uid == "1.2.1.0"; });
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].references.size(), 3u);
  EXPECT_EQ(named(recent, "1.2.1.2"), 1u);
  EXPECT_EQ(named(recent, "1.2.9.0"), 0u);
}

TEST(RecentCommitmentsTest, TheOldestGoFirst) {
  RecentCommitments recent;
  for (std::size_t i = 0; i <= RecentCommitments::kMostRequests; ++i) recent.add(request_for(i, 1));
  EXPECT_EQ(named(recent, "1.2.0.0"), 0u);
  EXPECT_EQ(named(recent, "1.2.1.0"), 1u);
  recent.add(request_for(7'777'777, RecentCommitments::kMostReferences - 1));
  EXPECT_EQ(named(recent, "1.2." + std::to_string(RecentCommitments::kMostRequests) + ".0"), 1u);
  EXPECT_EQ(named(recent, "1.2." + std::to_string(RecentCommitments::kMostRequests - 1) + ".0"), 0u);
  recent.add(request_for(8'888'888, RecentCommitments::kMostReferences + 1));  // more than is remembered at all
  EXPECT_EQ(named(recent, "1.2.7777777.0"), 1u);
}

}  // namespace
}  // namespace cairn::dimse
