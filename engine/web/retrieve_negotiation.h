// In which form stored instances may be sent (PS3.18 §8.7.3, §10.4.1.1). A pure function of Accept and what is stored.
//
// Stored form first: a client that names no transfer syntax gets the stored one (the standard's default would be
// Explicit VR Little Endian; every client we know asks for what it needs, and transcoding unasked loses time).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/web/media_type.h"

namespace cairn::web {

enum class InstanceForm { multipart, single };  ///< multipart/related; type="application/dicom", or application/dicom

/// `stored`: the transfer syntaxes of all instances asked for. `single_possible`: exactly one is asked for.
/// nullopt: nothing on offer is acceptable. Without ranges, and for "*/*", the form is multipart.
std::optional<InstanceForm> negotiate(const std::vector<MediaRange>& ranges, const std::set<std::string>& stored,
                                      bool single_possible);

/// True when application/zip is named, and nothing is liked better.
bool prefers_zip(const std::vector<MediaRange>& ranges);

}  // namespace cairn::web
