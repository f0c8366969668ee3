// The packets of a one-tile HTJ2K stream of a single layer (ISO/IEC 15444-1 Annex B, 15444-15): where the ones of each
// resolution end. OpenJPH 0.9 believes the lengths in packet headers, so that walking them first is part of the guard;
// and its encoder names no resolution's end. Private to codec.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "codec/j2k_header.h"
#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

/// Offsets in the data of all tile-parts, counted on from one to the next. Precondition: an image at the origin in one
/// tile, one layer, no subsampling, code-blocks all HT. Errors: malformed (a length or a header past the end),
/// unsupported (an order that does not go by resolution, blocks of more than one set of passes).
Result<std::vector<std::size_t>> resolution_ends(const J2KHeader& header, std::span<const Bytes> tile_parts);

}  // namespace cairn::codec
