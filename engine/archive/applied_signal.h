// Waiting for the archive to change, without asking again and again: rung by the thread that applies commits, waited on
// by coroutines of any executor. Thread-safe; held by shared_ptr.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/core/task.h"
#include "engine/store/record.h"

namespace cairn::archive {

class AppliedSignal {
 public:
  explicit AppliedSignal(std::size_t most_waiting) : most_waiting_(most_waiting) {}

  /// Everything up to `sequence` can be read. Costs the applier one load while nobody waits, else one post.
  void applied(store::Sequence sequence);
  /// Returns once something beyond `position` is applied, `patience` is over, or close(). Errors: limit_exceeded (too
  /// many wait already). Precondition: the executor runs one handler at a time; the signal outlives the wait.
  Task<> wait(store::Sequence position, std::chrono::milliseconds patience);
  /// Ends all waits, and those to come.
  void close();
  bool is_closed() const;

  std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }

 private:
  struct Waiter;
  using Waiters = std::vector<std::shared_ptr<Waiter>>;
  static void wake(Waiters waiters);

  const std::size_t most_waiting_;
  // Sequentially consistent, both: either the applier sees who waits, or who is about to wait sees what was applied.
  std::atomic<store::Sequence> applied_{0};
  std::atomic<std::size_t> waiting_{0};
  mutable std::mutex mutex_;  // guards what follows
  Waiters waiters_;
  bool closed_ = false;
};

}  // namespace cairn::archive
