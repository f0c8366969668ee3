// One coded frame into samples (PS3.5 §8, Annexes A, F, G): the stored values exactly, before any lookup table, rescale
// or colour conversion, little-endian, in the allocated width, colour by pixel. Pure functions; thread-safe once
// warm_up() ran. Each foreign library sits behind one adapter file (adapters.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/pixel_format.h"
#include "codec/transfer_syntax.h"
#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::codec {

/// What was odd about a frame that decoded all the same. Callers may show it; none changes the samples' meaning
/// silently.
enum class Oddity : std::uint32_t {
  sign_differs = 1u << 0,            ///< the codestream's sign is not Pixel Representation; the data set won
  precision_differs = 1u << 1,       ///< the codestream's precision is not Bits Stored; the codestream won
  photometric_differs = 1u << 2,     ///< the tag contradicts the stream; Frame::photometric is what the samples are
  jp2_boxes = 1u << 3,               ///< a JP2 file format wrapper around the codestream
  trailing_bytes = 1u << 4,          ///< more than padding after the end of the coded data
  end_marker_missing = 1u << 5,      ///< decoded to the last sample, but the stream does not end as it must
  huffman_table_overflow = 1u << 6,  ///< the Cornell encoder's table of 16-bit lossless JPEG
  partial = 1u << 7,                 ///< truncated or damaged; the missing parts are made up by the decoder
  not_subsampled = 1u << 8,          ///< photometric says 4:2:2, the samples are 4:4:4
};

struct Frame {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint16_t samples_per_pixel = 0;
  std::uint16_t bits_allocated = 0;  ///< width of a sample here: 8, 16, 32 or 64 (1-bit samples become bytes 0 and 1)
  std::uint16_t bits_stored = 0;     ///< of the data set, or of the stream where its values need more
  bool is_signed = false;
  SampleKind kind = SampleKind::integer;
  bool lossy = false;       ///< this stream lost information (read from the stream, not from the UID)
  std::string photometric;  ///< what the samples are now, e.g. RGB after a JPEG 2000 with YBR_RCT
  std::uint32_t oddities = 0;
  std::vector<std::byte> samples;

  bool has(Oddity o) const noexcept { return (oddities & static_cast<std::uint32_t>(o)) != 0; }
};

/// What a frame is called in logs.
struct FrameName {
  std::string_view sop_instance_uid;
  std::uint64_t frame = 0;  ///< from 1
};

struct DecodeOptions {
  Limits limits;
  bool allow_partial = false;  ///< JPEG, JPEG 2000: what a truncated stream holds, marked partial, instead of an error
  bool coded_here = false;     ///< by encode_frame() just now: decoded in the calling thread (foreign.h)
  FrameName name = {};
};

/// Decodes the bytes of one frame (FrameIndex::read). Output is never larger than `format` declares. Errors: those of
/// validate(); unsupported (syntax or a feature of the stream, named); mismatch (stream and format disagree on extent
/// or samples); truncated, malformed (offset in `coded`, where known); limit_exceeded; out_of_memory.
Result<Frame> decode_frame(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded,
                           const DecodeOptions& options = {});

/// Sets up the libraries whose first use is not thread-safe. Called by decode_frame() itself; call it before starting
/// workers to keep its millisecond out of the first frame.
void warm_up();

}  // namespace cairn::codec
