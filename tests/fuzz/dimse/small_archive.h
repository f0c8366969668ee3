// An archive of a few invented studies in a temporary folder, for fuzz targets that ask it: names in several character
// sets, several studies of a patient, no Patient ID, no dates, several modalities, sequences. Made once a process.
#pragma once

#include "engine/archive/archive.h"

namespace cairn::fuzz {

archive::Archive& small_archive();

/// All that a query finds, as text with a line for each match: in one go, or in pages of `page` matches.
Result<std::string> found_by(archive::Query query, std::size_t page = 0);

}  // namespace cairn::fuzz
