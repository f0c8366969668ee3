// C-FIND identifiers (PS3.4 §C.4.1): from a request to the archive's query, and from a match to a response. Pure
// functions of values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/dicom/data_set.h"

namespace cairn::dimse {

enum class QueryRoot { patient, study };

/// A request, read.
struct FindRequest {
  archive::Query query;
  std::string level;                 ///< Query/Retrieve Level as the peer wrote it
  std::vector<dicom::Element> keys;  ///< asked for in return, in tag order
  std::string character_set;         ///< the request's Specific Character Set
  bool unsupported_keys = false;     ///< keys to match on that we treat as universal (binary values): status FF01

  /// `empty_values`: a key of two quotation marks matches what is empty or absent, as negotiated; else it matches all.
  /// Errors: missing or malformed (Query/Retrieve Level), mismatch (a level that the root lacks), limit_exceeded (more
  /// keys, or values of one, than there may be).
  static Result<FindRequest> read(const dicom::DataSet& identifier, QueryRoot root, bool empty_values = false);

  /// The identifier of a pending response: the keys asked for, with the match's values or empty. Text is in the
  /// character set of the request when it has all its characters, else in UTF-8; plain ASCII needs none.
  dicom::DataSet answer(const archive::Match& match, std::string_view retrieve_ae_title) const;
};

}  // namespace cairn::dimse
