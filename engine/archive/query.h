// Queries, answered from the index alone (PS3.4 §C.2.2, §C.4.1; PS3.18 §8.3.4): candidates from one list of the index
// (query_candidates.h), each compared with the keys (query_match.h). Internal to engine/archive.
//
// Order: studies as their plan has them, newest first where nothing else narrows the query; patients by Patient ID;
// series by Series Number within their study; instances by Instance Number within their series. Each match comes once,
// in the same order each time.
#pragma once

#include <functional>

#include "engine/archive/archive.h"
#include "engine/store/index/view.h"

namespace cairn::archive {

Result<> find(const store::IndexView& view, const Query& query, const std::function<bool(Match&&)>& each);

}  // namespace cairn::archive
