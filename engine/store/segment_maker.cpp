#include "engine/store/segment_maker.h"

#include <chrono>

#include <pthread.h>

#include "engine/core/log.h"

namespace cairn::store {
namespace {

constexpr auto kRest = std::chrono::milliseconds(50);
constexpr std::uint64_t kChunk = 1u << 20;
constexpr std::uint64_t kIdleSpeedUp = 4;

}  // namespace

SegmentMaker::SegmentMaker(std::vector<Volume*> volumes, std::uint64_t stock_bytes, std::uint64_t bytes_per_s,
                           std::function<std::uint64_t()> appended_bytes)
    : volumes_(std::move(volumes)),
      stock_bytes_per_volume_(volumes_.empty() ? 0 : stock_bytes / volumes_.size()),
      bytes_per_s_(bytes_per_s),
      appended_bytes_(std::move(appended_bytes)) {}

SegmentMaker::~SegmentMaker() {
  stop();
}

void SegmentMaker::start_thread() {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "cairn-segments");
}

void SegmentMaker::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  for (Volume* volume : volumes_) volume->discard_prepared();
}

bool SegmentMaker::step() {
  bool did = false;
  for (Volume* volume : volumes_) {
    auto made = volume->prepare_segment();
    if (made && !made.value()) made = volume->prewrite_step(stock_bytes_per_volume_);
    if (made) {
      did |= made.value();
    } else if (made.error() != Errc::out_of_space && !said_) {
      said_ = true;
      log::warning("a segment could not be made ahead", {{"volume", volume->id()}, {"cause", made.error()}});
    }
  }
  return did;
}

void SegmentMaker::run() {
  using Clock = std::chrono::steady_clock;
  std::unique_lock lock(mutex_);
  std::uint64_t seen = appended_bytes_();
  Clock::time_point busy_until = Clock::now();
  while (!stopping_) {
    lock.unlock();
    const bool did = step();
    const auto now = Clock::now();
    if (const std::uint64_t appended = appended_bytes_(); appended != seen) {
      seen = appended;
      busy_until = now + std::chrono::milliseconds(500);
    }
    auto rest = std::chrono::duration_cast<std::chrono::microseconds>(kRest);
    if (did && bytes_per_s_ > 0) {
      const std::uint64_t rate = now < busy_until ? bytes_per_s_ : bytes_per_s_ * kIdleSpeedUp;
      rest = std::chrono::microseconds(volumes_.size() * kChunk * 1'000'000 / rate);
    }
    lock.lock();
    wake_.wait_for(lock, rest, [this] { return stopping_; });
  }
}

}  // namespace cairn::store
