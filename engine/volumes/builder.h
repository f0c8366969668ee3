// Decodes the frames of one assembled volume into voxels. Frames are decoded in parallel, each straight into its slice.
// Stored values are kept as received; unused bits are masked and the sign extended (PS3.5 8.1.1), colour becomes RGB.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "codec/byte_source.h"
#include "engine/volumes/series.h"
#include "recon/cells.h"
#include "recon/volume.h"

namespace cairn::io {
class WorkerPool;
}

namespace cairn::volumes {

/// Opens the bytes that InstanceInfo::pixel_data counts in: the complete stored stream, or the inflated data set of a
/// deflated one. Called from several threads at once; each source is used by one.
class InstanceOpener {
 public:
  virtual ~InstanceOpener() = default;
  virtual Result<std::unique_ptr<codec::ByteSource>> open(std::size_t instance) const = 0;
};

/// Made when a 3D view first asks for it.
struct LazyCells {
  std::once_flag once;
  recon::Cells cells;
};

struct BuiltVolume {
  recon::Volume volume;
  recon::AssembledVolume assembled;     ///< as built: without frames that could not be decoded
  std::optional<codec::Window> window;  ///< of the middle slice, else from the values; empty for colour
  bool window_from_values = false;
  bool inverted = false;
  std::vector<std::string> warnings;  ///< what was odd, frames left out included
  std::uint64_t decoded_frames = 0;
  std::shared_ptr<LazyCells> cells = std::make_shared<LazyCells>();

  bool colour() const noexcept { return volume.components() == 3; }
};

/// Bytes that the voxels of a volume will take, for the budget before it is built.
std::uint64_t voxel_bytes(const SeriesPlan& plan, std::size_t volume);

/// The window that the headers give a volume: of its middle slice, else of the first slice that has one.
std::optional<codec::Window> header_window(const SeriesPlan& plan, const recon::AssembledVolume& volume);

/// A frame that does not decode is left out, named in the warnings, and leaves a gap; more than one in ten such frames
/// fail the volume with the first frame's error. Errors: also limit_exceeded, out_of_memory, unsupported.
Result<BuiltVolume> build_volume(const SeriesPlan& plan, std::size_t volume, const InstanceOpener& opener,
                                 io::WorkerPool* pool, std::uint64_t limit_bytes);

}  // namespace cairn::volumes
