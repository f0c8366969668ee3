// One value of the DICOM JSON Model (PS3.18 §F.2.2 to §F.2.7). Internal to engine/dicom.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/bytes.h"
#include "engine/dicom/tag.h"

namespace cairn::dicom::json_detail {

/// Appends `"GGGGEEEE":{"vr":"XX"`; the caller closes the object.
void append_attribute(std::string& out, Tag tag, VR vr);

/// Appends `,"Value":[...]` or `,"InlineBinary":"..."`, or nothing for an empty value. `value` is little endian;
/// `character_set` is the one in force.
void append_value(std::string& out, Tag tag, VR vr, Bytes value, std::string_view character_set);

/// Appends a JSON string. Precondition: valid UTF-8.
void append_string(std::string& out, std::string_view utf8);

/// As append_string(), but without the quotes.
void append_escaped(std::string& out, std::string_view utf8);

void append_tag(std::string& out, Tag tag);  ///< eight hexadecimal digits

}  // namespace cairn::dicom::json_detail
