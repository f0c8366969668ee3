// Byte 0 chooses the syntax, bytes 1 and 2 the number of frames, byte 3 the size of an Extended Offset Table that
// follows; the rest is the Pixel Data value.
#include <algorithm>
#include <cstdlib>

#include "codec/frame_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  using namespace cairn::codec;
  if (size < 4) return 0;
  const auto* const p = reinterpret_cast<const std::byte*>(data);
  const auto all = transfer_syntaxes();
  const TransferSyntax& syntax = all[data[0] % all.size()];
  PixelFormat format;
  format.rows = 3;
  format.columns = 5;
  format.bits_allocated = format.bits_stored = (data[0] & 128) != 0 ? 1 : 8;
  format.number_of_frames = load_be<std::uint16_t>(p + 1);
  Bytes rest(p + 4, size - 4);
  const std::size_t table = std::min<std::size_t>(data[3] / 2 * 8, rest.size() / 2 / 8 * 8);
  PixelDataValue value;
  value.extended_offsets = rest.first(table);
  value.extended_lengths = rest.subspan(table, table);
  rest = rest.subspan(2 * table);
  if (!syntax.encapsulated || (data[3] & 1) != 0) value.length = rest.size();
  SpanSource source(rest);
  const auto index = FrameIndex::build(source, value, syntax, format);
  if (index.has_error()) return 0;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < index.value().frame_count(); ++i) {
    const auto ranges = index.value().ranges(i);
    if (ranges.has_error()) std::abort();
    for (const ByteRange& r : ranges.value()) {
      if (r.offset > rest.size() || r.length > rest.size() - r.offset) std::abort();
    }
    const auto coded = index.value().read(source, i);
    if (coded.has_error()) std::abort();
    if (syntax.encapsulated) total += coded.value().size();
  }
  if (total > rest.size()) std::abort();  // no byte belongs to two frames
  return 0;
}
