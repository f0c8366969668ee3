// PDU bodies: never a crash, and what is read is written and read again the same.
#include <cstdint>
#include <cstdlib>

#include "engine/dicom/pdu.h"

namespace pdu = cairn::dicom::pdu;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const cairn::Bytes body(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const auto again = [](const auto& value, auto decode) {
    const std::string encoded = pdu::encode(value);
    const auto read = decode(cairn::as_bytes(encoded).subspan(pdu::kHeaderBytes));
    // What does not fit a 16-bit item is left out when written; anything else must come back.
    if (encoded.size() < 60000 && (!read || pdu::encode(read.value()) != encoded)) std::abort();
  };
  switch (data[0] % 4) {
    case 0:
      if (const auto rq = pdu::decode_associate_rq(body)) again(rq.value(), pdu::decode_associate_rq);
      break;
    case 1:
      if (const auto ac = pdu::decode_associate_ac(body)) again(ac.value(), pdu::decode_associate_ac);
      break;
    case 2:
      if (const auto rj = pdu::decode_associate_rj(body)) again(rj.value(), pdu::decode_associate_rj);
      break;
    default:
      if (const auto abort = pdu::decode_abort(body)) again(abort.value(), pdu::decode_abort);
  }
  return 0;
}
