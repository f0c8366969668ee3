#include "recon/volume.h"

#include <algorithm>
#include <cstdlib>

#include <sys/mman.h>

#include "engine/core/check.h"

namespace cairn::recon {

std::size_t size_of(VoxelType type) noexcept {
  switch (type) {
    case VoxelType::uint8:
    case VoxelType::int8:
      return 1;
    case VoxelType::uint16:
    case VoxelType::int16:
      return 2;
    case VoxelType::int32:
    case VoxelType::float32:
      return 4;
  }
  return 1;
}

namespace {

// A sagittal or oblique plane touches a new 4 KiB page with almost every sample; huge pages keep the address
// translation out of the time (measured: more than half of it).
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::byte* allocate(std::uint64_t bytes) {
  if (bytes < 2 * kHugePage) return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  const std::uint64_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* p = std::aligned_alloc(kHugePage, rounded);
  if (p != nullptr) (void)::madvise(p, rounded, MADV_HUGEPAGE);  // a wish; without it all is the same but slower
  return static_cast<std::byte*>(p);
}

}  // namespace

void Volume::Release::operator()(std::byte* voxels) const noexcept {
  std::free(voxels);
}

Result<Volume> Volume::create(VolumeLayout layout, VoxelType type, unsigned components, std::uint64_t limit_bytes) {
  CAIRN_CHECK(components == 1 || components == 3);
  const VolumeGeometry& g = layout.affine;
  if (g.columns == 0 || g.rows == 0 || g.slices == 0) return fail(Errc::malformed, "volume without voxels");
  // Rows and columns have 16 bits (layout checks it) and slices 17, so the product fits 64 bits with room.
  const std::uint64_t slice_bytes = std::uint64_t{g.columns} * g.rows * size_of(type);
  const std::uint64_t bytes = slice_bytes * g.slices * components;
  if (bytes > limit_bytes) return fail(Errc::limit_exceeded, "volume size");
  Volume v;
  v.layout_ = std::move(layout);
  v.type_ = type;
  v.components_ = components;
  v.slice_bytes_ = slice_bytes;
  v.size_bytes_ = bytes;
  v.voxels_.reset(allocate(bytes + kReadPastBytes));
  if (!v.voxels_) return fail(Errc::out_of_memory, "volume voxels");
  std::fill_n(v.voxels_.get() + bytes, kReadPastBytes, std::byte{0});
  v.slope_.assign(g.slices, 1.0f);
  v.intercept_.assign(g.slices, 0.0f);
  return v;
}

std::span<std::byte> Volume::slice(unsigned component, std::uint32_t index) noexcept {
  CAIRN_CHECK(component < components_ && index < layout_.affine.slices);
  const std::uint64_t at = (std::uint64_t{component} * layout_.affine.slices + index) * slice_bytes_;
  return {voxels_.get() + at, slice_bytes_};
}

void Volume::set_rescale(std::uint32_t slice, double slope, double intercept) noexcept {
  CAIRN_CHECK(slice < slope_.size());
  slope_[slice] = static_cast<float>(slope);
  intercept_[slice] = static_cast<float>(intercept);
}

void Volume::set_padding(double low, double high) noexcept {
  has_padding_ = true;
  padding_low_ = static_cast<float>(std::min(low, high));
  padding_high_ = static_cast<float>(std::max(low, high));
}

VolumeView Volume::view(unsigned component) const noexcept {
  CAIRN_CHECK(component < components_);
  VolumeView v;
  v.geometry = layout_.view();
  v.voxels = voxels_.get() + std::uint64_t{component} * layout_.affine.slices * slice_bytes_;
  v.type = type_;
  v.slope = slope_.data();
  v.intercept = intercept_.data();
  v.same_rescale = std::all_of(slope_.begin(), slope_.end(), [&](float s) { return s == slope_[0]; }) &&
                   std::all_of(intercept_.begin(), intercept_.end(), [&](float b) { return b == intercept_[0]; });
  v.has_padding = has_padding_;
  v.padding_low = padding_low_;
  v.padding_high = padding_high_;
  return v;
}

}  // namespace cairn::recon
