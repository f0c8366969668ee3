#include "engine/store/index/flusher.h"

namespace cairn::store {
namespace {
constexpr std::uint64_t kPatience = 8;  // multiple of the bounds at which the applier waits
}

Flusher::Flusher(Database& database, Tail bounds) : database_(database), bounds_(bounds), thread_([this] { run(); }) {}

Flusher::~Flusher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
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
  progress_.wait(lock, [this] { return failed_ || !exceeds(kPatience, 1); });
  if (failed_) return *failed_;
  return outcome::success();
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
    const Result<> flushed = database_.flush();
    lock.lock();
    if (flushed) {
      tail_.records -= begun.records;
      tail_.bytes -= begun.bytes;
    } else {
      failed_ = flushed.error();
    }
    progress_.notify_all();
  }
}

}  // namespace cairn::store
