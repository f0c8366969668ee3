// What stands in for a segment's header when its block is damaged (FORMAT.md, "A damaged header"). Volume, segment
// number and archive are known from where the file lies; the identity, which only the header has, is worked out from
// the checksums of the records, all of which it seeds.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/core/result.h"
#include "engine/io/file_system.h"
#include "engine/store/format.h"

namespace cairn::store {

/// An identity under which the records of the `size` bytes of `file` are valid: not the one that was there, but one
/// with the same effect on every checksum. It is what the trailer and the footer, or two records whose payloads are
/// right, agree on; or what the only record there is asks for, when that is a commit. Nothing when there is no such
/// witness: then no record of the segment can be told from other bytes. Reads until it knows, all of the file at worst.
/// Errors: io.
Result<std::optional<Identity>> identity_from_records(io::File& file, std::uint64_t size);

}  // namespace cairn::store
