// A plane through a volume (multi-planar reformatting), thin or as a slab.
//
// Interpolation is trilinear between voxel centres, in float32 on exact fractions. The volume reaches half a voxel
// beyond its outer centres and repeats the edge value there, as VTK (border on) and ITK do; beyond that a pixel is
// background. Per-slice volumes interpolate between the two slices that enclose the sample along the normal, each at
// its own place in the plane; where one of the two does not reach, the pixel is background. Voxels in the padding range
// take no part: a pixel whose nearest voxel is padding is background, else the others' weights are made to sum to one.
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
