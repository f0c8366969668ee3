// From durable commits to the index: puts the batches of all volumes into sequence order, hands what has none missing
// below it to the Applier in one step, and completes the stores. A commit that failed is a void that stalls nobody.
//
// Thread-safe. Runs on its own thread; where nothing else waits, a volume's appender runs small batches itself and
// saves waking it (one thread at a time either way).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/core/result.h"
#include "engine/store/log.h"

namespace cairn::store {

/// What a writer handed over with its commit.
struct CommitRequest {
  InstanceRecord record;
  dicom::Header header;
  CommitDone done;
  std::shared_ptr<Event> event;             ///< instead of an instance
  std::shared_ptr<const void> writer = {};  ///< keeps the instance under way until `done` was called

  std::size_t encoded_bytes() const { return event ? event->encoded_bytes() : record.encoded_bytes(); }
};

/// A commit that is durable, or has failed.
struct Settled {
  Sequence sequence = 0;
  std::unique_ptr<CommitRequest> request;
  Location location;
  std::uint64_t end = 0;  ///< of its record
  std::optional<Error> error;
};

/// Per volume: below this, every commit is applied.
struct Positions {
  struct Place {
    std::uint32_t segment = 0;
    std::uint64_t offset = 0;
    auto operator<=>(const Place&) const = default;
  };
  Sequence applied = 0;
  std::map<std::uint32_t, Place> volumes;

  std::string encode() const;
  /// Errors: malformed.
  static Result<Positions> decode(std::string_view token);
};

class ApplyQueue {
 public:
  explicit ApplyQueue(bool own_thread);
  ~ApplyQueue();

  void start(Applier& applier, Positions positions);
  /// Applies what is still there, then ends the thread.
  void stop();

  /// Takes commits of one volume, ascending in sequence.
  void deliver(std::vector<Settled> batch);

  Sequence applied() const noexcept { return applied_.load(std::memory_order_acquire); }

 private:
  bool take_run(std::vector<Settled>& run);
  void apply(std::vector<Settled> run);
  void work();

  const bool own_thread_;
  Applier* applier_ = nullptr;
  std::mutex mutex_;  // guards waiting_, next_, busy_, stopping_
  std::condition_variable wake_;
  std::map<Sequence, Settled> waiting_;
  Sequence next_ = 1;
  bool busy_ = false;
  bool stopping_ = false;
  // Of whoever is busy:
  Positions positions_;
  std::optional<Error> fatal_;
  std::atomic<Sequence> applied_{0};
  std::thread thread_;
};

}  // namespace cairn::store
