// The header scan: any chunking gives the same answer; stored extents give the same header again; what is accepted can
// be parsed. The input is the stream; its length decides the cuts.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/core/check.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/part10.h"

namespace {

using namespace cairn;
using namespace cairn::dicom;

struct Outcome {
  std::string error;
  std::string header;
  std::vector<Extent> extents;
  std::string key;
  Extent pixels;
};

template <class NextSize>
Outcome scan(Bytes stream, NextSize next_size) {
  HeaderScanner scanner;
  Outcome o;
  Result<> result = boost::outcome_v2::success();
  for (std::size_t at = 0; at < stream.size() && result;) {
    const std::size_t size = std::min<std::size_t>(next_size(), stream.size() - at);
    const std::vector<std::byte> piece(stream.begin() + static_cast<std::ptrdiff_t>(at),
                                       stream.begin() + static_cast<std::ptrdiff_t>(at + size));
    result = scanner.feed(piece);
    at += size;
  }
  if (result) result = scanner.finish();
  if (!result) {
    o.error = to_string(result.error());
    return o;
  }
  o.extents = scanner.extents();
  const KeyAttributes& key = scanner.key();
  o.key = key.sop_class_uid + "|" + key.sop_instance_uid + "|" + key.study_instance_uid + "|" + key.series_instance_uid;
  o.pixels = scanner.pixel_data();
  o.header = scanner.take_header().serialize();
  return o;
}

void expect_same(const Outcome& a, const Outcome& b, bool deflated) {
  // Where in a DEFLATE stream zlib notices damage depends on what it was given at once.
  if (deflated) {
    CAIRN_CHECK(a.error.empty() == b.error.empty());
  } else {
    CAIRN_CHECK(a.error == b.error);
  }
  CAIRN_CHECK(a.header == b.header && a.extents == b.extents && a.key == b.key && a.pixels == b.pixels);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes stream(reinterpret_cast<const std::byte*>(data), size);
  const auto prefix = read_prefix(stream);
  const bool deflated = prefix && encoding_of(prefix.value().transfer_syntax_uid).deflated;

  const Outcome whole = scan(stream, [] { return std::size_t{1} << 30; });
  std::uint64_t random = size * 2654435761u + 1;
  expect_same(whole,
              scan(stream,
                   [&random]() -> std::size_t {
                     random = random * 6364136223846793005u + 1442695040888963407u;
                     return 1 + (random >> 33) % 64;
                   }),
              deflated);
  if (size < 4096) expect_same(whole, scan(stream, [] { return std::size_t{1}; }), deflated);
  if (!whole.error.empty()) return 0;

  std::string kept;
  for (const Extent& e : whole.extents) kept.append(as_text(stream.subspan(e.offset, e.length)));
  const auto again = HeaderScanner::rescan(whole.extents, as_bytes(kept), size);
  CAIRN_CHECK(again && again.value().serialize() == whole.header);
  const auto stored = Header::deserialize(as_bytes(whole.header));
  CAIRN_CHECK(stored && stored.value().serialize() == whole.header);
  CAIRN_CHECK(static_cast<bool>(DataSet::parse(stored.value())));
  return 0;
}
