// Parameters of rendered resources (PS3.18 §8.3.5): which part of an image, how large, how windowed and coded. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/voi.h"
#include "engine/core/result.h"
#include "engine/web/picture_size.h"

namespace cairn::web {

inline constexpr std::uint32_t kMaxPictureEdge = 8192;

struct RenderedQuery {
  std::optional<codec::Window> window;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> box;  ///< columns, rows
  std::optional<Region> region;                                ///< extents of 0 mean: up to the edge
  int quality = 90;
  std::vector<std::string> warnings;  ///< parameters that are not honoured; fit for a Warning field

  /// Tells two pictures of one frame apart.
  std::string key() const;
};

/// Errors: malformed and limit_exceeded, naming the parameter.
Result<RenderedQuery> parse_rendered_query(const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace cairn::web
