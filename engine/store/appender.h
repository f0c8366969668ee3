// The appender of one storage volume: places parts and commits in the open segment, writes them, makes them durable
// with as few flushes as the load allows, and passes what is durable on to the ApplyQueue.
//
// A state machine: step() does what can be done now. In production one thread per volume runs it (run()); the
// simulation steps it by hand. push() is thread-safe, all else belongs to that one thread.
//
// Durability is always a prefix of the segment: a flush is asked for only when every write below its end has completed.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "engine/core/histogram.h"
#include "engine/io/buffer_pool.h"
#include "engine/io/file_system.h"
#include "engine/store/apply_queue.h"
#include "engine/store/volume.h"

namespace cairn::store {

/// The instances on their way in: parts of other ones that no commit names are garbage. Thread-safe.
class UnderWay {
 public:
  void add(std::uint64_t instance_number) {
    const std::scoped_lock lock(mutex_);
    numbers_.insert(instance_number);
  }
  void remove(std::uint64_t instance_number) {
    const std::scoped_lock lock(mutex_);
    numbers_.erase(instance_number);
  }
  std::set<std::uint64_t> all() const {
    const std::scoped_lock lock(mutex_);
    return numbers_;
  }

 private:
  mutable std::mutex mutex_;  // guards numbers_
  std::set<std::uint64_t> numbers_;
};

/// What the appender knows of an instance on its way in.
struct WriterState {
  WriterState() = default;
  WriterState(std::uint64_t number, std::shared_ptr<UnderWay> all)
      : instance_number(number), under_way(std::move(all)) {
    under_way->add(number);
  }
  ~WriterState() {
    if (under_way) under_way->remove(instance_number);
  }
  WriterState(const WriterState&) = delete;
  WriterState& operator=(const WriterState&) = delete;

  std::uint64_t instance_number = 0;
  std::uint64_t stream_offset = 0;
  std::vector<Part> parts;
  std::size_t gathering = 0;  ///< requests that wait to be packed
  std::optional<Error> failed;
  const std::shared_ptr<UnderWay> under_way;  ///< null: an event's
};

/// A part, or with `commit` the last part and the commit.
struct AppendRequest {
  std::shared_ptr<WriterState> writer;
  io::Buffer buffer;
  std::size_t length = 0;
  std::uint32_t crc = 0;
  std::unique_ptr<CommitRequest> commit;
};

/// Ways to break the promise, for the tests that must notice.
enum class Sabotage : std::uint8_t { none, acknowledge_before_flush, compact_what_is_under_way };

class Appender {
 public:
  Appender(Volume& volume, ApplyQueue& applied, std::atomic<Sequence>& sequences, bool use_ring,
           Sabotage sabotage = Sabotage::none);
  ~Appender();

  /// Starts the thread; without it, the caller steps.
  void start_thread();
  /// Takes a request, in order. After stop: fails it with `closed`.
  void push(AppendRequest request);
  /// Finishes what was taken, seals, ends the thread (or, without one, makes step() do so).
  void stop();

  /// Without a thread: one round. True when something was done.
  bool step();
  bool finished() const noexcept { return finished_; }

  /// Why an instance cannot begin now; nothing when it can.
  std::optional<Error> refusal();

  std::uint64_t appended_bytes() const noexcept { return appended_.load(std::memory_order_relaxed); }
  std::uint64_t durable_bytes() const noexcept { return durable_.load(std::memory_order_relaxed); }
  std::uint64_t device_bytes() const noexcept { return device_.load(std::memory_order_relaxed); }
  std::uint64_t queue_depth() const noexcept { return waiting_.load(std::memory_order_relaxed); }
  /// For good, or for now: no segment could be had, which is tried again.
  bool failed() const noexcept {
    return failed_.load(std::memory_order_relaxed) || no_segment_.load(std::memory_order_relaxed);
  }
  const Histogram& batch_instances() const noexcept { return batch_instances_; }
  const Histogram& flush_us() const noexcept { return flush_us_; }

 private:
  struct Live;
  struct Operation;

  void run();
  bool round(bool block);
  bool take_inbox();
  bool complete(const io::Completion& completion);
  void written(Operation& op);
  void flushed(Live& live, std::uint64_t end);

  bool place_backlog();
  bool place_large(AppendRequest& request);
  bool place_gathered();
  Result<Live*> live_with_room(std::uint64_t bytes, std::size_t commits);
  std::size_t fill_part(std::byte* at, AppendRequest& request, Live& live, std::uint64_t offset, bool payload_in_place);
  std::size_t fill_commit(std::byte* at, std::size_t room, AppendRequest& request, Live& live, std::uint64_t offset);
  bool waits_for_segment() const;
  void refuse(AppendRequest& request, const Error& error);
  bool check_writer(AppendRequest& request);
  void add_write(Live& live, std::unique_ptr<Operation> op);

  bool ask();
  bool maybe_flush(Live& live);
  void poison(const Error& error);
  void settle(std::vector<Settled> batch);
  Operation& under_way(std::unique_ptr<Operation> op);
  std::uint64_t completed_below(const Live& live) const;

  Volume& volume_;
  ApplyQueue& applied_;
  std::atomic<Sequence>& sequences_;
  const bool use_ring_;
  const Sabotage sabotage_;
  std::unique_ptr<io::Queue> queue_;

  std::mutex mutex_;  // guards inbox_, closed_
  std::vector<AppendRequest> inbox_;
  bool closed_ = false;
  // Set (sequentially consistent, against the inbox) by the thread about to sleep; who clears it wakes it.
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> finished_{false};

  std::vector<AppendRequest> taken_;
  std::deque<AppendRequest> backlog_;
  std::deque<AppendRequest> gathered_;  ///< small ones, to be packed into one write
  std::size_t gathered_bytes_ = 0;
  std::deque<std::unique_ptr<Live>> live_;    ///< the last takes records; those before are being sealed
  std::vector<std::unique_ptr<Live>> dying_;  ///< poisoned, with operations still under way
  std::vector<Operation*> to_ask_;
  std::map<std::uint64_t, std::unique_ptr<Operation>> operations_;  ///< by token
  std::uint64_t next_token_ = 1;
  std::vector<io::AlignedBytes> staging_;
  std::vector<Poisoned> to_state_;               ///< for the next segment's header
  std::map<std::uint32_t, std::uint64_t> lost_;  ///< ends of what is good in poisoned segments
  std::vector<Settled> settled_;
  std::atomic<bool> no_space_{false};
  std::atomic<bool> no_segment_{false};            ///< of another reason than space
  std::atomic<std::int64_t> segment_again_ms_{0};  ///< steady clock: when one is asked for again

  std::atomic<std::uint64_t> appended_{0}, durable_{0}, device_{0}, waiting_{0};  // relaxed: gauges
  std::atomic<bool> failed_{false};
  Histogram batch_instances_, flush_us_;
  std::thread thread_;
};

}  // namespace cairn::store
