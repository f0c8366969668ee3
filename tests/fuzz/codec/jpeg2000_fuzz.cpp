#include "fuzz_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return cairn::codec::fuzz::decode_and_check(cairn::codec::uids::kJPEG2000, data, size);
}

// A failed assertion of OpenJPEG ends the frame by longjmp (codec/assertion_trap.h) and leaks its job record.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libopenjp2.so";
}
