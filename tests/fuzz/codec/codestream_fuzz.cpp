// Any bytes as a picture or a video that comes without a data set.
#include <cstdint>

#include "codec/codestream.h"
#include "engine/core/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  const Bytes bytes{reinterpret_cast<const std::byte*>(data), size};
  if (const auto seen = codec::inspect_picture(bytes, size)) {
    CAIRN_CHECK(seen.value().syntax != nullptr && seen.value().offset <= size && seen.value().rows > 0);
  }
  codec::SpanSource source(bytes);
  if (const auto seen = codec::inspect_video(source)) CAIRN_CHECK(seen.value().syntax->video);
  return 0;
}
