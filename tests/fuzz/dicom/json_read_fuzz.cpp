// Any text as the metadata of a store request: a data set that is read gives the same JSON as its encoded form read
// back.
#include <cstdint>

#include "engine/core/check.h"
#include "engine/dicom/json.h"
#include "engine/dicom/json_read.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  using namespace cairn::dicom;
  const auto objects = json_objects({reinterpret_cast<const char*>(data), size}, 100);
  if (!objects) return 0;
  for (const std::string_view object : objects.value()) {
    const auto read = read_json(object);
    if (!read || !read.value().bulk_uris.empty()) continue;
    const auto again = DataSet::parse(as_bytes(read.value().data_set.encode({})), Encoding{});
    CAIRN_CHECK(static_cast<bool>(again));
    CAIRN_CHECK(again.value().elements().size() == read.value().data_set.elements().size());
    std::string text;
    append_json(text, again.value(), "");
    CAIRN_CHECK(static_cast<bool>(read_json(text)));
  }
  return 0;
}
