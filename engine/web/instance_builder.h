// A Part 10 stream from metadata and bulk data that came apart (PS3.18 §10.5.1, §8.7.3): the data set in explicit VR
// little endian, its bulk values from a spool, pixel data native or encapsulated as their media type says. Blocking.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/core/result.h"
#include "engine/dicom/json_read.h"
#include "engine/web/spool.h"

namespace cairn::web {

/// A part of the body that was bulk data.
struct BulkPart {
  std::string content_type;
  dicom::Extent extent;  ///< in the spool
};

/// Some bytes of the stream, and what of the spool comes behind them.
struct StreamPiece {
  std::string bytes;
  dicom::Extent extent;
};

struct BuiltInstance {
  std::vector<StreamPiece> pieces;
  std::uint16_t warning = 0;  ///< Warning Reason (0008,1196): elements coerced or discarded
};

/// `parts_of`: the parts with that Content-Location in order of arrival; null: there is none. Several are the frames of
/// compressed pixel data. Rows, Columns, bits and colour that the metadata leaves out come from the codestream; what it
/// says must agree. Errors: missing (a bulk data part, an attribute), mismatch (metadata and bulk data contradict each
/// other), unsupported (a media type or coding), malformed and truncated (a codestream), limit_exceeded, those of the
/// spool.
Result<BuiltInstance> build_instance(
    dicom::ReadDataSet read, const std::function<const std::vector<BulkPart>*(const std::string& uri)>& parts_of,
    const Spool& spool);

}  // namespace cairn::web
