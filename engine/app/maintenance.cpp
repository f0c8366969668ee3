// The commands that look after an archive: import, verify, compact, reindex, dump-index, stats.
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

#include "engine/app/commands.h"
#include "engine/app/compact_text.h"
#include "engine/app/import_sinks.h"
#include "engine/app/open.h"
#include "engine/app/stats_text.h"
#include "engine/app/verify_text.h"
#include "engine/core/uid.h"
#include "engine/web/compaction.h"
#include "engine/web/stats_json.h"

namespace cairn::app {
namespace {

constexpr std::size_t kMaintenanceThreads = 4;

std::filesystem::path default_journal(const Config& config, const ImportArguments& arguments) {
  std::string seed;
  for (const auto& path : arguments.paths) seed += std::filesystem::absolute(path).string() + '\n';
  return config.archive.data / "import" / (derived_uid(seed) + ".journal");
}

}  // namespace

int import_files(const Config& config, const ImportArguments& arguments) {
  io::WorkerPool pool(kMaintenanceThreads, "import");
  Opened opened = open_archive_or_server(config, pool);
  ImportOptions options;
  options.paths = arguments.paths;
  options.journal = arguments.journal.value_or(default_journal(config, arguments));
  options.threads = arguments.threads;
  options.show_progress = isatty(STDERR_FILENO) != 0;
  const ImportSinkFactory sinks = opened.archive ? archive_sinks(*opened.archive) : server_sinks(*opened.server);
  const int status = run_import(options, sinks, std::cout, std::cerr);
  if (opened.archive) opened.archive->close();
  return status;
}

int verify(const Config& config) {
  io::WorkerPool pool(kMaintenanceThreads, "verify");
  Opened opened = open_archive_or_server(config, pool);
  VerifyText text(std::cout, std::cerr, isatty(STDERR_FILENO) != 0);
  if (opened.server) {
    ServerClient client(opened.server->http_url());
    const auto status = client.post_for_lines("/api/v1/verify", [&](std::string_view line) { text.server_line(line); });
    if (!status || status.value() != 200) {
      std::cerr << "cairn: " << (status ? "HTTP " + std::to_string(status.value()) : to_string(status.error())) << '\n';
      return 1;
    }
    return text.finish();
  }
  for (const store::Fault& fault : opened.archive->opened_with().faults) text.fault(fault);
  const auto checked = opened.archive->scrub([&](const store::Fault& fault) { text.fault(fault); },
                                             [&](std::uint64_t done, std::uint64_t all) { text.progress(done, all); });
  if (checked) {
    text.checked(checked.value());
  } else {
    text.failed(to_string(checked.error()));
  }
  opened.archive->close();
  return text.finish();
}

int compact(const Config& config, bool survey_only) {
  io::WorkerPool pool(kMaintenanceThreads, "compact");
  Opened opened = open_archive_or_server(config, pool);
  if (opened.server) return compact_on_server(opened.server->http_url(), survey_only);
  (void)opened.archive->compact(survey_only, {});
  const std::string state = web::compaction_json(opened.archive->stats().compaction);
  opened.archive->close();
  return tell_compaction(state, std::cout, std::cerr);
}

int reindex(const Config& config) {
  io::WorkerPool pool(kMaintenanceThreads, "reindex");
  archive::Options options = archive_options(config);
  options.rebuild_index = true;
  const auto begun = std::chrono::steady_clock::now();
  const auto archive = open_archive_alone(options, pool);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const store::ReplaySummary summary = archive->opened_with();
  for (const store::Fault& fault : summary.faults) std::cout << fault_line(fault) << '\n';
  std::cout << summary.commits << " instances in " << seconds << " s, " << static_cast<double>(summary.bytes_read) / 1e6
            << " MB read\n";
  archive->close();
  return summary.faults.empty() ? 0 : 1;
}

int dump_index(const Config& config) {
  io::WorkerPool pool(kMaintenanceThreads, "dump");
  const auto archive = open_archive_alone(archive_options(config), pool);
  const auto dumped = archive->dump_index([](std::string_view line) { std::cout << line << '\n'; });
  archive->close();
  if (dumped) return 0;
  std::cerr << "cairn: " << to_string(dumped.error()) << '\n';
  return 1;
}

int stats(const Config& config, bool as_json) {
  io::WorkerPool pool(kMaintenanceThreads, "stats");
  Opened opened = open_archive_or_server(config, pool);
  std::string text;
  if (opened.server) {
    ServerClient client(opened.server->http_url());
    const auto reply = client.get("/api/v1/stats");
    if (!reply || reply.value().status != 200) {
      std::cerr << "cairn: " << (reply ? reply.value().body : to_string(reply.error())) << '\n';
      return 1;
    }
    text = reply.value().body;
  } else {
    text = web::stats_json(opened.archive->stats());
    opened.archive->close();
  }
  std::cout << (as_json ? text : stats_table(text)) << '\n';
  return 0;
}

}  // namespace cairn::app
