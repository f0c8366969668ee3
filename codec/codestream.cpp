#include "codec/codestream.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "codec/j2k_header.h"
#include "codec/jpeg_markers.h"

namespace cairn::codec {
namespace {

constexpr std::size_t kMaxSearchBytes = 1u << 20;
constexpr unsigned kMaxBoxes = 4096;

Result<const TransferSyntax*> syntax_of(std::string_view uid) {
  const TransferSyntax* const syntax = find_transfer_syntax(uid);
  if (syntax == nullptr) return fail(Errc::unsupported, "coding of the stream");
  return syntax;
}

Result<std::string_view> jpeg_syntax(const JPEGHeader& h) {
  if (h.is_jpeg_ls()) return h.first_selection == 0 ? uids::kJPEGLSLossless : uids::kJPEGLSNearLossless;
  if (h.arithmetic) return fail(Errc::unsupported, "arithmetic coding of the JPEG stream");
  switch (h.frame_marker) {
    case 0xC0:
      return uids::kJPEGBaseline;
    case 0xC1:
      return uids::kJPEGExtended;
    case 0xC2:
      return std::string_view("1.2.840.10008.1.2.4.55");
    case 0xC3:
      return h.first_selection == 1 ? uids::kJPEGLosslessSV1 : uids::kJPEGLossless;
    default:
      return fail(Errc::unsupported, "process of the JPEG stream");
  }
}

std::string jpeg_colour(const JPEGHeader& h) {
  if (h.component_count == 1) return "MONOCHROME2";
  const auto& c = h.components;
  const bool rgb_ids = c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B';
  if (!h.is_huffman_dct() || (h.adobe && h.adobe_transform == 0) || rgb_ids) return "RGB";
  return c[0].horizontal > c[1].horizontal ? "YBR_FULL_422" : "YBR_FULL";
}

Result<Codestream> inspect_jpeg(Bytes head) {
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(head));
  if (header.component_count != 1 && header.component_count != 3) {
    return fail(Errc::unsupported, "components of the JPEG stream");
  }
  Codestream out;
  CAIRN_TRY(const std::string_view uid, jpeg_syntax(header));
  CAIRN_TRY(out.syntax, syntax_of(uid));
  out.rows = header.rows;
  out.columns = header.columns;
  out.samples_per_pixel = header.component_count;
  out.bits_stored = header.precision;
  out.lossy = header.is_huffman_dct() || (header.is_jpeg_ls() && header.first_selection != 0);
  if (out.lossy) out.lossy_method = header.is_jpeg_ls() ? "ISO_14495_1" : "ISO_10918_1";
  out.photometric = jpeg_colour(header);
  return out;
}

Result<Codestream> inspect_j2k(Bytes head) {
  CAIRN_TRY(const Bytes stream, find_codestream(head));
  CAIRN_TRY(const J2KHeader header, read_j2k_header(stream));
  if (header.components.size() != 1 && header.components.size() != 3) {
    return fail(Errc::unsupported, "components of the JPEG 2000 stream");
  }
  if (header.width() > UINT16_MAX || header.height() > UINT16_MAX)
    return fail(Errc::unsupported, "extent of the stream");
  Codestream out;
  const bool high_throughput = (header.style.block_style & 0x40) != 0;
  const bool reversible = header.style.reversible;
  constexpr std::uint8_t kRPCL = 2;
  const bool ranged =
      header.progression == kRPCL && std::any_of(header.segments.begin(), header.segments.end(),
                                                 [](const J2KSegment& s) { return s.marker == j2k::kTLM; });
  CAIRN_TRY(out.syntax, syntax_of(high_throughput ? (!reversible ? uids::kHTJ2K
                                                     : ranged    ? uids::kHTJ2KLosslessRPCL
                                                                 : uids::kHTJ2KLossless)
                                  : reversible    ? uids::kJPEG2000Lossless
                                                  : uids::kJPEG2000));
  out.columns = static_cast<std::uint32_t>(header.width());
  out.rows = static_cast<std::uint32_t>(header.height());
  out.samples_per_pixel = static_cast<std::uint16_t>(header.components.size());
  out.bits_stored = header.components[0].precision;
  out.is_signed = header.components[0].is_signed;
  out.lossy = !reversible;
  if (out.lossy) out.lossy_method = high_throughput ? "ISO_15444_15" : "ISO_15444_1";
  out.photometric = out.samples_per_pixel == 1          ? "MONOCHROME2"
                    : !header.multi_component_transform ? "RGB"
                    : reversible                        ? "YBR_RCT"
                                                        : "YBR_ICT";
  out.offset = static_cast<std::uint64_t>(stream.data() - head.data());
  return out;
}

// --- video ---------------------------------------------------------------------------------------------------------

struct Box {
  std::uint64_t body = 0, end = 0;
};

/// The boxes of an MP4 file (ISO/IEC 14496-12 §4.2); reads their headers only.
class Boxes {
 public:
  explicit Boxes(ByteSource& source) : source_(source) {}

  /// The first box of that type within [at, end).
  Result<std::optional<Box>> find(std::uint64_t at, std::uint64_t end, std::string_view type) {
    while (end > at && end - at >= 8) {
      if (++walked_ > kMaxBoxes) return fail(Errc::limit_exceeded, "boxes of the video");
      std::array<std::byte, 16> head{};
      CAIRN_TRY(const std::size_t got, source_.read(at, head));
      if (got < 8) return fail(Errc::truncated, "boxes of the video", at);
      std::uint64_t length = load_be<std::uint32_t>(head.data()), begin = 8;
      if (length == 1) {
        if (got < 16) return fail(Errc::truncated, "boxes of the video", at);
        length = load_be<std::uint64_t>(head.data() + 8);
        begin = 16;
      }
      if (length == 0) length = end - at;  // to the end
      if (length < begin || length > end - at) return fail(Errc::malformed, "boxes of the video", at);
      if (as_text(Bytes(head)).substr(4, 4) == type) return std::optional(Box{at + begin, at + length});
      at += length;
    }
    return std::optional<Box>();
  }
  Result<std::optional<Box>> find(Box in, std::string_view path) {
    std::optional<Box> box = in;
    for (; box && !path.empty(); path.remove_prefix(4)) {
      CAIRN_TRY(box, find(box->body, box->end, path.substr(0, 4)));
    }
    return box;
  }

 private:
  ByteSource& source_;
  unsigned walked_ = 0;
};

Result<Codestream> inspect_mp4(ByteSource& source) {
  Boxes boxes(source);
  CAIRN_TRY(const auto movie, boxes.find(0, source.size(), "moov"));
  if (!movie) return fail(Errc::malformed, "MP4 without a movie");
  for (std::uint64_t at = movie->body;;) {
    CAIRN_TRY(const auto track, boxes.find(at, movie->end, "trak"));
    if (!track) return fail(Errc::unsupported, "MP4 without an AVC or HEVC track");
    at = track->end;
    CAIRN_TRY(const auto table, boxes.find(*track, "mdiaminfstbl"));
    if (!table) continue;
    CAIRN_TRY(const auto description, boxes.find(*table, "stsd"));
    if (!description) continue;
    // FullBox and entry count, then the first VisualSampleEntry (§12.1.3): width and height behind 32 bytes.
    std::array<std::byte, 8 + 36> entry{};
    CAIRN_TRY(const std::size_t got, source.read(description->body, entry));
    if (got < entry.size()) return fail(Errc::truncated, "sample entry of the video");
    const std::string_view format = as_text(Bytes(entry)).substr(12, 4);
    const bool avc = format == "avc1" || format == "avc3";
    if (!avc && format != "hvc1" && format != "hev1") continue;
    Codestream out;
    CAIRN_TRY(out.syntax, syntax_of(avc ? "1.2.840.10008.1.2.4.102" : "1.2.840.10008.1.2.4.107"));
    out.columns = load_be<std::uint16_t>(entry.data() + 8 + 32);
    out.rows = load_be<std::uint16_t>(entry.data() + 8 + 34);
    out.lossy_method = avc ? "ISO_14496_10" : "ISO_23008_2";
    out.frames = 0;
    CAIRN_TRY(const auto sizes, boxes.find(*table, "stsz"));
    if (sizes) {
      std::array<std::byte, 12> count{};
      CAIRN_TRY(const std::size_t read, source.read(sizes->body, count));
      if (read == count.size()) out.frames = load_be<std::uint32_t>(count.data() + 8);
    }
    return out;
  }
}

Result<Codestream> inspect_mpeg2(Bytes head) {
  constexpr std::array<std::byte, 4> kSequenceHeader{std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0xB3}};
  const auto at = std::search(head.begin(), head.end(), kSequenceHeader.begin(), kSequenceHeader.end());
  if (head.end() - at < 8) return fail(Errc::malformed, "video without a sequence header");
  const std::uint32_t extent = load_be<std::uint32_t>(&*at + 4) >> 8;  // ISO/IEC 13818-2 §6.2.2.1: 12 bits each
  Codestream out;
  out.columns = extent >> 12;
  out.rows = extent & 0xfff;
  CAIRN_TRY(out.syntax,
            syntax_of(out.columns > 720 || out.rows > 576 ? "1.2.840.10008.1.2.4.101" : "1.2.840.10008.1.2.4.100"));
  out.lossy_method = "ISO_13818_2";
  out.frames = 0;
  return out;
}

}  // namespace

Result<Codestream> inspect_picture(Bytes head, std::uint64_t size) {
  if (head.size() < 2) return fail(Errc::truncated, "picture");
  const bool jpeg = head[0] == std::byte{0xFF} && head[1] == std::byte{0xD8};
  CAIRN_TRY(Codestream out, jpeg ? inspect_jpeg(head) : inspect_j2k(head));
  if (out.rows == 0 || out.columns == 0 || out.bits_stored == 0 || out.bits_stored > 32) {
    return fail(Errc::malformed, "extent of the picture");
  }
  out.length = size - out.offset;
  return out;
}

Result<Codestream> inspect_video(ByteSource& source) {
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(source.size(), kMaxSearchBytes)));
  CAIRN_TRY(const std::size_t got, source.read(0, head));
  head.resize(got);
  if (got < 12) return fail(Errc::truncated, "video");
  const bool mp4 = as_text(head).substr(4, 4) == "ftyp";
  CAIRN_TRY(Codestream out, mp4 ? inspect_mp4(source) : inspect_mpeg2(head));
  if (out.rows == 0 || out.columns == 0) return fail(Errc::malformed, "extent of the video");
  out.samples_per_pixel = 3;
  out.lossy = true;
  out.photometric = "YBR_PARTIAL_420";
  out.length = source.size();
  return out;
}

}  // namespace cairn::codec
