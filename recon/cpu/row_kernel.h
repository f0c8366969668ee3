// One row of a thin plane on the CPU. Internal to recon. Pixels outside the volume are left as they are.
#pragma once

#include <cstdint>
#include <span>

#include "recon/kernel_math.h"

namespace cairn::recon::cpu {

/// Pixels [first, last) of one row, all inside an affine volume.
struct RowSpan {
  std::uint32_t first = 0, last = 0;
};

/// The pixels of `row` that lie inside the affine volume: an interval, as each coordinate is monotone along the row.
RowSpan clip_row(const VolumeGeometry& g, const IndexPlane& plane, std::uint32_t row, std::uint32_t width);

/// `background` is written only where the nearest voxel is padding.
using RowKernel = void (*)(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span,
                           float background, float* out);

/// Reference body, any type and padding; affine volumes.
void affine_row_scalar(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float background,
                       float* out);

/// Vector body chosen at run time, or affine_row_scalar where the volume has something it does not do (padding, an axis
/// of one voxel, offsets past 31 bits within a block). Bit for bit the same values.
RowKernel choose_affine_row(const VolumeView& v, const IndexPlane& plane) noexcept;

/// Per-slice volumes: decides for each pixel of the span whether it is inside.
void per_slice_row(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float background,
                   float* out);

/// Rows of a per-slice volume that stay at one depth, as those of the standard planes through a standard acquisition
/// do: two slices enclose all their pixels, so the affine kernels do the work. No padding, linear.
bool is_level(const VolumeView& v, const IndexPlane& plane);
void level_row(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, std::uint32_t width, float background,
               float* out);

/// Name of the instruction set in use, for reports.
const char* vector_target() noexcept;

}  // namespace cairn::recon::cpu
