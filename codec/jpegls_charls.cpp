// JPEG-LS, lossless and near-lossless (ISO/IEC 14495-1). Adapter of CharLS 2.4; DCMTK's JPEG-LS must never share its process
// (both export the same C names with different layouts). Extents are compared with the format before CharLS allocates.
#include <charls/charls_jpegls_decoder.h>

#include <memory>

#include "codec/adapters.h"
#include "codec/jpeg_markers.h"

namespace cairn::codec {
namespace {

using charls::jpegls_errc;

unsigned octet(Bytes b, std::size_t i) { return std::to_integer<unsigned>(b[i]); }

Error translate(jpegls_errc e, std::uint64_t offset) {
  switch (e) {
    case jpegls_errc::source_buffer_too_small: return fail(Errc::truncated, "JPEG-LS stream", offset);
    case jpegls_errc::not_enough_memory: return fail(Errc::out_of_memory, "JPEG-LS decoder", offset);
    case jpegls_errc::parameter_value_not_supported:
    case jpegls_errc::encoding_not_supported:
    case jpegls_errc::color_transform_not_supported:
    case jpegls_errc::bit_depth_for_transform_not_supported:
    case jpegls_errc::jpegls_preset_extended_parameter_type_not_supported:
      return fail(Errc::unsupported, "JPEG-LS feature of this stream", offset);
    case jpegls_errc::end_of_image_marker_not_found: return fail(Errc::malformed, "JPEG-LS end marker", offset);
    case jpegls_errc::too_much_encoded_data: return fail(Errc::malformed, "JPEG-LS bytes after the last sample", offset);
    default: return fail(Errc::malformed, "JPEG-LS stream refused by the decoder", offset);
  }
}

struct Decoded {
  std::vector<std::byte> samples;
  charls::interleave_mode interleave = charls::interleave_mode::none;
  bool lossy = false;
};

Result<Decoded> decode_once(Bytes stream, std::uint64_t expected_bytes) {
  struct Destroy {
    void operator()(const charls_jpegls_decoder* d) const noexcept { charls_jpegls_decoder_destroy(d); }
  };
  const std::unique_ptr<charls_jpegls_decoder, Destroy> decoder(charls_jpegls_decoder_create());
  if (!decoder) return fail(Errc::out_of_memory, "JPEG-LS decoder");
  const auto failed = [](jpegls_errc e) { return e != jpegls_errc::success; };
  jpegls_errc e = charls_jpegls_decoder_set_source_buffer(decoder.get(), stream.data(), stream.size());
  if (failed(e)) return translate(e, 0);
  e = charls_jpegls_decoder_read_header(decoder.get());
  if (failed(e)) return translate(e, 0);
  Decoded out;
  std::int32_t near_lossless = 0;
  std::size_t bytes = 0;
  e = charls_jpegls_decoder_get_near_lossless(decoder.get(), 0, &near_lossless);
  if (failed(e)) return translate(e, 0);
  e = charls_jpegls_decoder_get_interleave_mode(decoder.get(), &out.interleave);
  if (failed(e)) return translate(e, 0);
  e = charls_jpegls_decoder_get_destination_size(decoder.get(), 0, &bytes);
  if (failed(e)) return translate(e, 0);
  if (bytes != expected_bytes) return fail(Errc::mismatch, "JPEG-LS size is not what the format declares");
  out.lossy = near_lossless > 0;
  out.samples.resize(bytes);
  e = charls_jpegls_decoder_decode_to_buffer(decoder.get(), out.samples.data(), out.samples.size(), 0);
  if (failed(e)) return translate(e, stream.size());
  return out;
}

std::vector<std::byte> by_pixel(const std::vector<std::byte>& planes, std::size_t components, std::size_t width) {
  std::vector<std::byte> out(planes.size());
  const std::size_t pixels = planes.size() / components / width;
  for (std::size_t c = 0; c < components; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      std::memcpy(out.data() + (i * components + c) * width, planes.data() + (c * pixels + i) * width, width);
    }
  }
  return out;
}

/// The stream with its last bytes mended: an absent EOI added, or a zero byte before EOI taken out.
std::vector<std::byte> mended(Bytes stream, const JPEGHeader& header, Oddity& how) {
  std::vector<std::byte> out(stream.begin(), stream.end());
  const std::size_t n = out.size();
  if (!header.has_eoi) {
    how = Oddity::end_marker_missing;
    out.insert(out.end(), {std::byte{0xFF}, std::byte{0xD9}});
  } else if (n > 4 && octet(stream, n - 3) == 0) {
    how = Oddity::stray_byte_removed;
    out.erase(out.end() - 3);
  } else {
    out.clear();
  }
  return out;
}

}  // namespace

Result<RawImage> decode_jpeg_ls(const PixelFormat& format, Bytes coded) {
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(coded));
  if (!header.is_jpeg_ls()) return fail(Errc::unsupported, "JPEG process is not JPEG-LS");
  if (header.rows != format.rows || header.columns != format.columns) {
    return fail(Errc::mismatch, "JPEG-LS extent is not Rows x Columns");
  }
  if (header.component_count != format.samples_per_pixel) return fail(Errc::mismatch, "JPEG-LS components are not Samples per Pixel");
  if (header.precision < 2 || header.precision > 16) return fail(Errc::malformed, "JPEG-LS precision");

  RawImage image;
  image.precision = header.precision;
  image.width_bytes = header.precision <= 8 ? 1 : 2;
  const std::uint64_t bytes = samples_per_frame(format) * image.width_bytes;
  const Bytes stream = coded.first(header.end);  // padding after EOI is no part of it
  auto decoded = decode_once(stream, bytes);
  if (decoded.has_error() && !(decoded.error() == Errc::mismatch)) {
    Oddity how{};
    const std::vector<std::byte> second = mended(stream, header, how);
    if (!second.empty()) {
      auto again = decode_once(second, bytes);
      if (again.has_value()) {
        decoded = std::move(again);
        image.mark(how);
      }
    }
  }
  if (decoded.has_error()) return decoded.error();
  image.lossy = decoded.value().lossy;
  image.samples = std::move(decoded.value().samples);
  if (header.component_count > 1 && decoded.value().interleave == charls::interleave_mode::none) {
    image.samples = by_pixel(image.samples, header.component_count, image.width_bytes);
  }
  if (format.photometric == "YBR_FULL_422" || format.photometric == "YBR_PARTIAL_422") image.mark(Oddity::not_subsampled);
  return image;
}

}  // namespace cairn::codec
