// The affine row in Highway vectors: neighbours in a row come with one gather of a 32-bit word where a voxel has at
// most 16 bits. Same operations in the same order as kernel_math.h, so the same bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "recon/cpu/row_vector.cpp"
#include <algorithm>
#include <cmath>
#include <type_traits>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "recon/cpu/row_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace cairn::recon::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most kBlock lanes, so that a block is a whole number of vectors.
using F = hn::CappedTag<float, kBlock>;
using I = hn::RebindToSigned<F>;
using U = hn::RebindToUnsigned<F>;
using VF = hn::Vec<F>;
using VI = hn::Vec<I>;

struct Pair {
  VF left, right;
};

// Two neighbours in a row, at byte offsets from `base`.
template <class T>
HWY_INLINE Pair load_pair(const std::uint8_t* base, VI offset) {
  const F f;
  const I i;
  const U u;
  if constexpr (sizeof(T) == 4) {
    const auto* left = reinterpret_cast<const T*>(base);
    const auto* right = reinterpret_cast<const T*>(base + 4);
    const hn::Rebind<T, F> t;
    if constexpr (std::is_same_v<T, float>)
      return {hn::GatherOffset(t, left, offset), hn::GatherOffset(t, right, offset)};
    else
      return {hn::ConvertTo(f, hn::GatherOffset(t, left, offset)),
              hn::ConvertTo(f, hn::GatherOffset(t, right, offset))};
  } else {
    const VI word = hn::GatherOffset(i, reinterpret_cast<const std::int32_t*>(base), offset);
    constexpr int bits = 8 * sizeof(T);
    if constexpr (std::is_signed_v<T>) {
      const VI left = hn::ShiftRight<32 - bits>(hn::ShiftLeft<32 - bits>(word));
      const VI right = hn::ShiftRight<32 - bits>(hn::ShiftLeft<32 - 2 * bits>(word));
      return {hn::ConvertTo(f, left), hn::ConvertTo(f, right)};
    } else {
      const auto unsigned_word = hn::BitCast(u, word);
      const auto left = hn::ShiftRight<32 - bits>(hn::ShiftLeft<32 - bits>(unsigned_word));
      const auto right = hn::ShiftRight<32 - bits>(hn::ShiftLeft<32 - 2 * bits>(unsigned_word));
      return {hn::ConvertTo(f, hn::BitCast(i, left)), hn::ConvertTo(f, hn::BitCast(i, right))};
    }
  }
}

HWY_INLINE VF mix(VF a, VF b, VF t) {
  return hn::Add(a, hn::Mul(hn::Sub(b, a), t));
}

struct Axis {
  VI lo;
  VF fraction;
};

HWY_INLINE Axis axis_between(const IndexPlane& plane, const BlockBase& base, int axis, int lane, std::int32_t last) {
  const F f;
  const I i;
  const VF one = hn::Set(f, 1.0f);
  const VF part = hn::Add(hn::Set(f, base.part[axis]), hn::LoadU(f, plane.lane_part[axis] + lane));
  const VI origin = hn::Add(hn::Set(i, base.whole[axis]), hn::LoadU(i, plane.lane_whole[axis] + lane));
  const VI carry = hn::IfThenElseZero(hn::RebindMask(i, hn::Ge(part, one)), hn::Set(i, 1));
  const VI lo = hn::Min(hn::Max(hn::Add(origin, carry), hn::Zero(i)), hn::Set(i, last));
  const VF fraction = hn::Sub(part, hn::ConvertTo(f, hn::Sub(lo, origin)));
  return {lo, hn::Min(hn::Max(fraction, hn::Zero(f)), one)};
}

template <class T>
HWY_INLINE VF slice_value(const std::uint8_t* base, VI offset, std::int64_t row_bytes, VF fx, VF fy) {
  const Pair top = load_pair<T>(base, offset), bottom = load_pair<T>(base + row_bytes, offset);
  return mix(mix(top.left, top.right, fx), mix(bottom.left, bottom.right, fx), fy);
}

struct Rescale {
  VF slope_lo, intercept_lo, slope_hi, intercept_hi;
};

HWY_INLINE Rescale rescale_of(const VolumeView& v, VI slice) {
  const F f;
  if (v.same_rescale) {
    const VF slope = hn::Set(f, v.slope[0]), intercept = hn::Set(f, v.intercept[0]);
    return {slope, intercept, slope, intercept};
  }
  return {hn::GatherIndex(f, v.slope, slice), hn::GatherIndex(f, v.intercept, slice),
          hn::GatherIndex(f, v.slope + 1, slice), hn::GatherIndex(f, v.intercept + 1, slice)};
}

template <class T>
void affine_row(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float /*background*/,
                float* out) {
  const F f;
  const I i;
  const VolumeGeometry& g = v.geometry;
  const std::int64_t size = sizeof(T), row_bytes = size * g.columns, slice_bytes = row_bytes * g.rows;
  const auto* voxels = static_cast<const std::uint8_t*>(v.voxels);
  const int lanes = static_cast<int>(hn::Lanes(f));
  const VI vector_row = hn::Set(i, static_cast<std::int32_t>(row_bytes)),
           vector_slice = hn::Set(i, static_cast<std::int32_t>(slice_bytes));
  alignas(64) float tail[kBlock];
  for (std::uint32_t c = span.first; c < span.last; c += kBlock) {
    const BlockBase base = block_base(plane, row, c);
    // 64-bit start of the block's lowest slice; offsets within the block then fit 31 bits (choose_affine_row checked).
    const std::int32_t lowest = base.whole[2] + std::min(0, plane.lane_whole[2][kBlock - 1]);
    const std::int32_t z0 = lowest < 0 ? 0 : lowest > last_lo(g.slices) ? last_lo(g.slices) : lowest;
    const std::uint8_t* block = voxels + slice_bytes * z0;
    const bool whole_block = span.last - c >= kBlock;
    float* to = whole_block ? out + c : tail;
    for (int lane = 0; lane < kBlock; lane += lanes) {
      const Axis x = axis_between(plane, base, 0, lane, last_lo(g.columns));
      const Axis y = axis_between(plane, base, 1, lane, last_lo(g.rows));
      const Axis z = axis_between(plane, base, 2, lane, last_lo(g.slices));
      const VI in_row = hn::Mul(x.lo, hn::Set(i, static_cast<std::int32_t>(size)));
      const VI offset =
          hn::Add(hn::Add(in_row, hn::Mul(y.lo, vector_row)), hn::Mul(hn::Sub(z.lo, hn::Set(i, z0)), vector_slice));
      const VF lo = slice_value<T>(block, offset, row_bytes, x.fraction, y.fraction);
      const VF hi = slice_value<T>(block + slice_bytes, offset, row_bytes, x.fraction, y.fraction);
      const Rescale r = rescale_of(v, z.lo);
      const VF lo_real = hn::Add(hn::Mul(lo, r.slope_lo), r.intercept_lo);
      const VF hi_real = hn::Add(hn::Mul(hi, r.slope_hi), r.intercept_hi);
      hn::StoreU(mix(lo_real, hi_real, z.fraction), f, to + lane);
    }
    if (!whole_block) {
      for (std::uint32_t k = 0; k < span.last - c; ++k) out[c + k] = tail[k];
    }
  }
}

void row_uint8(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float b, float* o) {
  affine_row<std::uint8_t>(v, p, r, s, b, o);
}
void row_int8(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float b, float* o) {
  affine_row<std::int8_t>(v, p, r, s, b, o);
}
void row_uint16(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float b, float* o) {
  affine_row<std::uint16_t>(v, p, r, s, b, o);
}
void row_int16(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float b, float* o) {
  affine_row<std::int16_t>(v, p, r, s, b, o);
}
void row_int32(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float b, float* o) {
  affine_row<std::int32_t>(v, p, r, s, b, o);
}
void row_float32(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float b, float* o) {
  affine_row<float>(v, p, r, s, b, o);
}

const char* target_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace cairn::recon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cairn::recon::cpu {

HWY_EXPORT(row_uint8);
HWY_EXPORT(row_int8);
HWY_EXPORT(row_uint16);
HWY_EXPORT(row_int16);
HWY_EXPORT(row_int32);
HWY_EXPORT(row_float32);
HWY_EXPORT(target_name);

namespace {

// All byte offsets from the block's lowest slice must fit 31 bits: slices a block can cross, times the size of one.
bool fits(const VolumeView& v, const IndexPlane& plane) {
  const VolumeGeometry& g = v.geometry;
  if (v.has_padding || g.columns < 2 || g.rows < 2 || g.slices < 2) return false;
  const double slice_bytes = static_cast<double>(g.columns) * g.rows * static_cast<double>(size_of(v.type));
  const double crossed = std::min(std::abs(plane.right[2]) * (kBlock - 1), static_cast<double>(g.slices)) + 4;
  return crossed * slice_bytes < 2147483648.0;
}

}  // namespace

RowKernel choose_affine_row(const VolumeView& v, const IndexPlane& plane) noexcept {
  if (!fits(v, plane)) return &affine_row_scalar;
  switch (v.type) {
    case VoxelType::uint8:
      return &HWY_DYNAMIC_DISPATCH(row_uint8);
    case VoxelType::int8:
      return &HWY_DYNAMIC_DISPATCH(row_int8);
    case VoxelType::uint16:
      return &HWY_DYNAMIC_DISPATCH(row_uint16);
    case VoxelType::int16:
      return &HWY_DYNAMIC_DISPATCH(row_int16);
    case VoxelType::int32:
      return &HWY_DYNAMIC_DISPATCH(row_int32);
    case VoxelType::float32:
      return &HWY_DYNAMIC_DISPATCH(row_float32);
  }
  return &affine_row_scalar;
}

const char* vector_target() noexcept {
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

}  // namespace cairn::recon::cpu
#endif
