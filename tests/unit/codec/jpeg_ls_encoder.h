// JPEG-LS streams made by CharLS for tests. DCMTK's JPEG-LS must not be in the same program: it exports the same C names.
#pragma once

#include <charls/charls_jpegls_encoder.h>

#include "tests/unit/codec/encoders.h"

namespace cairn::codec::test {

inline std::vector<std::byte> encode_jpeg_ls(const Samples& samples, std::uint32_t rows, std::uint32_t columns,
                                             int components, int precision, int near_lossless = 0) {
  const std::size_t width = precision > 8 ? 2 : 1;
  std::vector<std::byte> raw(samples.size() * width);
  for (std::size_t i = 0; i < samples.size(); ++i) std::memcpy(raw.data() + i * width, &samples[i], width);
  charls::jpegls_encoder encoder;
  encoder.frame_info({columns, rows, precision, components})
      .near_lossless(near_lossless)
      .interleave_mode(components == 1 ? charls::interleave_mode::none : charls::interleave_mode::sample);
  std::vector<std::byte> out(encoder.estimated_destination_size() + 1024);
  encoder.destination(out.data(), out.size());
  out.resize(encoder.encode(raw.data(), raw.size()));
  return out;
}

}  // namespace cairn::codec::test
