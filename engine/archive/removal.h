// Events on their way into the log, and removals as archive.h shows them. Internal to engine/archive.
#pragma once

#include <memory>

#include "engine/archive/archive.h"
#include "engine/store/index/rows.h"

namespace cairn::archive {

/// The event that removes `target`. Errors: missing, malformed (UIDs).
Result<store::Event> removal_event(Target target, Asked asked, bool only_copy_too);
/// The event that undoes `removal`.
store::Event restoration_event(const store::Removal& removal, Asked asked);

/// Returns once the event is durable and applied; its sequence is then in `event`. Errors: as Log::append().
Task<store::Outcome> append(std::shared_ptr<store::Log> log, std::shared_ptr<store::Event> event);

/// The event after which `removal` cannot be undone any more.
store::Event forgetting_event(const store::Removal& removal, Asked asked);

Removed removed_of(const store::Event& event, std::uint64_t instances, std::uint64_t bytes);
bool lies_within(const store::Event& event, const Target& target) noexcept;

}  // namespace cairn::archive
