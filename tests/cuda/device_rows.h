// Rows of a plane sampled on a CUDA device with the maths of recon/kernel_math.h: the test's launcher.
#pragma once

#include <cstdint>
#include <span>

#include "recon/kernel_cubic.h"

namespace cairn::recon::test {

struct Span {
  std::uint32_t first = 0, last = 0;
};

/// True when a device and its driver are there.
bool has_device();

/// Samples int16 voxels of an affine volume without padding; `spans` are the pixels of each row that lie inside.
/// Pixels outside are left as they are in `out` (spans.size() x width). False when a CUDA call fails.
bool sample_on_device(const VolumeView& volume, const IndexPlane& plane, std::uint32_t width, std::span<const Span> spans,
                      std::span<float> out);

}  // namespace cairn::recon::test
