// Any bytes as the payload of an event record: refused, or decoded to values that encode to the same bytes.
#include <cstdlib>
#include <cstring>

#include "engine/store/event.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  if (const auto event = store::Event::decode(std::as_bytes(std::span(data, size)))) {
    if (!event.value().check() || event.value().encoded_bytes() != size) std::abort();
    const std::string again = event.value().encode();
    if (again.size() != size || std::memcmp(again.data(), data, size) != 0) std::abort();
  }
  return 0;
}
