// The DICOM JSON Model (PS3.18 Annex F) read into data sets, as a store request carries it: hostile until it is read.
// Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.h"
#include "engine/dicom/data_set.h"

namespace cairn::dicom {

/// The objects of a JSON array of objects, or the one object that `text` is; borrowed from it. Looks at brackets and
/// strings only: read_json() is the judge of what is inside. Errors: malformed, limit_exceeded (more than `most`).
Result<std::vector<std::string_view>> json_objects(std::string_view text, std::size_t most);

/// Of the JSON of one data set.
inline constexpr std::size_t kMaxJSONBytes = 16u << 20;

struct ReadDataSet {
  /// Text in UTF-8, which Specific Character Set says (ISO_IR 192) where a text needs it. An element that was given as
  /// BulkDataURI has `bulk`: `stream_offset` counts into bulk_uris, the length is 0.
  DataSet data_set;
  std::vector<std::string> bulk_uris;
  bool coerced = false;    ///< a number was rounded to what its VR can hold
  bool discarded = false;  ///< elements of groups that no data set has (PS3.5 §7.1) were left out
};

/// One data set. Group lengths are left out, File Meta Information (group 0002) is kept. A missing "vr" is the
/// dictionary's. Errors: malformed (no JSON; a tag, VR or value that cannot be), limit_exceeded (kMaxJSONBytes,
/// nesting past kMaxNesting), with the offset of a fault of the JSON itself.
Result<ReadDataSet> read_json(std::string_view object);

}  // namespace cairn::dicom
