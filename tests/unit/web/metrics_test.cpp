#include "engine/web/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/web/operating.h"

namespace cairn::web {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, HistogramsAreCumulativeInTheUnitOfTheirName) {
  Histogram histogram;
  for (const std::uint64_t us : {0u, 1u, 2u, 3u, 1000u}) histogram.record(us);
  MetricsWriter writer;
  writer.histogram("cairn_x_seconds", "help", histogram.snapshot(), 1e-6);
  const std::string text = writer.text();
  EXPECT_THAT(text, HasSubstr("# TYPE cairn_x_seconds histogram"));
  EXPECT_THAT(text, HasSubstr("cairn_x_seconds_count 5"));
  EXPECT_THAT(text, HasSubstr("cairn_x_seconds_bucket{le=\"0\"} 1"));
  EXPECT_THAT(text, HasSubstr("} 4\n"));
  EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 5"));
}

TEST(Metrics, SamplesOfOneNameStandTogether) {
  MetricsWriter writer;
  writer.counter("cairn_a_total", "a", 1, {{"volume", "0"}});
  writer.gauge("cairn_b", "b", 2);
  writer.counter("cairn_a_total", "a", 3, {{"volume", "1"}});
  const std::string text = writer.text();
  EXPECT_EQ(text.find("# TYPE cairn_a_total"), text.rfind("# TYPE cairn_a_total"));
  EXPECT_THAT(text, HasSubstr("cairn_a_total{volume=\"0\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_a_total{volume=\"1\"} 3"));
}

TEST(Metrics, OfTheArchiveHaveLagAndVolumes) {
  archive::Stats stats;
  stats.committed = 10;
  stats.applied = 7;
  stats.persisted = 4;
  stats.volumes.resize(1);
  stats.volumes[0].free_bytes = 12345;
  MetricsWriter writer;
  write_archive_metrics(writer, stats);
  const std::string text = writer.text();
  EXPECT_THAT(text, HasSubstr("cairn_index_lag_commits 3"));
  EXPECT_THAT(text, HasSubstr("cairn_index_unpersisted_commits 3"));
  EXPECT_THAT(text, HasSubstr("cairn_volume_free_bytes{volume=\"0\"} 12345"));
}

TEST(Health, IsLostByAFailedVolumeOrALaggingIndex) {
  archive::Stats stats;
  stats.volumes.resize(2);
  stats.committed = 150;
  stats.applied = 100;
  EXPECT_TRUE(faults_of(stats, 100).empty());
  EXPECT_EQ(faults_of(stats, 10).size(), 1u);
  stats.volumes[1].failed = true;
  stats.volumes[1].id = 7;
  EXPECT_THAT(faults_of(stats, 100), ::testing::ElementsAre("storage volume 7 has failed"));
}

}  // namespace
}  // namespace cairn::web
