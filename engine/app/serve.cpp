// `cairn serve`: wiring, start and shutdown order.
//
// Up: decoder processes, pools, archive (lock, log, index, replay), volumes, DICOM, HTTP, then the ready line. Down, in
// reverse: no new associations or requests, those under way end within their grace, the log flushes and seals, the lock
// goes.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "engine/app/commands.h"
#include "engine/app/conformance.h"
#include "engine/app/decoder_metrics.h"
#include "engine/app/dimse_metrics.h"
#include "engine/app/open.h"
#include "engine/archive/retention.h"
#include "engine/dimse/server.h"
#include "engine/sandbox/decoder_processes.h"
#include "engine/volumes/service.h"
#include "engine/web/server.h"
#include "engine/web/volume_metrics.h"

namespace cairn::app {
namespace {

constexpr std::chrono::seconds kDicomGrace{15}, kHttpGrace{10};
constexpr std::chrono::seconds kBackgroundGrace{30};
constexpr std::size_t kBlockingThreads = 4;  ///< threads that wait for index and segment reads, not for the CPU

/// One io_context with one thread per core; a connection lives on its core.
class Reactors {
 public:
  explicit Reactors(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      guards_.emplace_back(asio::make_work_guard(*contexts_.back()));
    }
    for (std::size_t i = 0; i < count; ++i) {
      threads_.emplace_back([context = contexts_[i].get(), i] {
        pthread_setname_np(pthread_self(), ("reactor-" + std::to_string(i)).c_str());
        context->run();
      });
    }
  }
  ~Reactors() {
    guards_.clear();
    for (auto& context : contexts_) context->stop();
    for (auto& thread : threads_) thread.join();
  }
  std::vector<asio::io_context*> pointers() const {
    std::vector<asio::io_context*> all;
    for (const auto& context : contexts_) all.push_back(context.get());
    return all;
  }

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

dimse::Options dimse_options(const Config& config) {
  dimse::Options options;
  const auto& d = config.dicom;
  options.address = d.address;
  options.port = d.port;
  options.ae_title = d.ae_title;
  for (const auto& caller : d.callers)
    options.callers.push_back({caller.ae_title, caller.addresses, caller.duplicates});
  for (const auto& remote : d.remotes) {
    dimse::Remote made;
    made.ae_title = remote.ae_title;
    made.host = remote.host;
    made.port = remote.port;
    made.max_associations = remote.max_associations;
    made.associations_per_move = remote.associations_per_move;
    made.connect = std::chrono::seconds(remote.connect_timeout_s);
    made.answer = std::chrono::seconds(remote.answer_timeout_s);
    made.retries = remote.retries;
    made.retry_wait = std::chrono::milliseconds(remote.retry_wait_ms);
    made.transfer_syntaxes = remote.transfer_syntaxes;
    options.remotes.push_back(std::move(made));
  }
  options.moves_outlive_requester = d.moves_outlive_requester;
  options.commitment_journal = config.archive.data / "commitments";
  options.max_find_matches = d.max_find_matches;
  options.commitment_give_up = std::chrono::hours(d.commitment_hours);
  options.duplicates = d.duplicates;
  options.accept_unknown_sop_classes = d.accept_unknown_sop_classes;
  options.max_associations = d.max_associations;
  options.max_pdu_bytes = d.max_pdu_bytes;
  options.async_window = d.async_window;
  options.artim = std::chrono::seconds(d.artim_timeout_s);
  options.idle = std::chrono::seconds(d.idle_timeout_s);
  options.stall = std::chrono::seconds(d.stall_timeout_s);
  return options;
}

archive::RetentionOptions retention_options(const Config& config) {
  archive::RetentionOptions options;
  options.per_hour = config.retention.removals_per_hour;
  for (const RetentionRuleConfig& rule : config.retention.rules) {
    using archive::RetentionRule;
    RetentionRule made;
    made.name = rule.name;
    made.level = rule.of_series ? RetentionRule::Level::series : RetentionRule::Level::study;
    made.age_of = rule.by_study_date ? RetentionRule::AgeOf::study_date : RetentionRule::AgeOf::change;
    made.age = std::chrono::days(rule.age_days);
    made.modalities = rule.modalities;
    made.removes_the_only_copy = rule.removes_the_only_copy;
    made.below_free_bytes = rule.below_free_gib << 30;
    made.until_free_bytes = rule.until_free_gib << 30;
    options.rules.push_back(std::move(made));
  }
  return options;
}

template <class T>
T started(Result<T> result, const std::string& what) {
  if (!result) throw std::runtime_error(what + ": " + to_string(result.error()));
  return std::move(result).value();
}

/// SIGTERM and SIGINT are taken by wait_for_end() alone; every thread made later inherits the mask.
sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

/// Every association and connection takes a descriptor; without one, a peer would wait for an answer in vain.
void raise_descriptor_limit(const Config& config) {
  constexpr rlim_t kOwn = 512;  // segments, the index, queues
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = config.dicom.max_associations + config.http.max_connections + kOwn;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == wanted) return;
  log::warning("the limit of open files is too low for the associations and connections allowed",
               {{"limit", limit.rlim_cur}, {"wanted", wanted}});
}

/// The decoders' processes, known to codec while this lives.
class Decoders {
 public:
  Decoders(const Config& config, std::size_t threads) {
    if (!config.codec.in_processes) {
      log::warning("decoders run in the server itself: a hostile stream can end it, or worse ([codec] isolation)");
      return;
    }
    sandbox::Options options;
    options.processes = config.codec.processes ? config.codec.processes : threads;
    options.memory_bytes = config.codec.memory_mib << 20;
    options.cpu_time = std::chrono::seconds(config.codec.frame_cpu_s);
    processes_ = started(sandbox::DecoderProcesses::start(options),
                         "decoder processes (codec.isolation = \"none\" does without)");
    codec::set_foreign_runner(processes_.get());
  }
  ~Decoders() { codec::set_foreign_runner(nullptr); }
  const sandbox::DecoderProcesses* processes() const { return processes_.get(); }

 private:
  std::unique_ptr<sandbox::DecoderProcesses> processes_;
};

}  // namespace

int serve(const Config& config) {
  const sigset_t end_signals = block_end_signals();
  raise_descriptor_limit(config);
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t threads = config.workers.threads ? config.workers.threads : cores;
  const Decoders decoders(config, threads);
  io::WorkerPool blocking(kBlockingThreads, "blocking");
  io::WorkerPool workers(threads, "worker");

  const auto archive = open_archive_alone(archive_options(config), blocking);
  Endpoint::remove(config.archive.data);  // left by a server that was killed
  const store::ReplaySummary replayed = archive->opened_with();
  for (const auto& fault : replayed.faults) {
    log::error("damage", {{"volume", fault.location.volume},
                          {"segment", fault.location.segment},
                          {"offset", fault.location.offset},
                          {"instance", fault.sop_instance_uid},
                          {"error", fault.error}});
  }
  log::info("archive open", {{"data", config.archive.data.string()},
                             {"replayed", replayed.commits},
                             {"read_bytes", replayed.bytes_read},
                             {"last", replayed.last}});
  {
    volumes::Service volumes(*archive, workers, {.cache_bytes = config.volumes.cache_mib << 20});
    archive::Retention retention(*archive, retention_options(config));
    Reactors reactors(cores);
    const auto dicom = started(dimse::Server::start(dimse_options(config), *archive, blocking, reactors.pointers()),
                               "DICOM server at " + config.dicom.address + ':' + std::to_string(config.dicom.port));
    web::ServerOptions http;
    http.address = config.http.address;
    http.port = config.http.port;
    http.limits.connections = config.http.max_connections;
    http.limits.streams = config.http.max_streams;
    http.admin.off_loopback = config.http.admin_off_loopback;
    http.admin.duplicate_policy = config.dicom.duplicates;
    http.removal.from = config.http.manage_from;
    http.retention = config.retention.rules.empty() ? nullptr : &retention;
    http.study_complete_after = std::chrono::seconds(config.archive.study_complete_after_s);
    http.announcements = [&dicom](const std::function<bool(std::string_view)>& is_of) {
      std::vector<web::Announcement> out;
      for (const dimse::CommitmentRequest& request : dicom->commitments_naming(is_of)) {
        web::Announcement made{request.requester_ae, request.transaction_uid, {}};
        for (const auto& reference : request.references) made.sop_instance_uids.push_back(reference.sop_instance_uid);
        out.push_back(std::move(made));
      }
      return out;
    };
    http.cross_origin.origins = config.http.cross_origins;
    http.https.address = config.http.https_address;
    http.https.port = config.http.https_port;
    http.https.certificate = config.http.certificate;
    http.https.key = config.http.key;
    http.store.off_loopback = config.http.store_off_loopback;
    http.store.duplicate_policy = config.dicom.duplicates;
    http.store.spool_directory = config.archive.data;
    http.metadata_cache_bytes = config.http.metadata_cache_mib << 20;
    http.operating.conformance = [&config](const std::vector<web::Route>& routes) {
      std::vector<ConformanceRoute> all;
      for (const web::Route& route : routes) all.push_back({route.method, route.path});
      return conformance_statement(config, all);
    };
    http.operating.metrics.push_back([&](web::MetricsWriter& writer) { write_dimse_metrics(writer, dicom->stats()); });
    http.operating.metrics.push_back([&](web::MetricsWriter& writer) { web::write_volume_metrics(writer, volumes); });
    if (const auto* processes = decoders.processes()) {
      http.operating.metrics.push_back(
          [processes](web::MetricsWriter& writer) { write_decoder_metrics(writer, processes->stats()); });
    }
    const auto web = started(web::Server::start(http, *archive, &volumes, blocking, reactors.pointers()),
                             "HTTP server at " + config.http.address + ':' + std::to_string(config.http.port));

    retention.start();
    const Endpoint endpoint{config.http.address, web->port(), config.dicom.address, dicom->port(),
                            config.dicom.ae_title};
    endpoint.write(config.archive.data);
    std::cout << "ready dicom=" << endpoint.dicom_address << ':' << endpoint.dicom_port
              << " http=" << endpoint.http_address << ':' << endpoint.http_port << std::endl;
    log::info(
        "ready",
        {{"ae_title", endpoint.ae_title}, {"dicom_port", endpoint.dicom_port}, {"http_port", endpoint.http_port}});

    int received = 0;
    sigwait(&end_signals, &received);
    log::info("draining", {{"signal", received}});
    Endpoint::remove(config.archive.data);
    retention.stop();
    dicom->stop(kDicomGrace);
    web->drain(kHttpGrace);
    // Checks of commitments read the archive, which goes next.
    if (!blocking.settle(io::WorkClass::background, kBackgroundGrace)) log::error("background work did not end");
  }
  archive->close();
  log::info("stopped");
  return 0;
}

}  // namespace cairn::app
