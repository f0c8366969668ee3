// Any bytes as the payload of a commit record, as a footer and as block headers: refused, or decoded to values that
// encode to the same bytes.
#include <cstdlib>
#include <cstring>

#include "engine/store/format.h"
#include "engine/store/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  const Bytes bytes = std::as_bytes(std::span(data, size));
  if (const auto record = store::InstanceRecord::decode(bytes)) {
    if (!record.value().check() || record.value().encoded_bytes() != size) std::abort();
    const std::string again = record.value().encode();
    if (again.size() != size || std::memcmp(again.data(), data, size) != 0) std::abort();
  }
  if (const auto entries = store::decode_footer(bytes, 1u << 30)) {
    for (const auto& entry : entries.value()) {
      if (entry.offset + store::record_bytes(entry.length) > 1u << 30) std::abort();
    }
  }
  (void)store::SegmentHeader::decode(bytes);
  (void)store::VolumeFile::decode(bytes);
  if (size >= store::kTrailerBytes) (void)store::Trailer::decode(bytes.last(store::kTrailerBytes), {}, size);
  if (size >= store::kRecordHeaderBytes) (void)store::RecordHeader::decode(bytes.data(), {}, 0);
  return 0;
}
