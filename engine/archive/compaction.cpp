#include "engine/archive/compaction.h"

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "engine/archive/removal.h"
#include "engine/core/log.h"

namespace cairn::archive {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kDay_ns = 86'400'000'000'000;
constexpr auto kSlice = std::chrono::milliseconds(20);  // how soon a stop is seen

std::int64_t now_unix_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

bool CompactionRun::spend(std::uint64_t bytes) {
  const auto now = Clock::now();
  paid_until_ = std::max(paid_until_, now) + std::chrono::nanoseconds(bytes * 1'000'000'000 / limits_.bytes_per_s);
  {
    const std::scoped_lock lock(mutex_);
    state_.bytes_moved += bytes;
  }
  while (!stopping_.load(std::memory_order_relaxed)) {
    const auto ahead = paid_until_ - Clock::now();
    if (ahead < kSlice) return true;  // short rests add up to one that is worth it
    std::this_thread::sleep_for(std::min<Clock::duration>(ahead, kSlice));
  }
  return false;
}

// Each is an event in the log: whoever asks for a restoration before it gets it, and after it does not.
Result<std::uint64_t> CompactionRun::forget_old_removals(store::Log& log, const store::Index& index) const {
  const std::int64_t before = now_unix_ns() - limits_.restore_days * kDay_ns;
  std::vector<std::shared_ptr<store::Event>> events;
  CAIRN_TRYV(index.view().each_removal([&](store::Removal&& removal) {
    if (removal.forgotten == 0 && removal.event.time_unix_ns <= before) {
      Asked asked{"", "", "compaction", store::Event::Via::rule};
      events.push_back(std::make_shared<store::Event>(forgetting_event(removal, std::move(asked))));
    }
    return true;
  }));
  std::uint64_t forgotten = 0;
  for (const auto& event : events) {
    if (stopping_.load(std::memory_order_relaxed)) return fail(Errc::closed, "the archive is shutting down");
    const auto done = std::make_shared<std::promise<Result<store::Outcome>>>();
    auto future = done->get_future();
    CAIRN_TRYV(log.append(event, [done](Result<store::Outcome> outcome) { done->set_value(std::move(outcome)); }));
    CAIRN_TRY(const store::Outcome outcome, future.get());
    forgotten += outcome == store::Outcome::stored;
  }
  return forgotten;
}

Result<> CompactionRun::take_turn() {
  const std::scoped_lock lock(mutex_);
  if (stopping_.load()) return fail(Errc::closed, "the archive is shutting down");
  if (state_.running) return fail(Errc::conflict, "compaction is running");
  state_.running = true;
  state_.bytes_moved = 0;
  state_.faults = 0;
  state_.error.clear();
  return outcome::success();
}

Result<store::CompactionReport> CompactionRun::run(store::Log& log, store::Index& index, bool survey_only,
                                                   const std::function<void(const store::Fault&)>& fault) {
  CAIRN_TRYV(take_turn());
  return run_now(log, index, survey_only, fault);
}

Result<> CompactionRun::begin(store::Log& log, store::Index& index, bool survey_only) {
  CAIRN_TRYV(take_turn());
  const std::scoped_lock lock(mutex_);
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to without this lock
  thread_ = std::thread([this, &log, &index, survey_only] { (void)run_now(log, index, survey_only, {}); });
  return outcome::success();
}

void CompactionRun::wait() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return !state_.running; });
  std::thread last = std::move(thread_);
  lock.unlock();
  if (last.joinable()) last.join();
}

Result<store::CompactionReport> CompactionRun::run_now(store::Log& log, store::Index& index, bool survey_only,
                                                       const std::function<void(const store::Fault&)>& fault) {
  paid_until_ = Clock::now();
  std::uint64_t forgotten = 0;
  auto report = [&]() -> Result<store::CompactionReport> {
    if (!survey_only) {
      CAIRN_TRY(forgotten, forget_old_removals(log, index));
    }
    store::CompactionOptions options;
    options.survey_only = survey_only;
    options.spend = [this](std::uint64_t bytes) { return spend(bytes); };
    options.fault = [&](const store::Fault& found) {
      {
        const std::scoped_lock lock(mutex_);
        ++state_.faults;
      }
      log::error("compaction", {{"volume", found.location.volume},
                                {"segment", found.location.segment},
                                {"offset", found.location.offset},
                                {"instance", found.sop_instance_uid},
                                {"fault", found.error}});
      if (fault) fault(found);
    };
    return log.compact(index, options);
  }();
  if (report) {
    log::info("compaction", {{"finished", report.value().finished},
                             {"removals_made_final", forgotten},
                             {"garbage_bytes", report.value().garbage_bytes},
                             {"segments", report.value().compacted},
                             {"reclaimed_bytes", report.value().reclaimed_bytes}});
  } else {
    log::error("compaction", {{"cause", report.error()}});
  }
  const std::scoped_lock lock(mutex_);
  state_.running = false;
  ++state_.runs;
  if (report) {
    state_.last = report.value();
    state_.segments += report.value().compacted;
    state_.reclaimed_bytes += report.value().reclaimed_bytes;
  } else {
    state_.error = to_string(report.error());
  }
  ended_.notify_all();
  return report;
}

Compaction CompactionRun::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

}  // namespace cairn::archive
