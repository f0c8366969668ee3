// Gives a one-tile RPCL codestream of a single layer a tile-part for each resolution and the TLM segment that names
// their lengths (ISO/IEC 15444-1 A.4.2, A.7.1), so that a reader finds where each resolution ends (PS3.5 §10.18). No
// packet changes. Private to codec.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

/// Errors: unsupported (more than one tile, tile-part or layer, blocks other than HT, another order), malformed.
Result<std::vector<std::byte>> add_tile_parts(Bytes codestream);

}  // namespace cairn::codec
