// The acceptance report of a series as JSON, and the Rendered Volume Response Module. Internal to engine/volumes.
#pragma once

#include <string>

#include "engine/volumes/series.h"

namespace cairn::volumes {

std::string report_json(const SeriesPlan& plan, std::string_view study_uid, std::string_view series_uid);

}  // namespace cairn::volumes
