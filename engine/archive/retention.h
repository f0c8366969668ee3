// Retention: removes by rules what has become old, on a thread of its own. Off without rules. What it removes is
// removed as over HTTP: it is in the change feed with the rule's name, and can be restored.
//
// It is made not to surprise: nothing goes whose only copy it is unless the rule says so, nothing to which something
// happened within a day, not more than so many an hour whatever the rules say, and nothing while the clock is doubtful.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/archive/following.h"

namespace cairn::archive {

struct RetentionOptions {
  std::vector<RetentionRule> rules;
  std::uint32_t per_hour = 100;           ///< studies or series, of all rules
  std::chrono::seconds interval{300};     ///< between two rounds
  std::chrono::seconds first_after{600};  ///< after the start: time to look at GET /api/v1/retention
  /// The clock of the day, in milliseconds since 1970, and one that only goes on.
  std::function<std::int64_t()> now_unix_ms = {};
  std::function<std::chrono::steady_clock::time_point()> steady = {};
};

class Retention {
 public:
  /// `archive` outlives it. Precondition: it is on disk.
  Retention(Archive& archive, RetentionOptions options);
  ~Retention();  ///< stop()

  void start();
  /// Ends after the removal under way.
  void stop();
  /// What the thread does each interval: one round over the rules. Blocking. The number removed.
  std::size_t run_once();

  /// What a round would do now, and why not more. Blocking; removes nothing.
  struct RulePlan {
    RetentionRule rule;
    std::string waits_for;  ///< why it removes nothing, in words; empty: it would
    ExpiredFound found;
  };
  struct Plan {
    std::string held;  ///< why no rule removes anything now; empty: nothing keeps them
    std::uint32_t per_hour = 0, left_this_hour = 0;
    std::uint64_t free_bytes = 0, removed_bytes = 0;  ///< on the storage volumes; of what can be restored
    std::vector<RulePlan> rules;
  };
  Result<Plan> plan(std::size_t limit);

  struct Counters {
    std::uint64_t removed = 0, instances = 0, bytes = 0, refused = 0;
  };
  std::map<std::string, Counters> counters() const;  ///< by rule
  bool is_held() const;

 private:
  struct Space {
    std::uint64_t free_bytes = 0, removed_bytes = 0;
    std::uint64_t will_be_free() const noexcept { return free_bytes + removed_bytes; }
  };
  Result<store::Sequence> applied();
  Result<Space> space();
  Result<std::string> doubt(std::int64_t now_unix_ms);
  bool wants(const RetentionRule& rule, const Space& space);
  std::size_t left_this_hour();
  Result<> note_changed(store::Sequence& seen, std::set<std::string>& studies);
  Result<std::size_t> apply(const RetentionRule& rule, std::int64_t now_unix_ms, Space& space);
  Result<Removed> remove(const RetentionRule& rule, const Expired& expired);
  bool is_stopping() const;

  Archive& archive_;
  Following& following_;
  const RetentionOptions options_;
  std::mutex round_;  // one round at a time: guards what follows
  std::map<std::string, ExpirySearch> searches_;
  std::map<std::string, bool> making_room_;
  std::deque<std::chrono::steady_clock::time_point> removals_;  ///< of the last hour
  std::chrono::milliseconds clock_offset_{0};
  std::chrono::steady_clock::time_point doubtful_until_{};

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  std::map<std::string, Counters> counters_;
  std::string held_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cairn::archive
