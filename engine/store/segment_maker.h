// Makes segments ahead of need, in the background: one ready for each volume, and a stock of files filled with zeros,
// because flushing blocks that were written before costs half of flushing new ones. At a bounded rate, faster when no
// stores come in.
#pragma once

#include <condition_variable>
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

  /// One piece of work; true when there was some. Without a thread, the caller steps.
  bool step();

 private:
  void run();

  const std::vector<Volume*> volumes_;
  const std::uint64_t stock_bytes_per_volume_;
  const std::uint64_t bytes_per_s_;
  const std::function<std::uint64_t()> appended_bytes_;
  bool said_ = false;  ///< that it fails
  std::mutex mutex_;   // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cairn::store
