// The affine row in Highway vectors, linear, nearest and cubic: neighbours in a row come with one gather of a 32-bit
// word where a voxel has at most 16 bits. Same operations in the same order as kernel_math.h and kernel_cubic.h, so the
// same bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "recon/cpu/row_vector.cpp"
#include <algorithm>
#include <cmath>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "recon/cpu/row_kernel.h"
#include "recon/cpu/vector-inl.h"
#include "recon/kernel_cubic.h"

HWY_BEFORE_NAMESPACE();
namespace cairn::recon::cpu::HWY_NAMESPACE {
// One block of a row: where its lanes are read from. 64-bit start of the block's lowest slice; offsets from there fit
// 31 bits (choose_affine_row checked).
struct Block {
  const VolumeView& v;
  const IndexPlane& plane;
  BlockBase base;
  std::int32_t z0;
  const std::uint8_t* start;
};

template <class T>
HWY_INLINE VI offset_of(const VolumeGeometry& g, VI x, VI y, VI slices_up) {
  const I i;
  const auto row_bytes = static_cast<std::int32_t>(sizeof(T) * g.columns);
  const auto slice_bytes = static_cast<std::int32_t>(sizeof(T) * g.columns * g.rows);
  const VI in_row = hn::Mul(x, hn::Set(i, static_cast<std::int32_t>(sizeof(T))));
  return hn::Add(hn::Add(in_row, hn::Mul(y, hn::Set(i, row_bytes))), hn::Mul(slices_up, hn::Set(i, slice_bytes)));
}

struct Linear {
  template <class T>
  static HWY_INLINE VF lanes(const Block& b, int lane) {
    const I i;
    const VolumeGeometry& g = b.v.geometry;
    const std::int64_t row_bytes = std::int64_t{sizeof(T)} * g.columns, slice_bytes = row_bytes * g.rows;
    const Axis x = axis_between(b.plane, b.base, 0, lane, last_lo(g.columns));
    const Axis y = axis_between(b.plane, b.base, 1, lane, last_lo(g.rows));
    const Axis z = axis_between(b.plane, b.base, 2, lane, last_lo(g.slices));
    const VI offset = offset_of<T>(g, x.lo, y.lo, hn::Sub(z.lo, hn::Set(i, b.z0)));
    const VF lo = slice_value<T>(b.start, offset, row_bytes, x.fraction, y.fraction);
    const VF hi = slice_value<T>(b.start + slice_bytes, offset, row_bytes, x.fraction, y.fraction);
    const Rescale r = rescale_of(b.v, z.lo);
    const VF lo_real = hn::Add(hn::Mul(lo, r.slope_lo), r.intercept_lo);
    const VF hi_real = hn::Add(hn::Mul(hi, r.slope_hi), r.intercept_hi);
    return mix(lo_real, hi_real, z.fraction);
  }
};

struct Nearest {
  static HWY_INLINE VI chosen(const Axis& a) {
    const F f;
    const I i;
    const auto upper = hn::RebindMask(i, hn::Ge(a.fraction, hn::Set(f, 0.5f)));
    return hn::Add(a.lo, hn::IfThenElseZero(upper, hn::Set(i, 1)));
  }

  template <class T>
  static HWY_INLINE VF lanes(const Block& b, int lane) {
    const F f;
    const I i;
    const VolumeGeometry& g = b.v.geometry;
    const VI x = chosen(axis_between(b.plane, b.base, 0, lane, last_lo(g.columns)));
    const VI y = chosen(axis_between(b.plane, b.base, 1, lane, last_lo(g.rows)));
    const VI z = chosen(axis_between(b.plane, b.base, 2, lane, last_lo(g.slices)));
    const VF stored = load_pair<T>(b.start, offset_of<T>(g, x, y, hn::Sub(z, hn::Set(i, b.z0)))).left;
    if (b.v.same_rescale) {
      return hn::Add(hn::Mul(stored, hn::Set(f, b.v.slope[0])), hn::Set(f, b.v.intercept[0]));
    }
    return hn::Add(hn::Mul(stored, hn::GatherIndex(f, b.v.slope, z)), hn::GatherIndex(f, b.v.intercept, z));
  }
};

// Catmull-Rom. Four neighbours in a row are two pairs, so lanes whose neighbours lie beyond the row's ends are left to
// the scalar body; rows and slices beyond the ends are repeated here.
struct Cubic {
  struct Weights {
    VF w[4];
  };

  static HWY_INLINE Weights weights(VF t) {
    const F f;
    const VF one = hn::Set(f, 1.0f), half = hn::Set(f, 0.5f);
    const VF rest = hn::Sub(one, t), square = hn::Mul(t, t);
    const VF rise = hn::Mul(square, hn::Sub(hn::Set(f, 3.0f), hn::Mul(hn::Set(f, 2.0f), t)));
    const VF before = hn::Mul(half, hn::Mul(t, hn::Mul(rest, rest)));
    const VF after = hn::Mul(half, hn::Mul(square, rest));
    return {{hn::Neg(before), hn::Add(hn::Sub(one, rise), after), hn::Add(rise, before), hn::Neg(after)}};
  }

  static HWY_INLINE VF sum(const Weights& w, VF a, VF b, VF c, VF d) {
    const VF first = hn::Add(hn::Mul(w.w[0], a), hn::Mul(w.w[1], b));
    return hn::Add(hn::Add(first, hn::Mul(w.w[2], c)), hn::Mul(w.w[3], d));
  }

  static HWY_INLINE VI tap(VI lo, int n, std::uint32_t count) {
    const I i;
    const VI at = hn::Add(lo, hn::Set(i, n - 1));
    return hn::Min(hn::Max(at, hn::Zero(i)), hn::Set(i, static_cast<std::int32_t>(count) - 1));
  }

  template <class T>
  static HWY_INLINE VF at_row_ends(const Block& b, int lane) {
    const F f;
    alignas(64) float value[kBlock];
    for (int n = 0; n < static_cast<int>(hn::Lanes(f)); ++n) {
      value[n] = tricubic<T>(b.v, affine_cubic(b.v.geometry, b.plane, b.base, lane + n));
    }
    return hn::Load(f, value);
  }

  template <class T>
  static HWY_INLINE VF lanes(const Block& b, int lane) {
    const F f;
    const I i;
    const VolumeGeometry& g = b.v.geometry;
    const Axis x = axis_between(b.plane, b.base, 0, lane, last_lo(g.columns));
    const auto columns = static_cast<std::int32_t>(g.columns);
    const auto within = hn::And(hn::Gt(x.lo, hn::Zero(i)), hn::Lt(x.lo, hn::Set(i, columns - 2)));
    if (!hn::AllTrue(i, within)) return at_row_ends<T>(b, lane);
    const Axis y = axis_between(b.plane, b.base, 1, lane, last_lo(g.rows));
    const Axis z = axis_between(b.plane, b.base, 2, lane, last_lo(g.slices));
    const Weights wx = weights(x.fraction), wy = weights(y.fraction), wz = weights(z.fraction);
    const VI first = hn::Sub(x.lo, hn::Set(i, 1));
    VF value[4];
    for (int k = 0; k < 4; ++k) {
      const VI slice = tap(z.lo, k, g.slices);
      const VI up = hn::Sub(slice, hn::Set(i, b.z0));
      VF row[4];
      for (int j = 0; j < 4; ++j) {
        const VI offset = offset_of<T>(g, first, tap(y.lo, j, g.rows), up);
        const Pair a = load_pair<T>(b.start, offset), c = load_pair<T>(b.start + 2 * sizeof(T), offset);
        row[j] = sum(wx, a.left, a.right, c.left, c.right);
      }
      const VF stored = sum(wy, row[0], row[1], row[2], row[3]);
      const VF slope = b.v.same_rescale ? hn::Set(f, b.v.slope[0]) : hn::GatherIndex(f, b.v.slope, slice);
      const VF intercept = b.v.same_rescale ? hn::Set(f, b.v.intercept[0]) : hn::GatherIndex(f, b.v.intercept, slice);
      value[k] = hn::Add(hn::Mul(stored, slope), intercept);
    }
    return sum(wz, value[0], value[1], value[2], value[3]);
  }
};

template <class T, class Body>
HWY_INLINE void row_of(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float* out) {
  const F f;
  const VolumeGeometry& g = v.geometry;
  const std::int64_t slice_bytes = std::int64_t{sizeof(T)} * g.columns * g.rows;
  const int lanes = static_cast<int>(hn::Lanes(f));
  alignas(64) float tail[kBlock];
  for (std::uint32_t c = span.first; c < span.last; c += kBlock) {
    const BlockBase base = block_base(plane, row, c);
    const std::int32_t lowest = base.whole[2] + std::min(0, plane.lane_whole[2][kBlock - 1]);
    const std::int32_t z0 = lowest < 0 ? 0 : lowest > last_lo(g.slices) ? last_lo(g.slices) : lowest;
    const Block block{v, plane, base, z0, static_cast<const std::uint8_t*>(v.voxels) + slice_bytes * z0};
    const bool whole_block = span.last - c >= kBlock;
    float* to = whole_block ? out + c : tail;
    for (int lane = 0; lane < kBlock; lane += lanes) hn::StoreU(Body::template lanes<T>(block, lane), f, to + lane);
    if (!whole_block) {
      for (std::uint32_t k = 0; k < span.last - c; ++k) out[c + k] = tail[k];
    }
  }
}

template <class T>
HWY_INLINE void affine_row(const VolumeView& v, const IndexPlane& plane, std::uint32_t row, RowSpan span, float* out) {
  switch (plane.interpolation) {
    case Interpolation::linear:
      return row_of<T, Linear>(v, plane, row, span, out);
    case Interpolation::nearest:
      return row_of<T, Nearest>(v, plane, row, span, out);
    case Interpolation::cubic:
      return row_of<T, Cubic>(v, plane, row, span, out);
  }
}

void row_uint8(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float /*background*/, float* o) {
  affine_row<std::uint8_t>(v, p, r, s, o);
}
void row_int8(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float /*background*/, float* o) {
  affine_row<std::int8_t>(v, p, r, s, o);
}
void row_uint16(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float /*background*/, float* o) {
  affine_row<std::uint16_t>(v, p, r, s, o);
}
void row_int16(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float /*background*/, float* o) {
  affine_row<std::int16_t>(v, p, r, s, o);
}
void row_int32(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float /*background*/, float* o) {
  affine_row<std::int32_t>(v, p, r, s, o);
}
void row_float32(const VolumeView& v, const IndexPlane& p, std::uint32_t r, RowSpan s, float /*background*/, float* o) {
  affine_row<float>(v, p, r, s, o);
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
  // Before it is chosen, each entry asks the processor anew, at every call: 40 us a row on a virtual machine.
  if (!hwy::GetChosenTarget().IsInitialized()) hwy::GetChosenTarget().Update(hwy::SupportedTargets());
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
