// A small frame as people look at it, under a data set of any content: tables, windows, shutters, overlays, shapes.
// Five bytes make the frame (rows, columns, samples and kind, bits, pixels), the rest is the data set in explicit VR
// little endian.
#include <cstdint>

#include "engine/core/check.h"
#include "engine/web/picture_size.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  if (size < 5) return 0;
  const auto data_set =
      dicom::DataSet::parse(Bytes(reinterpret_cast<const std::byte*>(data) + 5, size - 5), {true, false, false});
  if (!data_set) return 0;

  codec::Frame frame;
  frame.rows = data[0] % 24 + 1u;
  frame.columns = data[1] % 24 + 1u;
  frame.samples_per_pixel = (data[2] & 1) != 0 ? 3 : 1;
  frame.is_signed = (data[2] & 2) != 0;
  const unsigned widths[] = {8, 16, 32, 64};
  frame.bits_allocated = static_cast<std::uint16_t>(widths[data[2] >> 2 & 3]);
  frame.bits_stored = static_cast<std::uint16_t>(data[3] % frame.bits_allocated + 1);
  const char* kinds[] = {"MONOCHROME2", "MONOCHROME1",     "PALETTE COLOR", "RGB",
                         "YBR_FULL",    "YBR_PARTIAL_420", "XYZ",           ""};
  frame.photometric = kinds[data[2] >> 4 & 7];
  frame.samples.resize(std::size_t{frame.rows} * frame.columns * frame.samples_per_pixel * (frame.bits_allocated / 8u));
  for (std::size_t i = 0; i < frame.samples.size(); ++i) frame.samples[i] = static_cast<std::byte>(i * data[4] >> 1);
  codec::PixelFormat format;
  format.rows = frame.rows;
  format.columns = frame.columns;
  format.samples_per_pixel = frame.samples_per_pixel;
  format.bits_allocated = frame.bits_allocated;
  format.bits_stored = frame.bits_stored;
  format.high_bit = static_cast<std::uint16_t>(data[3] >> 2);
  format.is_signed = frame.is_signed;
  format.photometric = frame.photometric;

  const web::ValueReader read = [](const dicom::Element& element) -> Result<std::string> { return element.value; };
  const auto picture = web::present(data_set.value(), data[4] % 4u, format, frame, (data[3] & 128) != 0, {}, read);
  if (!picture) return 0;
  const auto complete = [](const web::Picture& p) {
    return p.samples.size() == std::size_t{p.rows} * p.columns * p.samples_per_pixel;
  };
  CAIRN_CHECK(picture.value().rows == frame.rows && picture.value().columns == frame.columns &&
              complete(picture.value()));
  const double aspect = web::pixel_aspect_of(data_set.value(), data[4] % 4u);
  const web::Picture squared = web::square(picture.value(), aspect, 100);
  CAIRN_CHECK(complete(squared) && squared.rows <= 100 && squared.columns <= 100);
  const web::Picture boxed = web::fit_into(picture.value(), 7, 5, aspect);
  CAIRN_CHECK(complete(boxed) && boxed.rows <= 5 && boxed.columns <= 7);
  return 0;
}
