// The Native DICOM Model (PS3.19 §A.1) into DICOM JSON: the way back of native_model.h. Pure, and strict: no document
// type, no entities but XML's own five, nothing is fetched.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::web {

/// One JSON object. Errors: malformed (not well-formed, or no such model), truncated, unsupported (a document type),
/// limit_exceeded (nesting), with the offset.
Result<std::string> dicom_json_of(std::string_view xml);

}  // namespace cairn::web
