// JPEG extended and progressive DCT of 12 bits. Adapter of DCMTK's IJG library, which is given one frame and never a
// data set.
#include "codec/adapters.h"
#include "codec/jpeg_markers.h"
#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmjpeg/djcparam.h"
#include "dcmtk/dcmjpeg/djdijg12.h"

namespace cairn::codec {
namespace {

constexpr std::uint32_t kMaxScans = 500;
constexpr std::uint64_t kMaxScanSamples = std::uint64_t{1} << 33;

class Decoder final : public DJDecompressIJG12Bit {
 public:
  using DJDecompressIJG12Bit::DJDecompressIJG12Bit;
  void emitMessage(int level) const override {
    if (level < 0) ++warnings_;
  }
  unsigned warnings() const { return warnings_; }

 private:
  mutable unsigned warnings_ = 0;
};

const DJCodecParameter& parameters() {
  static const DJCodecParameter kParameters(ECC_lossyRGB, EDC_never, EUC_never, EPC_colorByPixel);
  return kParameters;
}

}  // namespace

void warm_up_jpeg12() {
  parameters();
}

Result<StreamTraits> decode_jpeg_12bit(const ForeignJob& job, SampleRoom& room) {
  const PixelFormat& format = job.format;
  const Bytes coded = job.coded;
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(coded, kMaxScans));
  if (header.rows != format.rows || header.columns != format.columns) {
    return fail(Errc::mismatch, "JPEG extent is not Rows x Columns");
  }
  if (header.component_count != format.samples_per_pixel)
    return fail(Errc::mismatch, "JPEG components are not Samples per Pixel");
  if (header.component_count != 1 && header.component_count != 3)
    return fail(Errc::unsupported, "12-bit JPEG of 2 or 4 components");
  if (header.scans * samples_per_frame(format) > kMaxScanSamples)
    return fail(Errc::limit_exceeded, "JPEG scans times samples");
  const std::uint64_t bytes = samples_per_frame(format) * 2;
  if (bytes > 0xFFFFFFFFu || header.end > 0xFFFFFFF0u) return fail(Errc::limit_exceeded, "12-bit JPEG frame size");

  StreamTraits image;
  image.precision = 12;
  image.width_bytes = 2;
  image.lossy = true;
  CAIRN_TRY(const MutableBytes samples, room.take(bytes));
  // The library takes a mutable buffer and waits for more where the end marker is missing.
  std::vector<std::byte> input(coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(header.end));
  if (!header.has_eoi) {
    image.mark(Oddity::end_marker_missing);
    input.insert(input.end(), {std::byte{0xFF}, std::byte{0xD9}});
  }
  Decoder decoder(parameters(), format.photometric.starts_with("YBR"));
  if (decoder.init().bad()) return fail(Errc::internal, "12-bit JPEG decoder");
  const OFCondition result =
      decoder.decode(reinterpret_cast<Uint8*>(input.data()), static_cast<Uint32>(input.size()),
                     reinterpret_cast<Uint8*>(samples.data()), static_cast<Uint32>(bytes), OFFalse);
  if (result == EJ_Suspension) return fail(Errc::truncated, "12-bit JPEG stream", coded.size());
  if (result.bad()) return fail(Errc::malformed, "12-bit JPEG stream refused by the decoder");
  if (decoder.warnings() > 0) image.mark(Oddity::partial);
  if (header.component_count == 3 && header.adobe) {
    image.colour = header.adobe_transform == 0 ? StreamColour::rgb : StreamColour::ybr;
  }
  return image;
}

}  // namespace cairn::codec
