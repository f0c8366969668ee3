// CHECK(condition): a broken invariant of our own ends the process, in release too. Input never reaches one.
#pragma once

namespace cairn {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}

#define CAIRN_CHECK(condition) \
  do { \
    if (!(condition)) [[unlikely]] ::cairn::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
