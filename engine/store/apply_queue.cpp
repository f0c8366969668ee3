#include "engine/store/apply_queue.h"

#include <pthread.h>

#include "engine/core/check.h"
#include "engine/core/log.h"

namespace cairn::store {
namespace {

// Batches up to this many commits are applied by the thread that made them durable; waking another costs more.
constexpr std::size_t kInlineCommits = 16;
constexpr std::size_t kLargestRun = 1024;
constexpr std::uint8_t kTokenVersion = 1;

}  // namespace

std::string Positions::encode() const {
  std::string out(1 + 8 + 4 + volumes.size() * 16, '\0');
  auto* p = reinterpret_cast<std::byte*>(out.data());
  store_le(p, kTokenVersion);
  store_le(p + 1, applied);
  store_le(p + 9, static_cast<std::uint32_t>(volumes.size()));
  p += 13;
  for (const auto& [volume, place] : volumes) {
    store_le(p, volume);
    store_le(p + 4, place.segment);
    store_le(p + 8, place.offset);
    p += 16;
  }
  return out;
}

Result<Positions> Positions::decode(std::string_view token) {
  Positions positions;
  if (token.empty()) return positions;
  const Bytes bytes = as_bytes(token);
  if (bytes.size() < 13 || load_le<std::uint8_t>(bytes.data()) != kTokenVersion) {
    return fail(Errc::malformed, "log positions");
  }
  positions.applied = load_le<std::uint64_t>(bytes.data() + 1);
  const auto count = load_le<std::uint32_t>(bytes.data() + 9);
  if (bytes.size() - 13 != count * std::uint64_t{16}) return fail(Errc::malformed, "log positions", 9);
  for (const std::byte* p = bytes.data() + 13; p < bytes.data() + bytes.size(); p += 16) {
    positions.volumes[load_le<std::uint32_t>(p)] = {load_le<std::uint32_t>(p + 4), load_le<std::uint64_t>(p + 8)};
  }
  return positions;
}

ApplyQueue::ApplyQueue(bool own_thread) : own_thread_(own_thread) {}

ApplyQueue::~ApplyQueue() {
  stop();
}

void ApplyQueue::start(Applier& applier, Positions positions) {
  applier_ = &applier;
  next_ = positions.applied + 1;
  applied_.store(positions.applied, std::memory_order_release);
  positions_ = std::move(positions);
  if (!own_thread_) return;
  thread_ = std::thread([this] { work(); });
  ::pthread_setname_np(thread_.native_handle(), "cairn-apply");
}

void ApplyQueue::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool ApplyQueue::take_run(std::vector<Settled>& run) {
  while (run.size() < kLargestRun && !waiting_.empty() && waiting_.begin()->first == next_) {
    run.push_back(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
    ++next_;
  }
  return !run.empty();
}

void ApplyQueue::deliver(std::vector<Settled> batch) {
  std::unique_lock lock(mutex_);
  for (Settled& settled : batch) {
    const Sequence sequence = settled.sequence;
    waiting_.emplace(sequence, std::move(settled));
  }
  if (busy_) return;  // whoever is busy looks again before it rests
  if (!own_thread_ || waiting_.size() <= kInlineCommits) {
    std::vector<Settled> run;
    busy_ = true;
    while (take_run(run)) {
      lock.unlock();
      apply(std::move(run));
      run.clear();
      lock.lock();
      if (own_thread_ && waiting_.size() > kInlineCommits) break;
    }
    busy_ = false;
  }
  if (own_thread_ && !waiting_.empty() && waiting_.begin()->first == next_) {
    lock.unlock();
    wake_.notify_one();
  }
}

void ApplyQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || (!busy_ && !waiting_.empty() && waiting_.begin()->first == next_); });
    std::vector<Settled> run;
    busy_ = true;
    while (take_run(run)) {
      lock.unlock();
      apply(std::move(run));
      run.clear();
      lock.lock();
    }
    busy_ = false;
    if (stopping_) return;
  }
}

void ApplyQueue::apply(std::vector<Settled> run) {
  std::vector<Committed> batch;
  std::vector<CommitDone> done;
  batch.reserve(run.size());
  done.reserve(run.size());
  Positions positions = positions_;
  positions.applied = run.back().sequence;
  for (Settled& settled : run) {
    if (settled.error) {
      settled.request->done(*settled.error);
      continue;
    }
    batch.push_back({std::move(settled.request->record), settled.location, std::move(settled.request->header),
                     Outcome::stored, std::move(settled.request->event)});
    done.push_back(std::move(settled.request->done));
    positions.volumes[settled.location.volume] = {settled.location.segment, settled.end};
  }
  if (!fatal_ && !batch.empty()) {
    if (auto applied = applier_->apply(batch, positions.encode()); !applied) {
      fatal_ = std::move(applied).error();
      log::error("the index refused a batch; no more stores are taken", {{"cause", *fatal_}});
    }
  }
  if (!fatal_) {
    positions_ = std::move(positions);
    applied_.store(positions_.applied, std::memory_order_release);
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (fatal_) {
      done[i](*fatal_);
    } else {
      done[i](batch[i].outcome);
    }
  }
}

}  // namespace cairn::store
