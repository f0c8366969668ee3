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
  std::string level;                             ///< Query/Retrieve Level as the peer wrote it
  std::vector<std::string> patient_id_patterns;  ///< with * or ?: matched here, not by the archive
  std::vector<dicom::Element> keys;              ///< asked for in return, in tag order
  bool unsupported_keys = false;                 ///< keys to match on that we treat as universal: status FF01

  /// Errors: missing or malformed (Query/Retrieve Level), mismatch (a level that the root lacks).
  static Result<FindRequest> read(const dicom::DataSet& identifier, QueryRoot root);

  bool matches(const archive::Match& match) const;
  /// The identifier of a pending response: the keys asked for, with the match's values or empty.
  dicom::DataSet answer(const archive::Match& match, std::string_view retrieve_ae_title) const;
};

/// Wildcard matching (PS3.4 §C.2.2.2.4): * any characters, ? one; case-sensitive. Linear in text × pattern.
bool matches_wildcard(std::string_view text, std::string_view pattern) noexcept;

}  // namespace cairn::dimse
