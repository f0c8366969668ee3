// From a request and a volume to a picture: camera, plane, window, encoding. Pure but for the worker pool that large
// pictures are shared out to. Internal to engine/volumes.
#pragma once

#include "engine/volumes/builder.h"
#include "engine/volumes/service.h"

namespace cairn::volumes {

/// Fills in all defaults of `request` for volume `volume` of the plan. `window_of_values` stands in where the headers
/// have no window; without it the window stays empty then. Errors: malformed, limit_exceeded, unsupported (a maximum or
/// minimum slab of a colour volume).
Result<Applied> apply_defaults(const RenderRequest& request, const SeriesPlan& plan,
                               const recon::AssembledVolume& volume, std::size_t index,
                               const std::optional<codec::Window>& window_of_values);

/// Samples, windows and encodes. Pixels outside the volume are black, whatever the window.
Result<RenderedImage> render(const BuiltVolume& built, const Applied& applied, const RenderRequest& request,
                             io::WorkerPool* pool);

}  // namespace cairn::volumes
