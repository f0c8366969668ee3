// Whether this is a build under a sanitizer, whose shadow memory is beyond any limit and whose reports are worth
// reading. Private to sandbox.
#pragma once

namespace cairn::sandbox {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace cairn::sandbox
