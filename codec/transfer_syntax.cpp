#include "codec/transfer_syntax.h"

#include <algorithm>
#include <array>

namespace cairn::codec {
namespace {

constexpr bool o = false;
constexpr bool X = true;
using C = Coding;
using F = Fidelity;

// clang-format off
// Columns after the fidelity: encapsulated, explicit VR, big-endian data set, big-endian pixels, deflated data set, video,
// retired, a frame may span fragments, decodable, storable, encodable.
constexpr std::array kTable = {
  TransferSyntax{"1.2.840.10008.1.2", "Implicit VR Little Endian",
    C::native, F::lossless, o, o, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.1", "Explicit VR Little Endian",
    C::native, F::lossless, o, X, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian",
    C::uncompressed, F::lossless, X, X, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian",
    C::native, F::lossless, o, X, o, o, X, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.2", "Explicit VR Big Endian",
    C::native, F::lossless, o, X, X, X, o, o, X, o, X, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)",
    C::jpeg_dct, F::lossy, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 & 4)",
    C::jpeg_dct, F::lossy, X, X, o, o, o, o, o, X, X, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.52", "JPEG Extended (Process 3 & 5)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.53", "JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8)",
    C::jpeg_dct, F::lossy, X, X, o, o, o, o, X, X, X, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.54", "JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.55", "JPEG Full Progression, Non-Hierarchical (Process 10 & 12)",
    C::jpeg_dct, F::lossy, X, X, o, o, o, o, X, X, X, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.56", "JPEG Full Progression, Non-Hierarchical (Process 11 & 13)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.57", "JPEG Lossless, Non-Hierarchical (Process 14)",
    C::jpeg_lossless, F::lossless, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.58", "JPEG Lossless, Non-Hierarchical (Process 15)",
    C::jpeg_exotic, F::lossless, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.59", "JPEG Extended, Hierarchical (Process 16 & 18)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.60", "JPEG Extended, Hierarchical (Process 17 & 19)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.61", "JPEG Spectral Selection, Hierarchical (Process 20 & 22)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.62", "JPEG Spectral Selection, Hierarchical (Process 21 & 23)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.63", "JPEG Full Progression, Hierarchical (Process 24 & 26)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.64", "JPEG Full Progression, Hierarchical (Process 25 & 27)",
    C::jpeg_exotic, F::lossy, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.65", "JPEG Lossless, Hierarchical (Process 28)",
    C::jpeg_exotic, F::lossless, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.66", "JPEG Lossless, Hierarchical (Process 29)",
    C::jpeg_exotic, F::lossless, X, X, o, o, o, o, X, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.70", "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    C::jpeg_lossless, F::lossless, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.80", "JPEG-LS Lossless Image Compression",
    C::jpeg_ls, F::lossless, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.81", "JPEG-LS Lossy (Near-Lossless) Image Compression",
    C::jpeg_ls, F::either, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.90", "JPEG 2000 Image Compression (Lossless Only)",
    C::jpeg2000, F::lossless, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.91", "JPEG 2000 Image Compression",
    C::jpeg2000, F::either, X, X, o, o, o, o, o, X, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)",
    C::jpeg2000_part2, F::lossless, X, X, o, o, o, o, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2 Multi-component Image Compression",
    C::jpeg2000_part2, F::either, X, X, o, o, o, o, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.94", "JPIP Referenced",
    C::referenced, F::either, o, X, o, o, o, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate",
    C::referenced, F::either, o, X, o, o, X, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.100.1", "Fragmentable MPEG2 Main Profile / Main Level",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.101.1", "Fragmentable MPEG2 Main Profile / High Level",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.103.1", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.104.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.105.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    C::video, F::lossy, X, X, o, o, o, X, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.106.1", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1",
    C::video, F::lossy, X, X, o, o, o, X, o, X, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.110", "JPEG XL Lossless",
    C::jpeg_xl, F::lossless, X, X, o, o, o, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression",
    C::jpeg_xl, F::lossy, X, X, o, o, o, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.112", "JPEG XL",
    C::jpeg_xl, F::either, X, X, o, o, o, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
    C::htj2k, F::lossless, X, X, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
    C::htj2k, F::lossless, X, X, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000 Image Compression",
    C::htj2k, F::either, X, X, o, o, o, o, o, o, X, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced",
    C::referenced, F::either, o, X, o, o, o, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate",
    C::referenced, F::either, o, X, o, o, X, o, o, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.5", "RLE Lossless",
    C::rle, F::lossless, X, X, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.2.6.1", "RFC 2557 MIME Encapsulation",
    C::opaque, F::either, o, X, o, o, o, o, X, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.6.2", "XML Encoding",
    C::opaque, F::either, o, X, o, o, o, o, X, o, o, X, o},
  TransferSyntax{"1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video",
    C::realtime, F::lossless, o, X, o, o, o, X, o, o, o, o, o},
  TransferSyntax{"1.2.840.10008.1.2.7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video",
    C::realtime, F::lossless, o, X, o, o, o, X, o, o, o, o, o},
  TransferSyntax{"1.2.840.10008.1.2.7.3", "SMPTE ST 2110-30 PCM Digital Audio",
    C::realtime, F::lossless, o, X, o, o, o, o, o, o, o, o, o},
  TransferSyntax{"1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression",
    C::deflated_frame, F::lossless, X, X, o, o, o, o, o, o, X, X, X},
  TransferSyntax{"1.2.840.10008.1.20", "Papyrus 3 Implicit VR Little Endian",
    C::opaque, F::either, o, o, o, o, o, o, X, o, o, X, o},
  TransferSyntax{"1.2.840.113619.5.2", "GE Private Implicit VR Little Endian with Big Endian Pixels",
    C::native, F::lossless, o, o, o, X, o, o, o, o, X, X, o},
};
// clang-format on

}  // namespace

std::span<const TransferSyntax> transfer_syntaxes() noexcept {
  return kTable;
}

const TransferSyntax* find_transfer_syntax(std::string_view uid) noexcept {
  const auto* const found =
      std::find_if(kTable.begin(), kTable.end(), [uid](const TransferSyntax& row) { return row.uid == uid; });
  return found == kTable.end() ? nullptr : found;
}

}  // namespace cairn::codec
