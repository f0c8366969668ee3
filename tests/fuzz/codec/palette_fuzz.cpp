#include "codec/palette.h"

#include <cstdlib>

/// Six bytes of descriptor, a byte of flags, the table.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  if (size < 7) return 0;
  const Bytes all(reinterpret_cast<const std::byte*>(data), size);
  const auto table = codec::read_palette(all.first(6), all.subspan(7), (data[6] & 1) != 0, (data[6] & 2) != 0);
  if (!table.has_value()) return 0;
  const std::size_t count = load_le<std::uint16_t>(all.data());
  if (table.value().entries.size() != (count == 0 ? 65536 : count)) std::abort();
  const auto palette = codec::Palette::make({table.value(), table.value(), table.value()});
  if (!palette.has_value()) std::abort();
  return palette.value()(static_cast<double>(data[0]))[0] > 255 ? 1 : 0;
}
