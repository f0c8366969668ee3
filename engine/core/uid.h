// Unique identifiers (PS3.5 §9): digits and dots, at most 64 characters.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

/// True when `uid` is usable as a key: 1 to 64 characters, only digits and dots. Leading zeros in a component and empty
/// components are tolerated, as senders in the field have them.
bool is_usable_uid(std::string_view uid) noexcept;

/// `value` without the padding that PS3.5 §6.2 allows (trailing NUL, and spaces that some senders use instead).
std::string_view trim_uid(std::string_view value) noexcept;

/// A new UID under 2.25 (PS3.5 §B.2) from a random UUID.
std::string new_uid();

/// The UID under 2.25 that `seed` always gives; for objects that must get the same UID each time they are made.
std::string derived_uid(std::string_view seed);

}  // namespace cairn
