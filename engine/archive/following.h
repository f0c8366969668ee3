// The archive seen as a run of changes: for those who follow it (the change feed) and for retention. Any thread; the
// archive outlives it.
#pragma once

#include <functional>
#include <memory>

#include "engine/archive/applied_signal.h"
#include "engine/archive/retention_rule.h"
#include "engine/store/change.h"

namespace cairn::archive {

class Archive;

/// How far a reading of the changes came: `next` is where the next one goes on, `applied` is all there was.
struct ChangesRead {
  store::Sequence next = 0, applied = 0;
};

class Following {
 public:
  virtual ~Following() = default;

  /// Blocking. What changed after `since`, in order, each exactly once, and only what is applied. `each` returns false
  /// to stop. Errors: conflict (`since` is ahead of the archive: it is a position in another one, or in a later state
  /// of it), io, corrupt, closed.
  virtual Result<ChangesRead> changes(store::Sequence since, const std::function<bool(const store::Change&)>& each) = 0;
  /// Rings at each change as long as it is held.
  virtual std::shared_ptr<AppliedSignal> applied_signal(std::size_t most_waiting) = 0;
  /// Blocking. What a retention rule applies to: find_expired(). Errors: io, corrupt, closed.
  virtual Result<ExpiredFound> expired(const RetentionRule& rule, std::int64_t now_unix_ms, std::size_t limit,
                                       ExpirySearch& search) = 0;
};

/// Null for an archive that is not on disk.
Following* following_of(Archive& archive) noexcept;

}  // namespace cairn::archive
