#include "codec/jpeg_markers.h"

#include <algorithm>
#include <cstring>

namespace cairn::codec {
namespace {

unsigned octet(Bytes b, std::size_t i) {
  return std::to_integer<unsigned>(b[i]);
}

/// Offset of the next FF that begins a marker (neither stuffed nor a restart), or the end. `jpeg_ls` streams stuff
/// bits: there FF is followed by a byte below 80.
std::size_t skip_entropy_coded(Bytes coded, std::size_t at, bool jpeg_ls) {
  while (at + 1 < coded.size()) {
    const auto* const found =
        static_cast<const std::byte*>(std::memchr(coded.data() + at, 0xFF, coded.size() - 1 - at));
    if (found == nullptr) return coded.size();
    at = static_cast<std::size_t>(found - coded.data());
    const unsigned next = octet(coded, at + 1);
    const bool data = jpeg_ls ? next < 0x80 : next == 0x00;
    if (!data && next != 0xFF && !(next >= 0xD0 && next <= 0xD7)) return at;
    at += next == 0xFF ? 1 : 2;
  }
  return coded.size();
}

Result<> read_frame_header(Bytes segment, std::size_t origin, JPEGHeader& header) {
  if (header.frame_marker != 0) return fail(Errc::malformed, "second JPEG frame header", origin);
  if (segment.size() < 6) return fail(Errc::truncated, "JPEG frame header", origin);
  header.precision = static_cast<std::uint8_t>(octet(segment, 0));
  header.rows = load_be<std::uint16_t>(segment.data() + 1);
  header.columns = load_be<std::uint16_t>(segment.data() + 3);
  header.component_count = static_cast<std::uint8_t>(octet(segment, 5));
  if (header.component_count == 0 || header.component_count > header.components.size()) {
    return fail(Errc::unsupported, "number of JPEG components", origin);
  }
  if (segment.size() < 6u + 3u * header.component_count) return fail(Errc::truncated, "JPEG frame header", origin);
  for (std::size_t i = 0; i < header.component_count; ++i) {
    const unsigned factors = octet(segment, 7 + i * 3);
    header.components[i] = {static_cast<std::uint8_t>(octet(segment, 6 + i * 3)),
                            static_cast<std::uint8_t>(factors >> 4), static_cast<std::uint8_t>(factors & 15)};
    if (factors >> 4 == 0 || factors >> 4 > 4 || (factors & 15) == 0 || (factors & 15) > 4) {
      return fail(Errc::malformed, "JPEG sampling factor", origin);
    }
  }
  return outcome::success();
}

}  // namespace

Result<JPEGHeader> read_jpeg_header(Bytes coded, std::uint32_t max_scans) {
  JPEGHeader header;
  if (coded.size() < 4 || octet(coded, 0) != 0xFF || octet(coded, 1) != 0xD8) return fail(Errc::malformed, "JPEG SOI");
  std::size_t at = 2;
  for (;;) {
    // Each turn consumes at least two bytes, so the walk ends.
    while (at + 1 < coded.size() && octet(coded, at) == 0xFF && octet(coded, at + 1) == 0xFF) ++at;
    if (at + 1 >= coded.size()) break;
    if (octet(coded, at) != 0xFF) return fail(Errc::malformed, "JPEG marker", at);
    const unsigned marker = octet(coded, at + 1);
    at += 2;
    if (marker == 0xD9) {
      header.has_eoi = true;
      break;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // TEM and restarts stand alone
    if (marker == 0xD8 || marker == 0x00) return fail(Errc::malformed, "JPEG marker", at - 2);
    if (coded.size() - at < 2) return fail(Errc::truncated, "JPEG segment length", at);
    const std::size_t length = load_be<std::uint16_t>(coded.data() + at);
    if (length < 2) return fail(Errc::malformed, "JPEG segment length", at);
    if (length > coded.size() - at) return fail(Errc::truncated, "JPEG segment", at);
    const Bytes segment = coded.subspan(at + 2, length - 2);
    if ((marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) || marker == 0xF7) {
      CAIRN_TRYV(read_frame_header(segment, at, header));
      header.frame_marker = static_cast<std::uint8_t>(marker);
    } else if (marker == 0xE0) {
      header.jfif |= segment.size() >= 5 && std::memcmp(segment.data(), "JFIF", 5) == 0;
    } else if (marker == 0xEE) {
      if (segment.size() >= 12 && std::memcmp(segment.data(), "Adobe", 5) == 0) {
        header.adobe = true;
        header.adobe_transform = static_cast<std::uint8_t>(octet(segment, 11));
      }
    } else if (marker == 0xCC) {
      header.arithmetic = true;
    }
    at += length;
    if (marker == 0xDA) {
      if (header.frame_marker == 0) return fail(Errc::malformed, "JPEG scan before its frame header", at);
      const std::size_t selection = 1 + (segment.empty() ? 0 : 2u * octet(segment, 0));
      if (header.scans == 0 && selection < segment.size()) {
        header.first_selection = static_cast<std::uint8_t>(octet(segment, selection));
      }
      if (++header.scans > max_scans) return fail(Errc::limit_exceeded, "number of JPEG scans", at);
      at = skip_entropy_coded(coded, at, header.is_jpeg_ls());
    }
  }
  header.end = std::min(at, coded.size());
  if (header.frame_marker == 0) return fail(Errc::malformed, "JPEG stream without a frame header");
  if (header.scans == 0) return fail(Errc::truncated, "JPEG stream without a scan", header.end);
  return header;
}

}  // namespace cairn::codec
