// Decoded text is valid UTF-8 whatever the bytes and terms; what encodes decodes to the same. The first byte says how
// many bytes of the input are the terms, the second the VR.
#include <cstdint>
#include <string_view>

#include "engine/core/check.h"
#include "engine/dicom/character_set.h"
#include "engine/dicom/character_set_tables.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::dicom;
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string_view terms = input.substr(0, data[0]);
  const std::string_view bytes = input.substr(terms.size());
  const VR vrs[] = {VR::PN, VR::LO, VR::LT, VR::UI};
  const VR vr = vrs[data[1] % 4];

  const std::string text = decode_text(bytes, terms, vr);
  CAIRN_CHECK(charset_detail::is_valid_utf8(text));
  for (const std::string_view utf8 : {std::string_view(text), bytes}) {
    const auto encoded = encode_text(utf8, terms);
    if (!encoded || utf8.find('\x1b') != std::string_view::npos) continue;
    CAIRN_CHECK(charset_detail::is_valid_utf8(utf8));
    CAIRN_CHECK(decode_text(*encoded, terms, VR::PN) == utf8);
  }
  return 0;
}
