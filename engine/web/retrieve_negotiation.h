// In which form and transfer syntax instances may be sent (PS3.18 §8.7.3, §10.4.1.1). A pure function of Accept and
// what is stored.
//
// Stored form first: a client that names no transfer syntax gets the stored one (the standard's default would be
// Explicit VR Little Endian; every client we know asks for what it needs, and transcoding unasked loses time). Of what
// is liked as much, the stored one is sent.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/web/media_type.h"

namespace cairn::web {

enum class InstanceForm { multipart, single };  ///< multipart/related; type="application/dicom", or application/dicom

struct InstanceChoice {
  InstanceForm form = InstanceForm::multipart;
  std::map<std::string, std::string> syntaxes;  ///< stored transfer syntax → the one to send
  bool as_stored() const noexcept;
};

/// `stored`: the transfer syntaxes of all instances asked for. `single_possible`: exactly one is asked for.
/// nullopt: nothing on offer is acceptable. Without ranges, and for "*/*", the form is multipart.
std::optional<InstanceChoice> negotiate(const std::vector<MediaRange>& ranges, const std::set<std::string>& stored,
                                        bool single_possible);

/// For the body of a 406: the forms and every transfer syntax in which all of `stored` can be had.
std::string instances_on_offer(const std::set<std::string>& stored, bool single_possible);

/// The range that asks for application/zip, when nothing is liked better; else nullptr.
const MediaRange* zip_preferred(const std::vector<MediaRange>& ranges);

}  // namespace cairn::web
