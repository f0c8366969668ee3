// The data dictionary (PS3.6): VR and keyword of a tag, tag of a keyword. Constant tables, no start-up cost, no locks.
#pragma once

#include <optional>
#include <string_view>

#include "engine/dicom/tag.h"

namespace cairn::dicom {

/// The VR of an attribute. Where the standard leaves a choice: OW for "OB or OW", US for "US or SS", OW for LUT data.
/// Group lengths are UL, private creators LO, unknown and private attributes UN, item and delimiter tags VR::none.
VR vr_of(Tag tag) noexcept;

/// True where the standard says "US or SS" and Pixel Representation (0028,0103) decides.
bool is_us_or_ss(Tag tag) noexcept;

/// PS3.6's keyword; empty for what is not in the dictionary.
std::string_view keyword_of(Tag tag) noexcept;

/// The tag of a keyword (exact case); for a repeating group the tag in its first group.
std::optional<Tag> tag_of_keyword(std::string_view keyword) noexcept;

}  // namespace cairn::dicom
