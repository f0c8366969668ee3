#include "codec/assertion_trap.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

namespace {

thread_local std::jmp_buf* t_trap = nullptr;

}  // namespace

// The C library's handler of assert(), replaced for the whole program: shared libraries bind to the executable's.
// Outside a trap it does what the original does.
extern "C" [[noreturn]] __attribute__((visibility("default"))) void __assert_fail(const char* condition,
                                                                                  const char* file, unsigned line,
                                                                                  const char* function) noexcept {
  if (t_trap != nullptr) std::longjmp(*t_trap, 1);
  std::fprintf(stderr, "%s:%u: %s: assertion `%s' failed\n", file, line, function == nullptr ? "?" : function,
               condition);
  std::abort();
}

namespace cairn::codec {

bool run_trapping_assertions(void (*step)(void*), void* context) {
  std::jmp_buf here;
  std::jmp_buf* const outer = t_trap;
  if (setjmp(here) != 0) {
    t_trap = outer;
    return false;
  }
  t_trap = &here;
  step(context);
  t_trap = outer;
  return true;
}

}  // namespace cairn::codec
