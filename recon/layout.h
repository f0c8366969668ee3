// Checks the geometry of one frame and lays out one volume from frames in slice order. Internal to recon/assemble.
#pragma once

#include <span>
#include <string>

#include "recon/assemble.h"

namespace cairn::recon {

/// Axes of a frame, made orthonormal.
struct Frame {
  Vec3 row_direction, column_direction, normal;
};

/// False, with `why`, when the frame cannot be placed: something is missing, not finite, not positive, or the direction
/// cosines are off by more than kCosineTolerance.
bool check_frame(const SliceGeometry& s, Frame& frame, std::string& why);

/// Fills everything of `v` that follows from v.frames (in slice order, at distinct positions along axes.normal).
void lay_out(AssembledVolume& v, std::span<const SliceGeometry> frames, const Frame& axes);

/// Largest distance, in the slice plane, of a slice origin from the straight line through the first and last.
double in_plane_drift_mm(const AssembledVolume& v);

}  // namespace cairn::recon
