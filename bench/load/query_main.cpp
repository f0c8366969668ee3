// cairn_query: asks a server again and again about studies that `cairn_load --kind filed` sent, by QIDO-RS or C-FIND,
// and reports how long answers took. The last line of standard output is the result as JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>

#include <signal.h>

#include "bench/load/association.h"
#include "bench/load/element_writer.h"
#include "bench/load/filed_study.h"
#include "bench/load/http_client.h"
#include "bench/load/sender.h"

namespace {

using namespace cairn;
using namespace cairn::load;
using Clock = std::chrono::steady_clock;

struct Arguments {
  AssociationOptions to;
  bool find = false;
  std::string kind, dicomweb = "/dicom-web", target, accept = "application/dicom+json";
  unsigned connections = 1;
  double seconds = 3;
  std::uint64_t seed = 1, senders = 8, studies = 0, offset = 10000;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*' || c == '-' ||
        c == '.') {
      out += c;
    } else {
      char code[4];
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += code;
    }
  }
  return out;
}

// "20201231" plus `days`, near enough: months have 28 days in what is filed.
std::string later(const std::string& date, unsigned days) {
  const unsigned number = static_cast<unsigned>(std::stoul(date));
  unsigned day = number % 100 + days, month = number / 100 % 100, year = number / 10000;
  if (day > 28) day -= 28, ++month;
  if (month > 12) month = 1, ++year;
  char out[16];
  std::snprintf(out, sizeof out, "%04u%02u%02u", year % 10000, month % 100, day % 100);
  return out;
}

// One letter doubled: as a name is misheard.
std::string misspelt(std::string name, std::uint64_t random) {
  name.insert(random % name.size(), 1, name[random % name.size()]);
  return name;
}

// A name whose letters are all ASCII, so that a part of it is a part of the name.
FiledStudy plainly_named(const Arguments& a, std::uint64_t& random) {
  for (;;) {
    random = mix(random);
    FiledStudy s = filed_study(a.seed, random % a.senders, (random >> 8) % a.studies);
    const bool ascii =
        std::all_of(s.patient_name.begin(), s.patient_name.end(), [](char c) { return c > ' ' && c < '~'; });
    if (ascii && s.family_name.size() >= 6) return s;
  }
}

std::string search(const Arguments& a, const FiledStudy& s, std::uint64_t random) {
  const std::string& k = a.kind;
  std::string q = a.dicomweb + "/studies?";
  if (k == "patient_id") return q + "PatientID=" + s.patient_id;
  if (k == "accession") return q + "AccessionNumber=" + s.accession_number;
  if (k == "study_uid") return q + "StudyInstanceUID=" + s.study_instance_uid;
  if (k == "name_prefix") return q + "PatientName=" + escaped(s.family_name) + "*&limit=100";
  if (k == "date_modality") {
    return q + "StudyDate=" + s.study_date + "-" + later(s.study_date, 7) + "&ModalitiesInStudy=" + s.modality +
           "&limit=100";
  }
  if (k == "offset") return q + "ModalitiesInStudy=CT&limit=50&offset=" + std::to_string(a.offset);
  if (k == "cursor") return q + "ModalitiesInStudy=CT&limit=50";
  if (k == "middle_wildcard") return q + "PatientName=*" + escaped(s.family_name.substr(1, 5)) + "*&limit=100";
  if (k == "fuzzy")
    return q + "PatientName=" + escaped(misspelt(s.family_name, random)) + "&fuzzymatching=true&limit=100";
  return {};
}

std::string identifier(const Arguments& a, const FiledStudy& s) {
  const std::string& k = a.kind;
  const auto when = [&](const char* kind, const std::string& value) { return k == kind ? value : std::string(); };
  std::string out;
  ElementWriter w(out);
  w.text(0x0008, 0x0005, "CS", "ISO_IR 192");
  w.text(0x0008, 0x0020, "DA", when("date_modality", s.study_date));
  w.text(0x0008, 0x0030, "TM", "");
  w.text(0x0008, 0x0050, "SH", when("accession", s.accession_number));
  w.text(0x0008, 0x0052, "CS", "STUDY");
  w.text(0x0008, 0x0061, "CS", when("date_modality", s.modality));
  w.text(0x0008, 0x1030, "LO", "");
  w.text(0x0010, 0x0010, "PN", when("name_prefix", s.patient_name.substr(0, s.patient_name.find('=')) + "*"));
  w.text(0x0010, 0x0020, "LO", when("patient_id", s.patient_id));
  w.text(0x0020, 0x000D, "UI", when("study_uid", s.study_instance_uid));
  w.text(0x0020, 0x1206, "IS", "");
  w.text(0x0020, 0x1208, "IS", "");
  return out;
}

bool known(const Arguments& a) {
  if (!a.target.empty()) return true;
  if (a.studies == 0 || a.senders == 0) return false;
  static constexpr const char* kFind[] = {"patient_id", "accession", "study_uid", "name_prefix", "date_modality"};
  if (a.find) return std::find(std::begin(kFind), std::end(kFind), a.kind) != std::end(kFind);
  return !search(a, filed_study(a.seed, 0, 0), 0).empty();
}

struct Report {
  std::vector<float> all_ms, first_ms;
  std::uint64_t matches = 0, bytes = 0;
  std::map<unsigned, std::uint64_t> failures;  // by HTTP status; 0: no answer
  std::string error;
};

std::uint64_t occurrences(std::string_view text, std::string_view what) {
  std::uint64_t n = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

// The path of <URL>; rel="next"; empty on the last page.
std::string next_page(const HttpClient::Response& r, const Arguments& a) {
  std::string_view link = http_field(r.head, "link");
  link = link.substr(std::min(link.size(), link.find('<') + 1));
  link = link.substr(0, link.find('>'));
  const std::size_t path = link.find(a.dicomweb);
  return path == link.npos ? std::string() : std::string(link.substr(path));
}

Result<> by_http(const Arguments& a, std::uint64_t random, Clock::time_point end, Report& report) {
  std::optional<HttpClient> client;
  std::string next;
  while (Clock::now() < end) {
    std::string target = a.target;
    if (target.empty()) {
      const FiledStudy s = plainly_named(a, random);
      target = a.kind == "cursor" && !next.empty() ? next : search(a, s, random);
    }
    if (!client) {
      CAIRN_TRY(auto connected, HttpClient::connect(a.to.host, a.to.port));
      client.emplace(std::move(connected));
    }
    CAIRN_TRY(const HttpClient::Response r, client->get(target, a.accept, a.target.empty()));
    const bool closed = r.closed;
    if (r.status != 200 && r.status != 204 && r.status != 206) {
      ++report.failures[r.status];
      next.clear();
      if (closed) client.reset();
      continue;
    }
    report.all_ms.push_back(static_cast<float>(r.all_ms));
    report.first_ms.push_back(static_cast<float>(r.first_byte_ms));
    report.bytes += r.body_bytes;
    report.matches += occurrences(r.body, "\"0020000D\"");
    if (a.kind == "cursor") next = next_page(r, a);
    if (closed) client.reset();
  }
  return outcome::success();
}

Result<> by_find(const Arguments& a, std::uint64_t random, Clock::time_point end, Report& report) {
  CAIRN_TRY(Association association,
            Association::request(a.to, {{"1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.2.1"}}));
  std::uint16_t id = 0;
  while (Clock::now() < end) {
    const std::string keys = identifier(a, plainly_named(a, random));
    const auto begin = Clock::now();
    CAIRN_TRY(const std::uint64_t matches, association.find(keys, ++id));
    report.all_ms.push_back(std::chrono::duration<float, std::milli>(Clock::now() - begin).count());
    report.matches += matches;
  }
  return association.release();
}

int usage() {
  std::fputs(
      "usage: cairn_query --port N (--http | --find) --kind KIND --studies N [options]\n"
      "       cairn_query --port N --target PATH [options]     the same resource again and again\n"
      "KIND: patient_id accession study_uid name_prefix date_modality; of QIDO-RS also offset cursor middle_wildcard "
      "fuzzy\n"
      "  --studies N --senders N --seed N              what was sent: studies of each sender, senders (8), seed (1)\n"
      "  --host IPV4 --called AE --dicomweb PATH       the server (127.0.0.1, CAIRN, /dicom-web)\n"
      "  --accept TYPE                                 (application/dicom+json)\n"
      "  --offset N                                    of the kind `offset` (10000)\n"
      "  --connections N --seconds S                   at once, for how long (1, 3)\n"
      "Exit status: 0 all answered, 1 some failed, 2 wrong usage.\n",
      stderr);
  return 2;
}

bool read_option(const std::string& name, const char* value, Arguments& a) {
  char* end = nullptr;
  const auto integer = [&](auto& out) {
    const unsigned long long v = std::strtoull(value, &end, 10);
    out = static_cast<std::remove_reference_t<decltype(out)>>(v);
    return end != value && *end == '\0' && out == v;
  };
  if (name == "--port") return integer(a.to.port);
  if (name == "--host") return a.to.host = value, true;
  if (name == "--called") return a.to.called_ae = value, true;
  if (name == "--kind") return a.kind = value, true;
  if (name == "--target") return a.target = value, true;
  if (name == "--accept") return a.accept = value, true;
  if (name == "--dicomweb") return a.dicomweb = value, true;
  if (name == "--connections") return integer(a.connections) && a.connections > 0;
  if (name == "--studies") return integer(a.studies);
  if (name == "--senders") return integer(a.senders);
  if (name == "--seed") return integer(a.seed);
  if (name == "--offset") return integer(a.offset);
  if (name == "--seconds") return a.seconds = std::strtod(value, &end), end != value && a.seconds > 0;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--find" || name == "--http") {
      a.find = name == "--find";
    } else if (i + 1 >= argc || !read_option(name, argv[++i], a)) {
      return usage();
    }
  }
  if (!known(a)) return usage();

  std::vector<Report> reports(a.connections);
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(a.seconds));
  for (unsigned i = 0; i < a.connections; ++i) {
    threads.emplace_back([&, i] {
      const std::uint64_t random = mix(a.seed * 1000 + i + 1);
      const Result<> done = a.find ? by_find(a, random, end, reports[i]) : by_http(a, random, end, reports[i]);
      if (!done) {
        ++reports[i].failures[0];
        reports[i].error = to_string(done.error());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double wall = std::chrono::duration<double>(Clock::now() - begin).count();

  Report sum;
  std::uint64_t failed = 0;
  for (Report& r : reports) {
    sum.all_ms.insert(sum.all_ms.end(), r.all_ms.begin(), r.all_ms.end());
    sum.first_ms.insert(sum.first_ms.end(), r.first_ms.begin(), r.first_ms.end());
    sum.matches += r.matches;
    sum.bytes += r.bytes;
    for (const auto& [status, n] : r.failures) sum.failures[status] += n, failed += n;
    if (!r.error.empty()) std::fprintf(stderr, "cairn_query: %s\n", r.error.c_str());
  }
  std::sort(sum.all_ms.begin(), sum.all_ms.end());
  std::sort(sum.first_ms.begin(), sum.first_ms.end());
  const double answers = std::max(1.0, static_cast<double>(sum.all_ms.size()));
  std::string failures;
  for (const auto& [status, n] : sum.failures) {
    failures += (failures.empty() ? "\"" : ",\"") + std::to_string(status) + "\":" + std::to_string(n);
  }
  std::printf(
      "{\"by\":\"%s\",\"kind\":\"%s\",\"connections\":%u,\"answers\":%zu,\"failed\":%llu,\"per_s\":%.1f,\"p50_ms\":%."
      "3f,"
      "\"p99_ms\":%.3f,\"max_ms\":%.3f,\"first_byte_p50_ms\":%.3f,\"first_byte_p99_ms\":%.3f,\"matches\":%.1f,\"mb_per_"
      "s\":%.1f,"
      "\"failures\":{%s}}\n",
      a.find ? "C-FIND" : "HTTP", a.kind.c_str(), a.connections, sum.all_ms.size(),
      static_cast<unsigned long long>(failed), static_cast<double>(sum.all_ms.size()) / wall,
      LoadReport::percentile(sum.all_ms, 0.5), LoadReport::percentile(sum.all_ms, 0.99),
      LoadReport::percentile(sum.all_ms, 1), LoadReport::percentile(sum.first_ms, 0.5),
      LoadReport::percentile(sum.first_ms, 0.99), static_cast<double>(sum.matches) / answers,
      static_cast<double>(sum.bytes) / 1e6 / wall, failures.c_str());
  return failed == 0 && !sum.all_ms.empty() ? 0 : 1;
}
