// Whether a study is complete, as far as an archive can tell, and why. DICOM has no word for it on the way in, so it is
// computed at each request from what the index holds: a study is complete when nothing came for a while, and is
// receiving again when something does. What is sent again with the same content is nothing new.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/archive/archive.h"
#include "engine/io/worker_pool.h"
#include "engine/web/router.h"

namespace cairn::web {

/// Of the instances of a study that are current. Times: nanoseconds since 1970, UTC, by this machine's clock.
struct StudyState {
  std::uint64_t series = 0, instances = 0, bytes = 0;
  std::int64_t first_received_ns = 0, last_received_ns = 0;

  /// Since the last instance; negative when the clock was set back behind it.
  std::chrono::nanoseconds quiet(std::int64_t now_ns) const noexcept {
    return std::chrono::nanoseconds(now_ns - last_received_ns);
  }
};

/// Precondition: not empty, of one study, a series' instances in a row (as Archive::instances() gives them).
StudyState state_of(const std::vector<archive::Instance>& instances);

/// The body of GET /api/v1/studies/{study}/state; openapi.cpp has its members. Pure.
std::string study_state_json(std::string_view study_uid, const StudyState& state, std::int64_t now_ns,
                             std::chrono::seconds complete_after);

/// `archive` and `pool` outlive the router.
void add_study_state_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                            std::chrono::seconds complete_after);

}  // namespace cairn::web
