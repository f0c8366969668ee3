// The DICOM JSON Model (PS3.18 Annex F), written from parsed data sets and straight from index headers.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.h"
#include "engine/dicom/data_set.h"

namespace cairn::dicom {

struct Header;

/// Appends one JSON object. Values left out of the index become BulkDataURI `bulk_uri_prefix` + "/" + path, where path
/// is the tag as eight hexadecimal digits, with "/item-number/" and the next tag for nested ones (items from 0).
/// Binary values that are present become InlineBinary. Private attributes are kept. Text comes out as UTF-8.
void append_json(std::string& out, const DataSet& data_set, std::string_view bulk_uri_prefix);

/// As append_json(out, DataSet::parse(header), prefix) without building the data set; the fast path of series metadata.
Result<> append_json(std::string& out, const Header& header, std::string_view bulk_uri_prefix);

}  // namespace cairn::dicom
