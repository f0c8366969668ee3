// A plane through a volume (multi-planar reformatting), thin or as a slab.
//
// Interpolation between voxel centres is in float32 on exact fractions. Linear is the default. Cubic is Catmull-Rom: it
// goes through the voxels' own values and reads what was received, where a cubic B-spline would either blur or need a
// filtered copy of the whole volume; it overshoots at edges by up to an eighth of the step. The volume reaches half a
// voxel beyond its outer centres and repeats the edge value there, as VTK (border on) and ITK do; beyond that a pixel
// is background. Per-slice volumes interpolate between the slices around the sample along the normal, each at its own
// place in the plane and at its own distance; where one of the two that enclose it does not reach, the pixel is
// background. Voxels in the padding range take no part: a pixel whose nearest voxel is padding is background, else the
// others' weights are made to sum to one (near padding, cubic falls back to linear).
// Results do not depend on how rows are shared out, on the number of threads, or on the instruction set.
// NaN voxels give NaN in a thin plane and are skipped by slabs.
#pragma once

#include <cstdint>
#include <span>

#include "engine/core/result.h"
#include "recon/volume.h"

namespace cairn::recon {

enum class Projection : std::uint8_t { mean, maximum, minimum };

/// thickness_mm 0 is a thin plane. Else the full thickness, centred on the plane, along right x down:
/// n = max(1, ceil(thickness / smallest voxel edge)) samples at the midpoints of n equal parts, equal weights; samples
/// outside the volume take no part.
struct Slab {
  double thickness_mm = 0;
  Projection projection = Projection::mean;
};

inline constexpr std::uint32_t kMaxPlaneEdge = 8192;
inline constexpr double kMaxSlabSamples = 4096;

/// Errors: malformed (a number not finite, no extent, directions parallel), limit_exceeded (size, slab samples).
Result<> check_plane(const VolumeView& v, const Plane& plane, const Slab& slab);

/// Rows [first_row, first_row + out.size() / width) into `out`, row after row. The plane must have passed check_plane.
/// Thread-safe; share the rows of one plane out as you like.
void sample_rows(const VolumeView& v, const Plane& plane, const Slab& slab, float background, std::uint32_t first_row,
                 std::span<float> out);

/// Checks, then samples all rows on the calling thread. out.size() must be width * height.
Result<> sample_plane(const VolumeView& v, const Plane& plane, const Slab& slab, float background,
                      std::span<float> out);

}  // namespace cairn::recon
