#include "engine/web/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace cairn::web {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;

ClientMetric with_labels(const Labels& labels) {
  ClientMetric metric;
  for (const auto& [name, value] : labels) {
    ClientMetric::Label label;
    label.name = name;
    label.value = value;
    metric.label.push_back(std::move(label));
  }
  return metric;
}

double as_double(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

struct MetricsWriter::State {
  std::map<std::string, prometheus::MetricFamily> families;

  void add(const std::string& name, const std::string& help, MetricType type, ClientMetric metric) {
    auto& family = families[name];
    family.name = name;
    family.help = help;
    family.type = type;
    family.metric.push_back(std::move(metric));
  }
};

MetricsWriter::MetricsWriter() : state_(std::make_unique<State>()) {}
MetricsWriter::~MetricsWriter() = default;

void MetricsWriter::counter(const std::string& name, const std::string& help, double value, const Labels& labels) {
  ClientMetric metric = with_labels(labels);
  metric.counter.value = value;
  state_->add(name, help, MetricType::Counter, std::move(metric));
}

void MetricsWriter::gauge(const std::string& name, const std::string& help, double value, const Labels& labels) {
  ClientMetric metric = with_labels(labels);
  metric.gauge.value = value;
  state_->add(name, help, MetricType::Gauge, std::move(metric));
}

void MetricsWriter::histogram(const std::string& name, const std::string& help, const Histogram::Snapshot& snapshot,
                              double scale, const Labels& labels) {
  ClientMetric metric = with_labels(labels);
  metric.histogram.sample_count = snapshot.count;
  metric.histogram.sample_sum = as_double(snapshot.sum) * scale;
  std::uint64_t cumulative = 0;
  std::size_t used = Histogram::kBuckets;
  while (used > 1 && snapshot.counts[used - 1] == 0) --used;
  for (std::size_t i = 0; i < used && i + 1 < Histogram::kBuckets; ++i) {
    cumulative += snapshot.counts[i];
    // Bucket i holds the values of i significant bits.
    metric.histogram.bucket.push_back({cumulative, (std::ldexp(1.0, static_cast<int>(i)) - 1) * scale});
  }
  metric.histogram.bucket.push_back({snapshot.count, std::numeric_limits<double>::infinity()});
  state_->add(name, help, MetricType::Histogram, std::move(metric));
}

std::string MetricsWriter::text() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [name, family] : state_->families) families.push_back(family);
  return prometheus::TextSerializer().Serialize(families);
}

void write_archive_metrics(MetricsWriter& writer, const archive::Stats& stats) {
  const auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    writer.counter(name, help, as_double(value));
  };
  const auto gauge = [&](const char* name, const char* help, std::uint64_t value) {
    writer.gauge(name, help, as_double(value));
  };
  counter("cairn_compaction_segments_total", "Segments that compaction removed since start", stats.compaction.segments);
  counter("cairn_compaction_reclaimed_bytes_total", "Bytes that compaction gave back since start",
          static_cast<std::uint64_t>(std::max<std::int64_t>(stats.compaction.reclaimed_bytes, 0)));
  gauge("cairn_compaction_running", "Whether compaction is under way", stats.compaction.running);
  gauge("cairn_garbage_bytes", "Bytes in segments that nobody could ask for, when compaction last began",
        stats.compaction.last.garbage_bytes);
  counter("cairn_ingest_instances_total", "Instances received whole since start", stats.received_instances);
  counter("cairn_ingest_bytes_total", "Bytes of instances received since start", stats.received_bytes);
  counter("cairn_ingest_identical_total", "Instances that were already there", stats.identical);
  counter("cairn_ingest_replaced_total", "Instances that took the place of other content", stats.replaced);
  counter("cairn_ingest_refused_total", "Instances refused by content or policy", stats.refused);
  counter("cairn_ingest_failed_total", "Instances that could not be stored", stats.failed);
  gauge("cairn_ingest_in_flight_bytes", "Data between sockets and log", stats.in_flight_bytes);
  gauge("cairn_ingest_in_flight_budget_bytes", "Most data between sockets and log", stats.in_flight_budget_bytes);
  gauge("cairn_stored_patients", "Patients in the index", stats.counts.patients);
  gauge("cairn_stored_studies", "Studies in the index", stats.counts.studies);
  gauge("cairn_stored_series", "Series in the index", stats.counts.series);
  gauge("cairn_stored_instances", "Instances in the index", stats.counts.instances);
  gauge("cairn_stored_history_instances", "Earlier content kept in history", stats.counts.history);
  gauge("cairn_stored_bytes", "Bytes of the instances in the index", stats.counts.bytes);
  gauge("cairn_index_lag_commits", "Commits that are durable but not applied",
        stats.committed > stats.applied ? stats.committed - stats.applied : 0);
  gauge("cairn_index_unpersisted_commits", "Applied commits that a crash would replay",
        stats.applied > stats.persisted ? stats.applied - stats.persisted : 0);
  for (const auto& volume : stats.volumes) {
    const Labels label{{"volume", std::to_string(volume.id)}};
    const auto counted = [&](const char* name, const char* help, std::uint64_t value) {
      writer.counter(name, help, as_double(value), label);
    };
    const auto measured = [&](const char* name, const char* help, std::uint64_t value) {
      writer.gauge(name, help, as_double(value), label);
    };
    counted("cairn_volume_appended_bytes_total", "Bytes handed to the volume", volume.appended_bytes);
    counted("cairn_volume_durable_bytes_total", "Bytes flushed", volume.durable_bytes);
    counted("cairn_volume_device_bytes_total", "Bytes written, prewriting and padding included", volume.device_bytes);
    measured("cairn_volume_segments", "Segments", volume.segments);
    measured("cairn_volume_sealed_segments", "Sealed segments", volume.sealed);
    measured("cairn_volume_poisoned_segments", "Segments given up after a failed write or flush", volume.poisoned);
    measured("cairn_volume_prewritten_segments", "Segments ready for use", volume.prewritten);
    measured("cairn_volume_free_bytes", "Free space of the file system", volume.free_bytes);
    measured("cairn_volume_queue_depth", "Requests waiting for the appender", volume.queue_depth);
    measured("cairn_volume_full", "1 when the volume is at its reserve and takes no store", volume.full ? 1 : 0);
    measured("cairn_volume_failed", "1 when the volume takes no more data", volume.failed ? 1 : 0);
    writer.histogram("cairn_volume_batch_instances", "Instances made durable by one flush", volume.batch_instances, 1,
                     label);
    writer.histogram("cairn_volume_flush_seconds", "Time of one flush", volume.flush_us, 1e-6, label);
  }
}

void write_pool_metrics(MetricsWriter& writer, const io::WorkerPool& pool) {
  const char* queued = "cairn_worker_queued";
  const char* help = "Work that waits for a thread";
  writer.gauge(queued, help, as_double(pool.queued(io::WorkClass::interactive)), {{"class", "interactive"}});
  writer.gauge(queued, help, as_double(pool.queued(io::WorkClass::background)), {{"class", "background"}});
  writer.gauge("cairn_worker_running", "Work that runs", as_double(pool.running()));
  writer.gauge("cairn_worker_threads", "Threads of the worker pool", as_double(pool.threads()));
}

void write_http_metrics(MetricsWriter& writer, const HttpStats::Snapshot& stats) {
  for (const auto& [key, count] : stats.requests) {
    writer.counter("cairn_http_requests_total", "Requests answered", as_double(count),
                   {{"protocol", std::string(to_string(std::get<0>(key)))},
                    {"route", std::get<1>(key)},
                    {"status", std::to_string(std::get<2>(key))}});
  }
  const auto gauge = [&](const char* name, const char* help, std::int64_t value) {
    writer.gauge(name, help, static_cast<double>(value));
  };
  gauge("cairn_http_connections", "Connections", stats.connections);
  gauge("cairn_http2_connections", "Connections that speak HTTP/2", stats.http2_connections);
  gauge("cairn_http2_streams", "Requests under way on HTTP/2 connections", stats.http2_streams);
  gauge("cairn_http2_held_bytes", "Bytes of answers held until HTTP/2 peers take them", stats.http2_held_bytes);
  for (const auto& [reason, count] : stats.ended) {
    writer.counter("cairn_http2_ended_for_cause_total", "HTTP/2 connections ended because of their peer",
                   as_double(count), {{"reason", reason}});
  }
  writer.histogram("cairn_http_request_seconds", "From the end of the header to the end of the answer",
                   stats.microseconds, 1e-6);
  writer.counter("cairn_http_sent_body_bytes_total", "Bytes of bodies sent", as_double(stats.sent_body_bytes));
  writer.counter("cairn_http_cut_responses_total", "Answers that ended before they were whole", as_double(stats.cut));
}

}  // namespace cairn::web
