// Compaction as the archive runs it: removals past their time are made final first, then the log's segments are
// compacted, at a bounded rate. Internal to engine/archive.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/archive/archive.h"
#include "engine/store/index/index.h"

namespace cairn::archive {

class CompactionRun {
 public:
  struct Limits {
    std::uint32_t restore_days = 0;
    std::uint64_t bytes_per_s = 0;
  };
  CompactionRun(Limits limits, const std::atomic<bool>& stopping) : limits_(limits), stopping_(stopping) {}

  ~CompactionRun() { wait(); }
  CompactionRun(const CompactionRun&) = delete;
  CompactionRun& operator=(const CompactionRun&) = delete;

  /// Blocking. Errors: conflict (one is running), io, out_of_space, closed.
  Result<store::CompactionReport> run(store::Log& log, store::Index& index, bool survey_only,
                                      const std::function<void(const store::Fault&)>& fault);
  /// On a thread of its own; log and index outlive it. Errors: conflict, closed.
  Result<> begin(store::Log& log, store::Index& index, bool survey_only);
  /// Any thread.
  Compaction state() const;
  /// Returns when none is running; none begins after `stopping` was set.
  void wait();

 private:
  Result<> take_turn();
  Result<store::CompactionReport> run_now(store::Log& log, store::Index& index, bool survey_only,
                                          const std::function<void(const store::Fault&)>& fault);
  bool spend(std::uint64_t bytes);
  Result<std::uint64_t> forget_old_removals(store::Log& log, const store::Index& index) const;

  const Limits limits_;
  const std::atomic<bool>& stopping_;
  std::chrono::steady_clock::time_point paid_until_;  // of whoever runs
  mutable std::mutex mutex_;                          // guards state_, thread_
  std::condition_variable ended_;
  Compaction state_;
  std::thread thread_;  ///< the last one
};

}  // namespace cairn::archive
