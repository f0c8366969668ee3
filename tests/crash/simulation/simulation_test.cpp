#include "tests/crash/simulation/simulation.h"

#include <gtest/gtest.h>

namespace cairn::crash {
namespace {

TEST(Simulation, EveryAcknowledgedInstanceSurvives) {
  std::uint64_t acknowledged = 0, changed = 0, refused = 0, poisoned = 0, dropped = 0, compacted = 0, let_go = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    const Report report = simulate(seed, {});
    ASSERT_EQ(report.violation, "") << "seed " << seed;
    acknowledged += report.acknowledged;
    changed += report.changed;
    refused += report.refused;
    poisoned += report.poisoned;
    dropped += report.dropped;
    compacted += report.compacted;
    let_go += report.let_go;
  }
  // The runs did go where it hurts.
  EXPECT_GT(acknowledged, 5'000u);
  EXPECT_GT(changed, 500u);
  EXPECT_GT(refused, 100u);
  EXPECT_GT(poisoned, 50u);
  EXPECT_GT(dropped, 50u);
  EXPECT_GT(compacted, 500u);
  EXPECT_GT(let_go, 50u);
}

TEST(Simulation, EveryAcknowledgedInstanceSurvivesOnTwoVolumes) {
  Settings settings;
  settings.volumes = 2;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const Report report = simulate(seed, settings);
    ASSERT_EQ(report.violation, "") << "seed " << seed;
  }
}

TEST(Simulation, TheSameSeedGivesTheSameRun) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Report a = simulate(seed, {}), b = simulate(seed, {});
    EXPECT_EQ(a.acknowledged, b.acknowledged);
    EXPECT_EQ(a.refused, b.refused);
    EXPECT_EQ(a.dropped, b.dropped);
  }
}

int losses_in(const Settings& settings, int enough = 25) {
  int losses = 0;
  for (std::uint64_t seed = 1; seed <= 100 && losses < enough; ++seed) {
    losses += !simulate(seed, settings).violation.empty();
  }
  return losses;
}

TEST(Simulation, ALogWhoseFlushIsRemovedIsCaught) {
  Settings settings;
  settings.faults = false;
  settings.swallow_flushes = true;
  EXPECT_GT(losses_in(settings), 20);
}

TEST(Simulation, ACompactionThatForgetsWhatIsOnItsWayIsCaught) {
  Settings settings;
  settings.faults = false;
  settings.compactions = 1;
  settings.sabotage = store::Sabotage::compact_what_is_under_way;
  EXPECT_EQ(losses_in(settings, 4), 4);
}

TEST(Simulation, ALogThatAcknowledgesBeforeTheFlushIsCaught) {
  Settings settings;
  settings.faults = false;
  settings.sabotage = store::Sabotage::acknowledge_before_flush;
  EXPECT_GT(losses_in(settings), 20);
}

}  // namespace
}  // namespace cairn::crash
