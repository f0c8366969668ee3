// Metrics in the Prometheus text format. Parts that web does not know (associations, volumes) add theirs through a
// MetricsSource. Names are "cairn_…" with their unit; labels never hold what identifies a patient.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/core/histogram.h"
#include "engine/io/worker_pool.h"
#include "engine/web/http_stats.h"

namespace cairn::web {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Collects samples; those of one name stand together in the text whatever the order of adding.
class MetricsWriter {
 public:
  MetricsWriter();
  ~MetricsWriter();

  void counter(const std::string& name, const std::string& help, double value, const Labels& labels = {});
  void gauge(const std::string& name, const std::string& help, double value, const Labels& labels = {});
  /// `scale` turns a recorded value into the unit of the name: 1e-6 for microseconds under a name in seconds.
  void histogram(const std::string& name, const std::string& help, const Histogram::Snapshot& snapshot, double scale,
                 const Labels& labels = {});

  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Called on a worker thread for each scrape.
using MetricsSource = std::function<void(MetricsWriter&)>;

void write_archive_metrics(MetricsWriter& writer, const archive::Stats& stats);
void write_pool_metrics(MetricsWriter& writer, const io::WorkerPool& pool);
void write_http_metrics(MetricsWriter& writer, const HttpStats::Snapshot& stats);

}  // namespace cairn::web
