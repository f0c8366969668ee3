// Decoded samples of a frame into the voxels of a slice. Internal to engine/volumes.
#pragma once

#include "codec/decode.h"
#include "recon/volume.h"

namespace cairn::volumes {

/// The voxel type for frames of this format. Unsigned 32-bit and 64-bit float samples become float32, rounded to it.
/// Errors: unsupported.
Result<recon::VoxelType> voxel_type(const codec::PixelFormat& format);

/// Writes `frame` as slice `slice`. Unused high bits are dropped and the sign bit is extended. Errors: mismatch (the
/// frame is not what the volume is made of), unsupported (a colour space that cannot be turned into RGB).
Result<> store_slice(const codec::Frame& frame, const codec::PixelFormat& format, bool native_samples,
                     recon::Volume& volume, std::uint32_t slice);

}  // namespace cairn::volumes
