// A function compiled for machines with BMI: shifts by a variable and leading zeros are what entropy coders do most,
// and cost a third of their time without it. Private to codec. Use: one body marked CAIRN_INLINE, a CAIRN_BMI function
// that only calls it, and has_bmi() to choose.
#pragma once

#define CAIRN_INLINE [[gnu::always_inline]]

#if defined(__x86_64__)
#define CAIRN_BMI [[gnu::target("bmi,bmi2,lzcnt"), gnu::noinline]]
#else
#define CAIRN_BMI
#endif

namespace cairn::codec {

#if defined(__x86_64__)
inline bool has_bmi() noexcept {
  static const bool kHas = __builtin_cpu_supports("bmi2") != 0 && __builtin_cpu_supports("lzcnt") != 0;
  return kHas;
}
#else
constexpr bool has_bmi() noexcept {
  return false;
}
#endif

}  // namespace cairn::codec
