// Any samples in any format through an encoder that verifies itself: a lossless frame comes back bit for bit, a
// near-lossless one within its bound, or the plan refuses the format. A frame that encode_frame() made and could not
// read back is the bug looked for.
#include "codec/encode.h"
#include "fuzz_format.h"

/// As the other targets' format, with a byte before it that chooses the syntax and one after it that chooses NEAR;
/// samples are the rest, over and over.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  using namespace cairn::codec;
  static const std::vector<const TransferSyntax*> kSyntaxes = [] {
    std::vector<const TransferSyntax*> out;
    for (const TransferSyntax& t : transfer_syntaxes()) {
      if (t.encodable && t.coding != Coding::native) out.push_back(&t);
    }
    return out;
  }();
  fuzz::Input input;
  if (size < 2 || !fuzz::read_input(data + 1, size - 1, input) || input.coded.size() < 2) return 0;
  input.format.rows = input.format.rows % 70 + 1;
  input.format.columns = input.format.columns % 70 + 1;
  if (input.format.photometric == "YBR_FULL_422") input.format.photometric = "YBR_FULL";
  EncodeOptions options;
  options.near_lossless = std::to_integer<int>(input.coded[0]);
  options.jpeg2000_ratio = options.near_lossless;
  const Bytes from = input.coded.subspan(1);
  const auto plan = plan_encoding(*kSyntaxes[data[0] % kSyntaxes.size()], input.format, options);
  if (!plan.has_value()) return 0;
  std::vector<std::byte> samples(decoded_frame_bytes(input.format));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = from[i % from.size()];
    if (input.format.bits_allocated == 1) samples[i] &= std::byte{1};
  }
  const auto coded = encode_frame(plan.value(), samples);
  if (!coded.has_value()) std::abort();
  if (coded.value().bytes.size() % 2 != 0) std::abort();
  return 0;
}
