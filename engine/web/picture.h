// One decoded frame as people look at it: modality and VOI transforms, palette and colour space (PS3.3 §C.11.1,
// §C.11.2, §C.7.6.3.1.2, §C.7.9) to 8-bit grey or RGB, under its shutter and overlays. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "codec/decode.h"
#include "codec/image.h"
#include "codec/voi.h"
#include "engine/dicom/data_set.h"

namespace cairn::web {

struct Picture {
  std::uint32_t rows = 0, columns = 0, samples_per_pixel = 1;
  std::vector<std::uint8_t> samples;  ///< row by row, colour by pixel

  codec::Plane8 plane() const noexcept { return {rows, columns, samples_per_pixel, samples}; }
};

/// The bytes of an element, little-endian, also when the index leaves them out.
using ValueReader = std::function<Result<std::string>(const dicom::Element&)>;

/// `frame_number` from 0 finds the frame's functional groups. Without `window` the data set's first VOI transform is
/// used, else the range of the values. Errors: unsupported (a photometric interpretation), malformed or missing
/// (lookup tables), mismatch (tables of different extent), those of `read`.
Result<Picture> present(const dicom::DataSet& data_set, std::uint32_t frame_number, const codec::PixelFormat& format,
                        const codec::Frame& frame, bool native_samples, const std::optional<codec::Window>& window,
                        const ValueReader& read);

}  // namespace cairn::web
