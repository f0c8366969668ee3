// What a data set says of its pixels: the Image Pixel Module (PS3.3 §C.7.6.3) in the words of codec/, and where its
// Pixel Data lie. Pure.
#pragma once

#include <string>

#include "codec/frame_index.h"
#include "codec/pixel_format.h"
#include "engine/core/result.h"
#include "engine/dicom/data_set.h"

namespace cairn::transcode {

struct PixelModule {
  codec::PixelFormat format;
  codec::PixelDataValue value;
  std::string extended_offsets, extended_lengths;  ///< what `value` points into once bound
};

/// The format alone, of a data set whose Pixel Data is no bulk value too. Not validated.
codec::PixelFormat pixel_format_of(const dicom::DataSet& data_set);

/// Errors: missing (no Pixel Data left out of the header).
Result<PixelModule> pixel_module_of(const dicom::DataSet& data_set);

}  // namespace cairn::transcode
