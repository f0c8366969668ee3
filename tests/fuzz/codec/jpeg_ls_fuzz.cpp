#include "fuzz_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return cairn::codec::fuzz::decode_and_check(cairn::codec::uids::kJPEGLSLossless, data, size);
}
