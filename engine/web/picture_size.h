// Part, size and shape of a picture: the region that is shown, square pixels, the box that it fits into (PS3.18
// §8.3.5.1.3, PS3.3 §C.7.6.3.1.7). Pure.
#pragma once

#include <cstdint>

#include "engine/web/picture.h"

namespace cairn::web {

/// The region of a picture that is shown, in its pixels; negative extents mirror.
struct Region {
  std::int64_t column = 0, row = 0, columns = 0, rows = 0;
};

/// Cuts `region` out, within the picture. Errors: limit_exceeded (it lies outside).
Result<Picture> cut_region(const Picture& picture, const Region& region);

/// Height by width of a frame's pixels, from 1/16 to 16: by their spacing, else by Pixel Aspect Ratio; 1 where nothing
/// sensible is said, and where it is as good as 1.
double pixel_aspect_of(const dicom::DataSet& data_set, std::uint32_t frame_number);

/// Scales into the box, keeping the shape that the picture has with pixels of `aspect`. Preconditions: extents above 0.
Picture fit_into(const Picture& picture, std::uint32_t columns, std::uint32_t rows, double aspect = 1);

/// Makes pixels of `aspect` square: rows or columns become more; where one would pass `most_edge` the whole is fit into
/// it.
Picture square(const Picture& picture, double aspect, std::uint32_t most_edge);

}  // namespace cairn::web
