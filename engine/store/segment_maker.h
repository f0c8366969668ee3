// Makes segments ahead of need, in the background: one ready for each volume, and a stock of files filled with zeros,
// because flushing blocks that were written before costs half of flushing new ones. Filling stays within a rate: faster
// when no stores come in, slower and at last not at all when they come in fast, since a device that takes a burst has no
// bandwidth to spare, and blocks written once cost it less than zeros written first.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/store/volume.h"

namespace cairn::store {

class SegmentMaker {
 public:
  /// `appended_bytes` tells whether stores come in. The volumes outlive the maker.
  SegmentMaker(std::vector<Volume*> volumes, std::uint64_t stock_bytes, std::uint64_t bytes_per_s,
               std::function<std::uint64_t()> appended_bytes);
  ~SegmentMaker();

  void start_thread();
  void stop();  ///< and discards what is half made

  /// One piece of work, filling included when `prewrite`; true when there was some. Without a thread, the caller steps.
  bool step(bool prewrite = true);

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  std::uint64_t rate_beside_stores();  ///< bytes per second; 0: none

  const std::vector<Volume*> volumes_;
  const std::uint64_t stock_bytes_per_volume_;
  const std::uint64_t bytes_per_s_;
  const std::function<std::uint64_t()> appended_bytes_;
  bool said_ = false;  ///< that it fails
  Clock::time_point measured_at_ = Clock::now();
  std::uint64_t appended_ = 0, stored_bytes_per_s_ = 0;
  std::mutex mutex_;   // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cairn::store
