// What the vector kernels of planes share, compiled once for each instruction set (Highway's per-target include).
// clang-format off
#if defined(CAIRN_RECON_CPU_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CAIRN_RECON_CPU_VECTOR_INL_H_
#undef CAIRN_RECON_CPU_VECTOR_INL_H_
#else
#define CAIRN_RECON_CPU_VECTOR_INL_H_
#endif
// clang-format on

#include <type_traits>

#include <hwy/highway.h>

#include "recon/kernel_math.h"

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

}  // namespace cairn::recon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include
