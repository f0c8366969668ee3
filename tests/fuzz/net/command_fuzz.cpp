// DIMSE command sets: never a crash, and writing what was read loses nothing that is read again.
#include <cstdint>
#include <cstdlib>

#include "engine/dicom/dimse_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn::dicom;
  const auto command = decode_command({reinterpret_cast<const std::byte*>(data), size});
  if (!command) return 0;
  const std::string once = encode_command(command.value());
  const auto again = decode_command(cairn::as_bytes(once));
  if (!again) std::abort();
  // A second writing is stable: the first has cut what is too long and trimmed the padding.
  const std::string twice = encode_command(again.value());
  const auto third = decode_command(cairn::as_bytes(twice));
  if (!third || encode_command(third.value()) != twice) std::abort();
  return 0;
}
