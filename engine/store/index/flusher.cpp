#include "engine/store/index/flusher.h"

#include <filesystem>

#include "engine/core/log.h"

namespace cairn::store {
namespace {
constexpr std::uint64_t kPatience = 8;  // multiple of the bounds at which the applier waits
// While flushes fail, a write waits this long and then goes on all the same, so that a stop on a full disk comes to an
// end.
constexpr auto kLongestWait = std::chrono::seconds(5);
// RocksDB takes ENOSPC badly (it stops writes, and its own log may then end the process), so it is not let near the
// end: beside what is to be written, this much stays free for its manifest, its log and the start of a compaction.
constexpr std::uint64_t kHeadroom = 8u << 20;

Result<> flush_if_there_is_room(Database& database, std::uint64_t bytes) {
  std::error_code unknown;
  const auto space = std::filesystem::space(database.rocks().GetName(), unknown);
  if (!unknown && space.available < bytes + kHeadroom) return fail(Errc::out_of_space, "room for the index");
  return database.flush();
}
}  // namespace

Flusher::Flusher(Database& database, Tail bounds, std::chrono::milliseconds retry)
    : database_(database), bounds_(bounds), retry_(retry), thread_([this] { run(); }) {}

Flusher::~Flusher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  progress_.notify_all();
  thread_.join();
}

bool Flusher::exceeds(std::uint64_t numerator, std::uint64_t denominator) const {
  return tail_.records >= bounds_.records * scale_ * numerator / denominator ||
         tail_.bytes >= bounds_.bytes * scale_ * numerator / denominator;
}

Result<> Flusher::wrote(Tail more) {
  std::unique_lock lock(mutex_);
  tail_.records += more.records;
  tail_.bytes += more.bytes;
  if (exceeds(1, 2)) work_.notify_one();
  const auto free_to_go = [this] { return failed_ || !exceeds(kPatience, 1); };
  progress_.wait(lock, [&] { return free_to_go() || stalled_; });
  if (stalled_) progress_.wait_for(lock, kLongestWait, free_to_go);
  if (failed_) return *failed_;
  return outcome::success();
}

std::optional<Error> Flusher::stalled() const {
  const std::lock_guard lock(mutex_);
  return stalled_;
}

void Flusher::set_scale(std::uint64_t scale) {
  const std::lock_guard lock(mutex_);
  scale_ = scale;
}

void Flusher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || (!failed_ && exceeds(1, 2)); });
    if (stop_) return;
    const Tail begun = tail_;
    lock.unlock();
    const Result<> flushed = flush_if_there_is_room(database_, begun.bytes);
    lock.lock();
    if (flushed) {
      tail_.records -= begun.records;
      tail_.bytes -= begun.bytes;
      if (stalled_) log::info("the index is written to disk again", {{"records", begun.records}});
      stalled_.reset();
    } else if (flushed.error() == Errc::out_of_space) {
      if (!stalled_) log::error("the index cannot be written to disk; trying again", {{"cause", flushed.error()}});
      stalled_ = flushed.error();
      work_.wait_for(lock, retry_, [this] { return stop_; });
    } else {
      failed_ = flushed.error();
    }
    progress_.notify_all();
  }
}

}  // namespace cairn::store
