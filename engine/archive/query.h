// Queries by unique keys and Patient ID, answered from the index alone. Internal to engine/archive.
//
// Order: patients by Patient ID; studies by Study Instance UID (of given Patient IDs: by Patient ID first); series by
// Series Number within their study; instances by Instance Number within their series. Each match comes once.
#pragma once

#include <functional>

#include "engine/archive/archive.h"
#include "engine/store/index/view.h"

namespace cairn::archive {

Result<> find(const store::IndexView& view, const Query& query, const std::function<bool(Match&&)>& each);

}  // namespace cairn::archive
