// Any text as a document of the Native DICOM Model: what is read is JSON, and comes back from its XML.
#include <cstdint>

#include "engine/core/check.h"
#include "engine/dicom/json_read.h"
#include "engine/web/native_model.h"
#include "engine/web/native_model_read.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  const auto text = web::dicom_json_of({reinterpret_cast<const char*>(data), size});
  if (!text || !dicom::read_json(text.value())) return 0;
  const auto xml = web::native_model_of(text.value());
  CAIRN_CHECK(static_cast<bool>(xml));
  CAIRN_CHECK(static_cast<bool>(web::dicom_json_of(xml.value())));
  return 0;
}
