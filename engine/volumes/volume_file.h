// A volume as a file of research software: NRRD (teem.sourceforge.net/nrrd/format.html) and NIfTI-1
// (nifti.nimh.nih.gov). Voxels are values after the Modality LUT: int16 where all of them fit, else int32, else
// float32. NRRD keeps LPS and axes of any direction, gantry tilt included; NIfTI is RAS and has the same axes in its
// sform, and a qform beside it only where they are orthogonal. Both know one step between slices: a volume whose slices
// lie elsewhere is refused, unless by less than 1 % of its smallest voxel edge (rounding in headers), which is then in
// the warning. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/volumes/builder.h"

namespace cairn::volumes {

enum class VolumeFormat : std::uint8_t { nrrd, nifti };

class VolumeFile {
 public:
  /// Looks at all voxels to choose the type: not for a reactor. `built` outlives it. Errors: unsupported (colour;
  /// slices at uneven places).
  static Result<VolumeFile> of(const BuiltVolume& built, VolumeFormat format);

  const std::vector<std::byte>& header() const noexcept { return header_; }
  std::uint32_t slices() const noexcept { return view_.geometry.slices; }
  std::uint64_t slice_bytes() const noexcept;
  std::uint64_t size_bytes() const noexcept { return header_.size() + slice_bytes() * slices(); }
  /// Voxels of one slice, little endian, column fastest. Voxels of the padding range are written as they are.
  std::vector<std::byte> slice(std::uint32_t index) const;
  const std::string& warning() const noexcept { return warning_; }

 private:
  VolumeFile() = default;

  recon::VolumeView view_;
  recon::VoxelType type_ = recon::VoxelType::int16;
  std::vector<std::byte> header_;
  std::string warning_;
};

}  // namespace cairn::volumes
