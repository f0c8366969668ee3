// The Native DICOM Model: data sets as XML (PS3.19 §A.1), media type application/dicom+xml. Made from the DICOM JSON
// Model, so that both say the same. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::web {

inline constexpr std::string_view kDicomXml = "application/dicom+xml";

/// The XML document of one data set given as a DICOM JSON object. Characters that XML cannot carry become U+FFFD.
/// Errors: malformed (not such an object).
Result<std::string> native_model_of(std::string_view dicom_json);

}  // namespace cairn::web
