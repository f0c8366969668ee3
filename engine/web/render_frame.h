// A stored frame as a coded picture: read, decoded, presented, sized and coded. Blocking; thread-safe.
#pragma once

#include <string_view>
#include <vector>

#include "engine/web/rendered_query.h"
#include "engine/web/stored_pixels.h"

namespace cairn::web {

enum class PictureType { jpeg, png };
std::string_view media_type_of(PictureType type) noexcept;

/// `frame` from 1. Errors: not_found (no such frame), unsupported (a coding or photometric interpretation), those of
/// decoding and reading.
Result<std::vector<std::byte>> render_frame(archive::Archive& archive, const StoredPixels& pixels, std::uint64_t frame,
                                            const RenderedQuery& query, PictureType type);

}  // namespace cairn::web
