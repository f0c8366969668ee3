// What lies over a frame when people look at it: the display shutter (PS3.3 §C.7.6.11, §C.7.6.16.2.18) and overlay
// planes, with data of their own or in unused bits of the samples (PS3.3 §C.9.2). Pure.
#pragma once

#include "codec/decode.h"
#include "engine/volumes/functional_groups.h"
#include "engine/web/picture.h"

namespace cairn::web {

/// Blanks what the shutter covers: the pixels outside any of its shapes take its presentation value, else black. A
/// shape whose extent is missing or makes no sense covers nothing.
void close_shutter(const volumes::FrameAttributes& attributes, Picture& picture);

/// Draws the graphic overlays of frame `number` (from 0) in white, clipped to the picture. Regions of interest, planes
/// of other frames and planes whose data are missing or short are not drawn. `native_samples`: `frame` still has the
/// unused bits of its words. Preconditions: the picture is as large as the frame. Errors: those of `read`.
Result<> draw_overlays(const dicom::DataSet& data_set, std::uint32_t number, const codec::Frame& frame,
                       bool native_samples, const ValueReader& read, Picture& picture);

}  // namespace cairn::web
