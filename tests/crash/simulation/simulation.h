// One simulated life of an archive's log after another: writers, faults, power cuts and kills from one seed, on files
// in memory, without threads or clocks; and a model that knows what was acknowledged.
//
// Checked at each start: every acknowledged instance is there bit for bit; nothing half written is visible; what was
// refused is absent or whole; the log reports no damage, for there was none.
#pragma once

#include <cstdint>
#include <string>

#include "engine/store/appender.h"

namespace cairn::crash {

struct Settings {
  bool swallow_flushes = false;                      ///< the flush removed
  store::Sabotage sabotage = store::Sabotage::none;  ///< acknowledged before the flush
  bool faults = true;                                ///< EIO, ENOSPC, short writes, failing flushes
  int volumes = 1;
  std::uint64_t compactions = 10;  ///< in one of so many chances
};

struct Report {
  std::string violation;  ///< empty: the promise was kept
  std::uint64_t acknowledged = 0;
  std::uint64_t changed = 0;  ///< removals and restorations acknowledged
  std::uint64_t refused = 0;
  std::uint64_t lives = 0;
  std::uint64_t poisoned = 0;
  std::uint64_t dropped = 0;
  std::uint64_t compacted = 0;  ///< segments
  std::uint64_t let_go = 0;     ///< instances whose bytes were
};

Report simulate(std::uint64_t seed, const Settings& settings);

}  // namespace cairn::crash
