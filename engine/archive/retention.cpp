#include "engine/archive/retention.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <pthread.h>

#include "engine/core/check.h"
#include "engine/core/log.h"

namespace cairn::archive {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::hours;
using std::chrono::milliseconds;

/// The clock of the day against the steady one: beyond this it was set, and not merely kept right.
constexpr milliseconds kClockSet = hours(1);
/// After the clock was set nothing is removed for so long: time to notice.
constexpr hours kDoubt{24};
/// An archive to which nothing happened for so long: either it is out of use or the clock is wrong.
constexpr std::chrono::days kSilence{7};

std::int64_t system_now_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Following& checked(Following* following) {
  CAIRN_CHECK(following != nullptr);
  return *following;
}

RetentionOptions with_clocks(RetentionOptions options) {
  if (!options.now_unix_ms) options.now_unix_ms = system_now_ms;
  if (!options.steady) options.steady = Steady::now;
  return options;
}

std::string reason_of(const RetentionRule& rule, const Expired& expired, std::int64_t now_unix_ms) {
  const auto days = [&](std::int64_t from) {
    return std::to_string(std::chrono::duration_cast<std::chrono::days>(milliseconds(now_unix_ms - from)).count());
  };
  std::string out = "rule " + rule.name + ": ";
  if (rule.age_of == RetentionRule::AgeOf::study_date) {
    out += "study of " + expired.study_date;
  } else {
    out += "unchanged for " + days(expired.changed_unix_ms) + " days";
  }
  if (rule.below_free_bytes != 0) out += ", space was needed";
  return out;
}

}  // namespace

Retention::Retention(Archive& archive, RetentionOptions options)
    : archive_(archive), following_(checked(following_of(archive))), options_(with_clocks(std::move(options))) {
  clock_offset_ = milliseconds(options_.now_unix_ms()) -
                  std::chrono::duration_cast<milliseconds>(options_.steady().time_since_epoch());
}

Retention::~Retention() {
  stop();
}

void Retention::start() {
  if (options_.rules.empty()) return;
  for (const RetentionRule& rule : options_.rules) {
    log::info("retention", {{"rule", rule.name},
                            {"age_days", rule.age.count()},
                            {"removes_the_only_copy", rule.removes_the_only_copy},
                            {"first_after_s", options_.first_after.count()}});
  }
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "retention");
    auto pause = options_.first_after;
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, pause, [this] { return stopping_; })) {
      lock.unlock();
      run_once();
      lock.lock();
      pause = options_.interval;
    }
  });
}

void Retention::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Retention::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool Retention::is_held() const {
  const std::lock_guard lock(mutex_);
  return !held_.empty();
}

std::map<std::string, Retention::Counters> Retention::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

// Why the clock is not to be believed; empty when it is.
Result<std::string> Retention::doubt(std::int64_t now_unix_ms) {
  const auto steady = options_.steady();
  const milliseconds offset =
      milliseconds(now_unix_ms) - std::chrono::duration_cast<milliseconds>(steady.time_since_epoch());
  if (offset > clock_offset_ + kClockSet || offset < clock_offset_ - kClockSet) doubtful_until_ = steady + kDoubt;
  clock_offset_ = offset;
  if (steady < doubtful_until_) return std::string("the clock was set within the last day");

  // The newest change: it may lie some way back, behind what changed nothing.
  std::optional<std::int64_t> newest;
  CAIRN_TRY(const store::Sequence last, applied());
  for (store::Sequence back = 1000; !newest; back *= 100) {
    const store::Sequence since = last > back ? last - back : 0;
    CAIRN_TRYV(following_.changes(since, [&](const store::Change& change) {
      newest = change.time_unix_ms;
      return true;
    }));
    if (since == 0) break;
  }
  if (!newest) return std::string("nothing is stored");
  if (now_unix_ms < *newest - milliseconds(kClockSet).count()) {
    return std::string("the clock is behind the last change of the archive");
  }
  if (now_unix_ms - *newest > milliseconds(kSilence).count()) {
    return std::string("nothing changed for a week: the archive is out of use, or the clock is ahead");
  }
  return std::string();
}

Result<store::Sequence> Retention::applied() {
  CAIRN_TRY(const ChangesRead read, following_.changes(0, [](const store::Change&) { return false; }));
  return read.applied;
}

Result<Retention::Space> Retention::space() {
  Space out;
  for (const store::VolumeStats& volume : archive_.stats().volumes) {
    if (!volume.failed) out.free_bytes += volume.free_bytes;
  }
  CAIRN_TRYV(archive_.removed({}, [&](Removed&& removed) {
    if (removed.restorable) out.removed_bytes += removed.bytes;  // what is final is reclaimed, and then is free space
    return true;
  }));
  return out;
}

// Once there is too little, until there is enough.
bool Retention::wants(const RetentionRule& rule, const Space& space) {
  if (rule.below_free_bytes == 0) return true;
  bool& making_room = making_room_[rule.name];
  if (space.will_be_free() < rule.below_free_bytes) making_room = true;
  if (space.will_be_free() >= rule.until_free_bytes) making_room = false;
  return making_room;
}

std::size_t Retention::left_this_hour() {
  const auto since = options_.steady() - hours(1);
  while (!removals_.empty() && removals_.front() <= since) removals_.pop_front();
  return options_.per_hour - std::min<std::size_t>(removals_.size(), options_.per_hour);
}

Result<Removed> Retention::remove(const RetentionRule& rule, const Expired& expired) {
  Asked asked;
  asked.reason = reason_of(rule, expired, options_.now_unix_ms());
  asked.via = store::Event::Via::rule;
  Target target{expired.study_uid, expired.series_uid, {}};
  std::optional<Result<Removed>> done;
  const auto keep = [](Task<Removed> removal, std::optional<Result<Removed>>& into) -> asio::awaitable<void> {
    into.emplace(co_await std::move(removal));
  };
  asio::io_context context(1);
  auto removal = archive_.remove(std::move(target), std::move(asked), rule.removes_the_only_copy);
  asio::co_spawn(context, keep(std::move(removal), done), [](std::exception_ptr failure) {
    if (failure) log::error("retention", {{"error", "a removal ended by an exception"}});
  });
  context.run();
  return done ? std::move(*done) : fail(Errc::internal, "removal");
}

Result<> Retention::note_changed(store::Sequence& seen, std::set<std::string>& studies) {
  CAIRN_TRY(const ChangesRead read, following_.changes(seen, [&](const store::Change& change) {
    const bool ours = change.is_event() && change.via == static_cast<std::uint8_t>(store::Event::Via::rule);
    if (!ours) studies.insert(change.study_instance_uid);
    return true;
  }));
  seen = read.next;
  return outcome::success();
}

Result<std::size_t> Retention::apply(const RetentionRule& rule, std::int64_t now_unix_ms, Space& space) {
  std::size_t removed = 0;
  const std::size_t most = left_this_hour();
  if (most == 0 || !wants(rule, space)) return removed;
  CAIRN_TRY(store::Sequence seen, applied());
  CAIRN_TRY(const ExpiredFound found, following_.expired(rule, now_unix_ms, most, searches_[rule.name]));
  std::set<std::string> changed;  // studies to which something happened meanwhile
  for (const Expired& expired : found.expired) {
    if (is_stopping() || !wants(rule, space)) break;
    CAIRN_TRYV(note_changed(seen, changed));
    if (changed.contains(expired.study_uid)) continue;
    const auto done = remove(rule, expired);
    const std::lock_guard lock(mutex_);
    Counters& counters = counters_[rule.name];
    if (!done) {
      if (done.error() == Errc::not_found) continue;  // somebody else was faster
      ++counters.refused;
      log::warning("retention", {{"rule", rule.name}, {"study", expired.study_uid}, {"kept", done.error()}});
      break;  // it would be the same for the rest
    }
    const Removed& gone = done.value();
    removals_.push_back(options_.steady());
    space.removed_bytes += gone.bytes;
    ++removed;
    ++counters.removed;
    counters.instances += gone.instances;
    counters.bytes += gone.bytes;
    log::info("retention", {{"rule", rule.name},
                            {"study", expired.study_uid},
                            {"series", expired.series_uid},
                            {"removal", gone.sequence},
                            {"instances", gone.instances},
                            {"bytes", gone.bytes}});
  }
  return removed;
}

std::size_t Retention::run_once() {
  const std::lock_guard round(round_);
  const std::int64_t now = options_.now_unix_ms();
  std::size_t removed = 0;
  auto run = [&]() -> Result<> {
    CAIRN_TRY(const std::string doubt_now, doubt(now));
    {
      const std::lock_guard lock(mutex_);
      if (held_ != doubt_now && !doubt_now.empty()) log::warning("retention", {{"held", doubt_now}});
      held_ = doubt_now;
    }
    if (!doubt_now.empty()) return outcome::success();
    CAIRN_TRY(Space now_free, space());
    for (const RetentionRule& rule : options_.rules) {
      CAIRN_TRY(const std::size_t by_this, apply(rule, now, now_free));
      removed += by_this;
    }
    return outcome::success();
  };
  if (const Result<> done = run(); !done && !(done.error() == Errc::closed)) {
    log::error("retention", {{"error", done.error()}});
  }
  return removed;
}

Result<Retention::Plan> Retention::plan(std::size_t limit) {
  const std::lock_guard round(round_);
  const std::int64_t now = options_.now_unix_ms();
  Plan out;
  CAIRN_TRY(out.held, doubt(now));
  out.per_hour = options_.per_hour;
  out.left_this_hour = static_cast<std::uint32_t>(left_this_hour());
  CAIRN_TRY(const Space now_free, space());
  out.free_bytes = now_free.free_bytes;
  out.removed_bytes = now_free.removed_bytes;
  for (const RetentionRule& rule : options_.rules) {
    RulePlan one{rule, {}, {}};
    ExpirySearch search = searches_[rule.name];
    CAIRN_TRY(one.found, following_.expired(rule, now, limit, search));
    if (!rule.removes_the_only_copy) {
      one.waits_for = "another copy: none is known of anything, and the rule does not say removes_the_only_copy";
    } else if (!wants(rule, now_free)) {
      one.waits_for = "less free space";
    } else if (one.found.expired.empty()) {
      one.waits_for = "something old enough";
    }
    out.rules.push_back(std::move(one));
  }
  return out;
}

}  // namespace cairn::archive
