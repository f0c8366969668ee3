// parse, encode, parse: an encoding comes back byte for byte. (After one round: UN of a known attribute takes its VR in
// little endian only, so the first may still change it.) The first byte chooses the encoding of the input; 3 has it
// read as a stored header.
#include <cstdint>

#include "engine/core/check.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  using namespace cairn::dicom;
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const Encoding encodings[] = {{true, false, false}, {false, false, false}, {true, true, false}};

  if (data[0] == 3) {
    const auto header = Header::deserialize(bytes);
    if (header) static_cast<void>(DataSet::parse(header.value()));
    return 0;
  }
  const auto set = DataSet::parse(bytes, encodings[data[0] % 3]);
  if (!set) return 0;
  for (const Encoding encoding : {encodings[0], encodings[2]}) {
    const std::string once = set.value().encode(encoding);
    const auto back = DataSet::parse(as_bytes(once), encoding);
    CAIRN_CHECK(static_cast<bool>(back));
    const std::string twice = back.value().encode(encoding);
    const auto again = DataSet::parse(as_bytes(twice), encoding);
    CAIRN_CHECK(again && again.value().encode(encoding) == twice);
  }
  static_cast<void>(set.value().encode(encodings[1]));
  for (const Element& e : set.value().elements()) {
    static_cast<void>(set.value().text(e.tag));
    static_cast<void>(set.value().text(e.tag, 1));
    static_cast<void>(set.value().numbers(e.tag));
    static_cast<void>(set.value().integer(e.tag));
  }
  return 0;
}
