// JSON of any data set that the scan accepts is valid JSON, the same from the header as from the parsed data set. The
// input is a stored header's data set after one byte that chooses the encoding.
#include <cstdint>

#include <boost/json.hpp>

#include "engine/core/check.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  using namespace cairn::dicom;
  if (size == 0) return 0;
  const Encoding encodings[] = {{true, false, false}, {false, false, false}, {true, true, false}};
  Header header;
  header.encoding = encodings[data[0] % 3];
  header.bytes.assign(reinterpret_cast<const char*>(data) + 1, size - 1);

  std::string fast, slow;
  const Result<> result = append_json(fast, header, "/bulk");
  const auto set = DataSet::parse(header);
  CAIRN_CHECK(static_cast<bool>(result) == static_cast<bool>(set));
  if (!result) {
    CAIRN_CHECK(fast.empty());
    return 0;
  }
  append_json(slow, set.value(), "/bulk");
  CAIRN_CHECK(fast == slow);
  boost::json::parse_options options;
  options.max_depth = 300;
  boost::json::error_code error;
  boost::json::parse(fast, error, {}, options);
  CAIRN_CHECK(!error);
  return 0;
}
