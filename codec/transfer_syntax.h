// Every transfer syntax of PS3.5 §10 and Annex A and PS3.6 Annex A, retired and private ones of the field included, in
// one table. Negotiation, storage, decoding and the conformance statement all read this table, so that they cannot
// disagree. Plain constants: thread-safe, no ownership.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace cairn::codec {

/// How a frame of Pixel Data is coded; what the decoders are chosen by.
enum class Coding : std::uint8_t {
  native,          ///< samples as they are; byte order from big_endian_pixels
  uncompressed,    ///< native samples, one frame a fragment (PS3.5 §A.4.11)
  deflated_frame,  ///< packed native samples under raw DEFLATE, one frame a fragment (PS3.5 §A.4.13)
  rle,             ///< PS3.5 Annex G
  jpeg_dct,        ///< ISO/IEC 10918-1 sequential and progressive DCT
  jpeg_lossless,   ///< ISO/IEC 10918-1 process 14
  jpeg_exotic,     ///< ISO/IEC 10918-1 arithmetic coding or hierarchical: kept, not decoded
  jpeg_ls,         ///< ISO/IEC 14495-1
  jpeg2000,        ///< ISO/IEC 15444-1
  jpeg2000_part2,  ///< ISO/IEC 15444-2 multi-component: frames share one codestream
  htj2k,           ///< ISO/IEC 15444-15
  jpeg_xl,         ///< ISO/IEC 18181
  video,           ///< a video stream; frames are not addressable
  referenced,      ///< no Pixel Data, only a URL (JPIP)
  realtime,        ///< DICOM-RTV (PS3.22); never in files by rights
  opaque,          ///< not a data set encoding that we parse
};

enum class Fidelity : std::uint8_t { lossless, lossy, either };

struct TransferSyntax {
  std::string_view uid;
  std::string_view name;  ///< as in PS3.6, without "(Retired)"
  Coding coding;
  Fidelity fidelity;
  bool encapsulated;       ///< Pixel Data of undefined length, in fragments
  bool explicit_vr;        ///< of the data set
  bool big_endian;         ///< of the data set
  bool big_endian_pixels;  ///< of native Pixel Data words
  bool deflated;           ///< the data set after the file meta information is raw DEFLATE
  bool video;
  bool retired;
  bool multi_fragment;  ///< one frame may span fragments
  bool decodable;       ///< decode_frame() can give samples
  bool storable;        ///< the archive may take objects in this syntax
  bool encodable;       ///< encode_frame() can make frames of it
};

/// The table, in the order of PS3.6.
std::span<const TransferSyntax> transfer_syntaxes() noexcept;

/// The row of `uid` (no padding), or nullptr when the syntax is unknown.
const TransferSyntax* find_transfer_syntax(std::string_view uid) noexcept;

namespace uids {
inline constexpr std::string_view kImplicitVRLittleEndian = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitVRLittleEndian = "1.2.840.10008.1.2.1";
inline constexpr std::string_view kEncapsulatedUncompressed = "1.2.840.10008.1.2.1.98";
inline constexpr std::string_view kDeflatedExplicitVRLittleEndian = "1.2.840.10008.1.2.1.99";
inline constexpr std::string_view kExplicitVRBigEndian = "1.2.840.10008.1.2.2";
inline constexpr std::string_view kJPEGBaseline = "1.2.840.10008.1.2.4.50";
inline constexpr std::string_view kJPEGExtended = "1.2.840.10008.1.2.4.51";
inline constexpr std::string_view kJPEGLossless = "1.2.840.10008.1.2.4.57";
inline constexpr std::string_view kJPEGLosslessSV1 = "1.2.840.10008.1.2.4.70";
inline constexpr std::string_view kJPEGLSLossless = "1.2.840.10008.1.2.4.80";
inline constexpr std::string_view kJPEGLSNearLossless = "1.2.840.10008.1.2.4.81";
inline constexpr std::string_view kJPEG2000Lossless = "1.2.840.10008.1.2.4.90";
inline constexpr std::string_view kJPEG2000 = "1.2.840.10008.1.2.4.91";
inline constexpr std::string_view kHTJ2KLossless = "1.2.840.10008.1.2.4.201";
inline constexpr std::string_view kHTJ2KLosslessRPCL = "1.2.840.10008.1.2.4.202";
inline constexpr std::string_view kHTJ2K = "1.2.840.10008.1.2.4.203";
inline constexpr std::string_view kRLELossless = "1.2.840.10008.1.2.5";
inline constexpr std::string_view kDeflatedImageFrame = "1.2.840.10008.1.2.8.1";
inline constexpr std::string_view kGEPrivateBigEndianPixels = "1.2.840.113619.5.2";
}  // namespace uids

}  // namespace cairn::codec
