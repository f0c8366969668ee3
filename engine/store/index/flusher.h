// Keeps the part of the index that only memory holds within its bounds: a thread that flushes when half of a bound is
// reached, so that the tail stays within it while the flush runs. A flush that finds the disk full is tried again:
// nothing is lost by it, since the log has all. Meanwhile the tail grows, up to where the applier, and with it each
// store, waits. Internal to engine/store/index.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/store/index/database.h"

namespace cairn::store {

class Flusher {
 public:
  struct Tail {
    std::uint64_t records = 0, bytes = 0;
  };
  /// `database` outlives the flusher.
  Flusher(Database& database, Tail bounds, std::chrono::milliseconds retry = std::chrono::seconds(1));
  ~Flusher();

  /// After each write, by the applier. Waits when the tail has run to several times its bounds, which takes a disk that
  /// cannot keep up; some seconds at most where it is full. Errors: those of a flush that trying again cannot mend.
  Result<> wrote(Tail more);
  /// Multiplies the bounds while a long replay runs.
  void set_scale(std::uint64_t scale);
  /// Why flushes fail now.
  std::optional<Error> stalled() const;

 private:
  void run();
  bool exceeds(std::uint64_t scale_numerator, std::uint64_t scale_denominator) const;

  Database& database_;
  const Tail bounds_;
  const std::chrono::milliseconds retry_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable work_, progress_;
  Tail tail_;  // written since the last finished flush began
  std::uint64_t scale_ = 1;
  bool stop_ = false;
  std::optional<Error> stalled_, failed_;
  std::thread thread_;
};

}  // namespace cairn::store
