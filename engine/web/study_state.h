// Whether a study is complete, as far as an archive can tell, and why. DICOM has no word for it on the way in, so it is
// computed at each request from what the index holds: a study is complete when nothing came for a while and everything
// is there that a storage commitment named beside its instances, and is receiving again when something comes. What is
// sent again with the same content is nothing new.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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

/// A storage commitment that names instances of the study.
struct Announcement {
  std::string requester_ae, transaction_uid;
  std::vector<std::string> sop_instance_uids;
};
/// Those that name an instance of which `is_of` is true. Any thread.
using AnnouncementSource =
    std::function<std::vector<Announcement>(const std::function<bool(std::string_view sop_instance_uid)>& is_of)>;

/// What became of one: how many of its instances are in the study, and which are nowhere.
struct Announced {
  std::string requester_ae, transaction_uid;
  std::size_t here = 0;
  std::vector<std::string> missing;
};
inline constexpr std::size_t kMostMissingListed = 100;

/// Precondition: not empty, of one study, a series' instances in a row (as Archive::instances() gives them).
StudyState state_of(const std::vector<archive::Instance>& instances);

/// The body of GET /api/v1/studies/{study}/state; openapi.cpp has its members. Pure.
std::string study_state_json(std::string_view study_uid, const StudyState& state, std::int64_t now_ns,
                             std::chrono::seconds complete_after, const std::vector<Announced>& announced = {});

/// `archive` and `pool` outlive the router. `announcements` may be null: nobody announces anything.
void add_study_state_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                            std::chrono::seconds complete_after, AnnouncementSource announcements = {});

}  // namespace cairn::web
