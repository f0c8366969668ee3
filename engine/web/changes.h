// The change feed: GET /api/v1/changes tells what the archive did, in the order of its log, each change once and not
// before it is applied, so that anyone can follow it: read, remember `next`, go on there, after any time away. With
// `wait` an answer that would be empty is held back until something changes (long poll).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "engine/archive/following.h"
#include "engine/io/worker_pool.h"
#include "engine/web/router.h"

namespace cairn::web {

inline constexpr std::size_t kMostFollowers = 64;  ///< that wait at once; more are answered 503

struct ChangesQuery {
  store::Sequence since = 0;  ///< 0: from the beginning
  std::size_t limit = 1000;   ///< at most kMostChanges
  std::chrono::seconds wait{0};
  std::string study_uid;                    ///< empty: of all
  std::optional<store::Change::Kind> kind;  ///< `replaced` stands for `replaced_kept` too
};
inline constexpr std::size_t kMostChanges = 10'000;
inline constexpr std::chrono::seconds kLongestWait{60};

/// Errors: malformed, missing; Error::where names the parameter.
Result<ChangesQuery> parse_changes_query(const Request& request);

/// `following` null: there is nothing to follow, and the route says so. `signal` is its, closed when the server drains;
/// all outlive the router.
void add_changes_routes(Router& router, archive::Following* following, io::WorkerPool& pool,
                        std::shared_ptr<archive::AppliedSignal> signal);

}  // namespace cairn::web
