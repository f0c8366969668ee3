// crash_simulation [--runs N] [--seed S] [--volumes V]: runs the simulation from seed S on; stops at the first
// violation.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/crash/simulation/simulation.h"

int main(int argc, char** argv) {
  std::uint64_t runs = 1000, seed = 1;
  cairn::crash::Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--runs") == 0) runs = value;
    if (std::strcmp(argv[i], "--seed") == 0) seed = value;
    if (std::strcmp(argv[i], "--volumes") == 0) settings.volumes = static_cast<int>(value);
  }
  cairn::crash::Report total;
  for (std::uint64_t s = seed; s < seed + runs; ++s) {
    const auto report = cairn::crash::simulate(s, settings);
    total.acknowledged += report.acknowledged;
    total.changed += report.changed;
    total.refused += report.refused;
    total.lives += report.lives;
    total.poisoned += report.poisoned;
    total.dropped += report.dropped;
    total.compacted += report.compacted;
    total.let_go += report.let_go;
    if (!report.violation.empty()) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(s), report.violation.c_str());
      return 1;
    }
  }
  std::printf(
      "%llu runs, %llu lives: %llu acknowledged, all kept; %llu removed or restored; %llu refused, %llu dropped at "
      "recovery, %llu segments "
      "poisoned, %llu compacted, the bytes of %llu instances let go\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(total.lives),
      static_cast<unsigned long long>(total.acknowledged), static_cast<unsigned long long>(total.changed),
      static_cast<unsigned long long>(total.refused), static_cast<unsigned long long>(total.dropped),
      static_cast<unsigned long long>(total.poisoned), static_cast<unsigned long long>(total.compacted),
      static_cast<unsigned long long>(total.let_go));
  return 0;
}
