#include "engine/store/segment_maker.h"

#include <chrono>

#include <pthread.h>

#include "engine/core/log.h"

namespace cairn::store {
namespace {

constexpr auto kRest = std::chrono::milliseconds(50);
constexpr std::uint64_t kChunk = 1u << 20;
constexpr std::uint64_t kIdleSpeedUp = 4;
constexpr auto kWindow = std::chrono::milliseconds(200);  // over which the stores' own rate is taken

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

bool SegmentMaker::step(bool prewrite) {
  bool did = false;
  for (Volume* volume : volumes_) {
    auto made = volume->prepare_segment();
    if (made && !made.value() && prewrite) made = volume->prewrite_step(stock_bytes_per_volume_);
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
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t rate = rate_beside_stores();
    lock.unlock();
    const bool did = step(rate > 0);
    lock.lock();
    const auto rest = did && rate > 0 ? std::chrono::microseconds(volumes_.size() * kChunk * 1'000'000 / rate)
                          : std::chrono::duration_cast<std::chrono::microseconds>(kRest);
    wake_.wait_for(lock, rest, [this] { return stopping_; });
  }
}

std::uint64_t SegmentMaker::rate_beside_stores() {
  const auto now = Clock::now();
  if (now - measured_at_ >= kWindow) {
    const std::uint64_t appended = appended_bytes_();
    const double seconds = std::chrono::duration<double>(now - measured_at_).count();
    stored_bytes_per_s_ = static_cast<std::uint64_t>(static_cast<double>(appended - appended_) / seconds);
    appended_ = appended;
    measured_at_ = now;
  }
  if (stored_bytes_per_s_ == 0) return bytes_per_s_ * kIdleSpeedUp;
  return bytes_per_s_ > 2 * stored_bytes_per_s_ ? bytes_per_s_ - 2 * stored_bytes_per_s_ : 0;
}

}  // namespace cairn::store
