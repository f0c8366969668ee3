// What a retention rule says, and what of the archive it says it of now. Nothing here removes anything.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/store/record.h"

namespace cairn::store {
class IndexView;
}

namespace cairn::archive {

struct RetentionRule {
  enum class Level { study, series };
  enum class AgeOf {
    change,      ///< the last that was stored into it, replaced, removed from it, restored or corrected
    study_date,  ///< Study Date (0008,0020); one that is absent, before 1950 or in the future is never old
  };
  std::string name;
  Level level = Level::study;
  AgeOf age_of = AgeOf::change;
  std::chrono::days age{0};
  std::vector<std::string> modalities;  ///< empty: all; a study whose every modality is among them
  bool removes_the_only_copy = false;
  /// Not 0: only when less than `below_free_bytes` would be free, until `until_free_bytes` would be. What was removed
  /// and can be restored counts as free: it will be.
  std::uint64_t below_free_bytes = 0, until_free_bytes = 0;
};

/// Whatever a rule says, nothing is old to which something happened within a day: it may still be coming in.
inline constexpr std::chrono::days kLeastQuiet{1};

/// A study, or a series of one, that a rule is about to remove.
struct Expired {
  std::string study_uid, series_uid;  ///< series empty: the study
  std::int64_t changed_unix_ms = 0;   ///< the last change
  std::string study_date;             ///< YYYYMMDD, where the rule goes by it
  std::uint64_t instances = 0, bytes = 0;
};

struct ExpiredFound {
  std::vector<Expired> expired;  ///< oldest first
  bool more = false;             ///< than `limit`
};

/// How far a search in the order of changes need not look again; a new one is always right.
struct ExpirySearch {
  store::Sequence from = 0;
  std::int64_t latest_unix_ms = 0;  ///< of the changes up to there
};

/// What `rule` applies to at `now`, free space aside: at most `limit`. A change counts as no older than those before
/// it, so that a clock that was behind makes nothing old; one dated in the future is not looked at.
/// Errors: io, corrupt.
Result<ExpiredFound> find_expired(const store::IndexView& view, const RetentionRule& rule, std::int64_t now_unix_ms,
                                  std::size_t limit, ExpirySearch& search);

}  // namespace cairn::archive
