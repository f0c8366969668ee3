// Runs a load: one thread per association, each with its own studies, and what came of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/load/association.h"
#include "bench/load/journal.h"

namespace cairn::load {

struct LoadOptions {
  AssociationOptions association;
  unsigned associations = 1;
  std::uint64_t count = 0;     ///< instances in all; 0: until `seconds` are over or the files end
  double seconds = 0;          ///< stop after this; 0: no limit
  double rate = 0;             ///< instances/s in all, evenly spaced; 0: as fast as answers come
  std::uint64_t first = 0;     ///< index of each sender's first object, to go on where an earlier run stopped
  unsigned idle = 0;           ///< further associations that are opened and stay silent
  Journal* journal = nullptr;  ///< outlives the run
};

struct LoadReport {
  std::uint64_t stored = 0, failed = 0, bytes = 0;
  double wall_s = 0, client_cpu_s = 0;
  std::map<std::uint16_t, std::uint64_t> statuses;
  std::vector<float> latencies_ms;  ///< of each successful store, sorted: from when it was due, or sent, to response read
  std::vector<float> service_ms;    ///< the same from when it was sent, whenever it was due
  std::vector<std::string> errors;  ///< of associations, and the first Error Comment of each status

  static double percentile(const std::vector<float>& sorted, double fraction);
};

/// An association that breaks ends its share of the load and is reported; the others go on.
LoadReport run_load(const Corpus& corpus, const LoadOptions& options);

}  // namespace cairn::load
