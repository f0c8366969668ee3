// Specific Character Set (PS3.3 §C.12.1.1.2, PS3.5 §6.1): text of a data set to UTF-8 and back.
//
// All defined terms are known, code extensions (ISO 2022) included, and the usual misspellings of them. Lenient on the
// way in, since a name that cannot be read must not hide a study: bytes that no designated set explains become U+FFFD;
// under the default repertoire, or under an unknown term, bytes above 7F are taken as UTF-8 when they are that, else as
// ISO 8859-1. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dicom/tag.h"

namespace cairn::dicom {

/// `bytes` of a value as valid UTF-8. `specific_character_set` is the value of (0008,0005), its terms separated by
/// backslashes. A VR that the attribute does not govern (PS3.5 §6.1.2.2) is read under the default repertoire. Padding
/// is kept. Under PN "^" and "=" end a code extension too, as PS3.5 §6.1.2.5.3 has it. Values must be decoded before
/// they are split: the second byte of a GB18030 or GBK character may be a backslash.
std::string decode_text(std::string_view bytes, std::string_view specific_character_set, VR vr);

/// The reverse, for answers to a peer that asked in `specific_character_set`; nullopt when a character of `utf8` is not
/// in it, or `utf8` is not valid.
std::optional<std::string> encode_text(std::string_view utf8, std::string_view specific_character_set);

/// The defined terms that are known, with and without code extensions (PS3.3 tables C.12-2 to C.12-5).
std::vector<std::string> character_set_terms();

}  // namespace cairn::dicom
