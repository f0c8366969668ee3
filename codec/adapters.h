// The decoders behind decode_frame(), one file each; foreign libraries appear nowhere else. Private to codec. Each
// checks the stream's own header against the format before it allocates, and reports what the stream says of its
// samples; fitting them to the format (width, sign) is decode.cpp's work. No exception and no longjmp leaves an
// adapter.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "codec/foreign.h"

namespace cairn::codec {

/// Samples: rows * columns * samples per pixel, colour by pixel, little-endian; our own, or lent by a ForeignRunner.
struct RawImage : StreamTraits {
  std::vector<std::byte> samples;  ///< our own
  MutableBytes lent;
  std::shared_ptr<void> lender;

  MutableBytes bytes() noexcept { return lender ? lent : MutableBytes(samples); }
  /// The samples, copied when they are lent. Ends the image.
  std::vector<std::byte> take() { return lender ? std::vector(lent.begin(), lent.end()) : std::move(samples); }
};

/// Room in a vector.
class VectorRoom final : public SampleRoom {
 public:
  explicit VectorRoom(std::vector<std::byte>& into) : into_(into) {}
  Result<MutableBytes> take(std::uint64_t bytes) override {
    into_.resize(bytes);
    return MutableBytes(into_);
  }

 private:
  std::vector<std::byte>& into_;
};

// Own decoders.
Result<Frame> decode_native(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded);
Result<RawImage> decode_rle(const PixelFormat& format, Bytes coded);            // PS3.5 Annex G
Result<RawImage> decode_jpeg_lossless(const PixelFormat& format, Bytes coded);  // ISO/IEC 10918-1 Annex H
Result<RawImage> decode_jpeg_ls(const PixelFormat& format, Bytes coded);        // ISO/IEC 14495-1

// Foreign ones: each takes room for its samples once it knows how many, and fills it.
Result<StreamTraits> decode_jpeg_8bit(const ForeignJob& job, SampleRoom& room);   // libjpeg-turbo
Result<StreamTraits> decode_jpeg_12bit(const ForeignJob& job, SampleRoom& room);  // DCMTK's IJG library for 12 bits
Result<StreamTraits> decode_jpeg2000(const ForeignJob& job, SampleRoom& room);    // OpenJPEG, HTJ2K too
/// OpenJPH. After unsupported and malformed OpenJPEG may know better.
Result<StreamTraits> decode_htj2k_fast(const ForeignJob& job, SampleRoom& room);
/// libdeflate: a native frame of job.format, packed as in Pixel Data; room is taken for that and one byte more.
Result<StreamTraits> inflate_frame(const ForeignJob& job, SampleRoom& room);

void warm_up_jpeg12();
void warm_up_htj2k();

/// 8-bit packed samples (PS3.5 §8.1.1, first sample in bit 0) into bytes 0 and 1.
std::vector<std::byte> unpack_bits(Bytes packed, std::uint64_t count);

}  // namespace cairn::codec
