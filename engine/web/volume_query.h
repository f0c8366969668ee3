// Parameters of Rendered MPR and Rendered 3D Volumes (PS3.18 §8.3.5.1, §8.3.5.3). A pure parser.
//
// Cairn's own beside the standard's: interpolation=nearest|linear|cubic, planes=count,step (several parallel planes, mm
// apart), bits=16 (with image/png: values, not grey levels); in 3D
// preset=NAME, transferfunction=value,red,green,blue,opacity;… (colours and the opacity of a millimetre from 0 to 1),
// projection=orthographic|perspective and crop=x,y,z,x,y,z (two corners). The standard lets servers ignore what they do
// not know; what would change the picture (match by attribute, animation) is refused instead.
//
// `window` is centre,width,function as Table 8.3.5-1 has it (the standard's own examples give the width first). Camera
// parameters are patient millimetres (LPS). Animation parameters are refused: a still would not be what was asked for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/volumes/service.h"
#include "engine/web/resource.h"
#include "engine/web/volume_stack.h"

namespace cairn::web {

struct VolumeQuery {
  volumes::RenderRequest render;
  PlaneStack stack;
  bool sixteen_bits = false;          ///< bits=16
  bool metadata_only = false;         ///< renderedvolumetricmetadata=yes
  std::vector<std::string> warnings;  ///< parameters that were ignored
};

/// "UID" or "UID,frame" (also with "/"): the volume that holds it. Errors: malformed.
Result<> parse_volume_reference(std::string_view text, volumes::VolumeRequest& volume);

/// Errors name the parameter in Error::where: malformed, missing (a part of the viewpoint), unsupported.
/// `in_3d`: of `rendered3d`, which is volume_rendered unless renderingmethod says otherwise.
Result<VolumeQuery> parse_volume_query(const Resource& path, bool in_3d,
                                       const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace cairn::web
