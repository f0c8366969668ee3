// cairn_load: a C-STORE load generator; see usage(). The last line of standard output is the result as JSON.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <signal.h>

#include "bench/load/sender.h"
#include "bench/load/sink.h"
#include "engine/core/log.h"

namespace {

using namespace cairn;
using namespace cairn::load;

int usage() {
  std::fputs(
      "usage: cairn_load --port N [options] (--kind ct|mr|tiny|huge|filed | PATH...)\n"
      "       cairn_load --sink PORT                   a null SCP that discards what it gets\n"
      "  --host IPV4 --called AE --calling AE          the server (127.0.0.1, CAIRN) and we (CAIRN_LOAD)\n"
      "  --associations N --window N                   at once, and operations outstanding on each (1, 1)\n"
      "  --count N | --seconds S                       how much: instances in all, or for how long\n"
      "  --rate R                                      instances/s in all instead of as fast as possible\n"
      "  --seed N --first N                            which generated objects\n"
      "  --bytes N                                     length of a huge one (6 GiB)\n"
      "  --study N                                     instances in each study of filed ones (20)\n"
      "  --idle N                                      further associations that stay silent\n"
      "  --journal FILE                                append what was sent and what was acknowledged\n"
      "  --delayed-ack                                 Nagle and delayed acknowledgements, as ordinary clients have "
      "them\n"
      "  --pdu N                                       longest P-DATA-TF sent, or accepted by the sink\n"
      "Exit status: 0 all stored, 1 some failed, 2 wrong usage.\n",
      stderr);
  return 2;
}

struct Arguments {
  LoadOptions load;
  std::optional<Kind> kind;
  std::vector<std::string> paths;
  std::uint64_t seed = 1, huge_bytes = std::uint64_t{6} << 30, study_instances = 20;
  std::string journal;
  std::optional<std::uint16_t> sink;
};

std::optional<Kind> kind_of(const std::string& name) {
  if (name == "ct") return Kind::ct;
  if (name == "mr") return Kind::mr;
  if (name == "tiny") return Kind::tiny;
  if (name == "huge") return Kind::huge;
  if (name == "filed") return Kind::filed;
  return std::nullopt;
}

// False when an option is unknown or its value unreadable.
bool read_option(const std::string& name, const char* value, Arguments& a) {
  char* end = nullptr;
  const auto integer = [&](auto& out) {
    const unsigned long long v = std::strtoull(value, &end, 10);
    out = static_cast<std::remove_reference_t<decltype(out)>>(v);
    return end != value && *end == '\0' && out == v;
  };
  const auto real = [&](double& out) {
    out = std::strtod(value, &end);
    return end != value && *end == '\0' && out >= 0;
  };
  AssociationOptions& to = a.load.association;
  if (name == "--port") return integer(to.port);
  if (name == "--host") return to.host = value, true;
  if (name == "--called") return to.called_ae = value, true;
  if (name == "--calling") return to.calling_ae = value, true;
  if (name == "--associations") return integer(a.load.associations) && a.load.associations > 0;
  if (name == "--window") return integer(to.window) && to.window > 0;
  if (name == "--count") return integer(a.load.count);
  if (name == "--seconds") return real(a.load.seconds);
  if (name == "--rate") return real(a.load.rate);
  if (name == "--seed") return integer(a.seed);
  if (name == "--first") return integer(a.load.first);
  if (name == "--bytes") return integer(a.huge_bytes);
  if (name == "--study") return integer(a.study_instances) && a.study_instances > 0;
  if (name == "--idle") return integer(a.load.idle);
  if (name == "--journal") return a.journal = value, true;
  if (name == "--pdu") return integer(to.max_pdu_bytes) && to.max_pdu_bytes >= 64;
  if (name == "--kind") return (a.kind = kind_of(value)).has_value();
  if (name == "--sink") {
    std::uint16_t port = 0;
    if (!integer(port)) return false;
    a.sink = port;
    return true;
  }
  return false;
}

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else
      out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E ? '?' : c;
  }
  return out + '"';
}

void print(const LoadReport& r, const Arguments& a, std::uint64_t skipped) {
  std::string statuses, errors;
  for (const auto& [status, n] : r.statuses) {
    char item[48];
    std::snprintf(item, sizeof item, "%s\"%04X\":%llu", statuses.empty() ? "" : ",", status,
                  static_cast<unsigned long long>(n));
    statuses += item;
  }
  for (const auto& e : r.errors) errors += (errors.empty() ? "" : ",") + json_text(e);
  const double wall = r.wall_s > 0 ? r.wall_s : 1e-9;
  std::printf(
      "{\"associations\":%u,\"window\":%u,\"stored\":%llu,\"failed\":%llu,\"skipped_files\":%llu,\"bytes\":%llu,\"wall_"
      "s\":%.4f,"
      "\"instances_per_s\":%.1f,\"mb_per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
      "\"service_p50_ms\":%.3f,\"service_p99_ms\":%.3f,\"client_cpu_s\":%.3f,"
      "\"statuses\":{%s},\"errors\":[%s]}\n",
      a.load.associations, a.load.association.window, static_cast<unsigned long long>(r.stored),
      static_cast<unsigned long long>(r.failed), static_cast<unsigned long long>(skipped),
      static_cast<unsigned long long>(r.bytes), r.wall_s, static_cast<double>(r.stored) / wall,
      static_cast<double>(r.bytes) / 1e6 / wall, LoadReport::percentile(r.latencies_ms, 0.5),
      LoadReport::percentile(r.latencies_ms, 0.99), LoadReport::percentile(r.latencies_ms, 1),
      LoadReport::percentile(r.service_ms, 0.5), LoadReport::percentile(r.service_ms, 0.99), r.client_cpu_s,
      statuses.c_str(), errors.c_str());
}

int fault(const Error& e) {
  std::fprintf(stderr, "cairn_load: %s\n", to_string(e).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--delayed-ack") {
      a.load.association.delayed_ack = true;
    } else if (!name.starts_with("--")) {
      a.paths.push_back(name);
    } else if (i + 1 >= argc || !read_option(name, argv[++i], a)) {
      return usage();
    }
  }
  if (a.sink) return fault(run_sink(*a.sink, a.load.association.max_pdu_bytes).error());
  if (a.kind.has_value() == !a.paths.empty()) return usage();
  if (a.kind && a.load.count == 0 && a.load.seconds <= 0) return usage();

  std::uint64_t skipped = 0;
  std::unique_ptr<Corpus> corpus;
  if (a.kind) {
    corpus = *a.kind == Kind::filed ? filed_corpus(a.seed, a.study_instances)
                                    : generated_corpus(*a.kind, a.seed, a.huge_bytes);
  } else {
    auto files = file_corpus(a.paths, skipped);
    if (!files) return fault(files.error());
    corpus = std::move(files).value();
  }
  std::unique_ptr<Journal> journal;
  if (!a.journal.empty()) {
    auto opened = Journal::open(a.journal);
    if (!opened) return fault(opened.error());
    journal = std::move(opened).value();
    a.load.journal = journal.get();
  }
  const LoadReport report = run_load(*corpus, a.load);
  print(report, a, skipped);
  return report.failed == 0 && report.errors.empty() && report.stored > 0 ? 0 : 1;
}
