// From a way of looking (PS3.18 8.3.5.3.4 to .7) to a plane.
//
// A camera looks from `position` to `look_at`, orthographically; the plane passes through look_at at right angles to
// the view. All vectors are in patient millimetres (LPS). The picture's rightward direction is view x up, as for an
// eye.
//
//   orientation  camera stands at   up         picture left   reading
//   a            the front          head       patient right  coronal, radiological
//   p            the back           head       patient left   coronal from behind
//   r            the right side     head       back           sagittal, face to the right
//   l            the left side      head       front          sagittal, face to the left, the usual one
//   h            above the head     front      patient left   axial from above
//   f            below the feet     front      patient right  axial, radiological
//
// Picture left for h: looking down from the head with the front up, the patient's left is on the left.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/core/result.h"
#include "recon/plane.h"

namespace cairn::recon {

enum class Orientation : std::uint8_t { anterior, posterior, right, left, head, feet };

/// One of "a" "p" "r" "l" "h" "f". Errors: malformed.
Result<Orientation> parse_orientation(std::string_view value);

struct Camera {
  Vec3 position_mm, look_at_mm;
  Vec3 up;  ///< need not be of unit length nor at right angles to the view, only not along it
};

/// Looks at the middle of the volume from outside of it.
Camera camera_for(Orientation orientation, const VolumeGeometry& g);

struct Viewport {
  std::uint32_t width = 0, height = 0;
};

/// The smallest viewport that shows the volume at its finest in-plane spacing, no edge above `longest`.
/// Errors: as plane_for.
Result<Viewport> natural_viewport(const Camera& camera, const VolumeGeometry& g, std::uint32_t longest = 1024);

/// A plane of the viewport's size with square pixels, centred on look_at, just wide enough that the whole volume lies
/// within the picture whatever its depth; what the volume does not fill is background, nothing is stretched.
/// Errors: malformed (position is look_at, up is zero or along the view, numbers not finite, empty viewport),
/// limit_exceeded (viewport edge above kMaxPlaneEdge, look_at unreasonably far from the volume).
Result<Plane> plane_for(const Camera& camera, const VolumeGeometry& g, Viewport viewport);

}  // namespace cairn::recon
