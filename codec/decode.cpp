#include "codec/decode.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>

#include "codec/adapters.h"
#include "codec/jpeg_markers.h"

namespace cairn::codec {
namespace {

/// Release and acquire: whoever sees the runner sees it made.
std::atomic<ForeignRunner*> g_runner = nullptr;

/// Sign-extends from `bits` and widens to `T`, little-endian.
template <class From, class To>
void widen(const std::byte* from, std::byte* into, std::size_t count, unsigned bits, bool extend) {
  const unsigned shift = 64 - bits;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t v = load_le<From>(from + i * sizeof(From));
    if (extend) v = static_cast<std::uint64_t>(static_cast<std::int64_t>(v << shift) >> shift);
    store_le<To>(into + i * sizeof(To), static_cast<To>(v));
  }
}

template <class From>
void widen_to(unsigned width, const std::byte* from, std::byte* into, std::size_t count, unsigned bits, bool extend) {
  if (width == 1) widen<From, std::uint8_t>(from, into, count, bits, extend);
  if (width == 2) widen<From, std::uint16_t>(from, into, count, bits, extend);
  if (width == 4) widen<From, std::uint32_t>(from, into, count, bits, extend);
}

/// True when every byte past the `wanted` low ones of each sample is 0: a stream of more precision can be narrowed.
bool fits(Bytes samples, unsigned width, unsigned wanted) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i % width >= wanted && samples[i] != std::byte{0}) return false;
  }
  return true;
}

/// Samples of the stream into the allocated width. The data set decides the sign (PS3.5 §8.2): the bits of the stream's
/// precision are reinterpreted.
Result<std::vector<std::byte>> fit(RawImage& image, const PixelFormat& format) {
  const unsigned wanted = std::max(1u, format.bits_allocated / 8u);
  const std::size_t count = image.bytes().size() / image.width_bytes;
  const bool extend = format.is_signed && image.precision < wanted * 8;
  if (image.width_bytes == wanted && !extend && !(image.stream_signed && !format.is_signed)) {
    return image.take();
  }
  if (image.width_bytes > wanted &&
      !(image.precision <= wanted * 8 ||
        (!format.is_signed && !image.stream_signed && fits(image.bytes(), image.width_bytes, wanted)))) {
    return fail(Errc::mismatch, "stream has more bits than Bits Allocated");
  }
  if (wanted == 8) return fail(Errc::unsupported, "64-bit samples of a compressed stream");
  std::vector<std::byte> out(count * wanted);
  if (image.stream_signed && !format.is_signed && image.precision < image.width_bytes * 8) {
    // Drop the sign extension: what remains is the stream's two's complement pattern.
    const std::uint32_t mask = (1u << image.precision) - 1;
    for (std::size_t i = 0; i < count; ++i) {
      std::byte* const p = image.bytes().data() + i * image.width_bytes;
      if (image.width_bytes == 1) store_le<std::uint8_t>(p, static_cast<std::uint8_t>(load_le<std::uint8_t>(p) & mask));
      if (image.width_bytes == 2)
        store_le<std::uint16_t>(p, static_cast<std::uint16_t>(load_le<std::uint16_t>(p) & mask));
      if (image.width_bytes == 4) store_le<std::uint32_t>(p, load_le<std::uint32_t>(p) & mask);
    }
  }
  const unsigned bits = std::clamp(image.precision, 1u, 32u);
  const std::byte* const from = image.bytes().data();
  if (image.width_bytes == 1) widen_to<std::uint8_t>(wanted, from, out.data(), count, bits, extend);
  if (image.width_bytes == 2) widen_to<std::uint16_t>(wanted, from, out.data(), count, bits, extend);
  if (image.width_bytes == 4) widen_to<std::uint32_t>(wanted, from, out.data(), count, bits, extend);
  return out;
}

std::string photometric_of(const RawImage& image, const PixelFormat& format) {
  if (format.samples_per_pixel != 3) return format.photometric;
  switch (image.colour) {
    case StreamColour::rgb:
      return "RGB";
    case StreamColour::ybr:
      return "YBR_FULL";
    case StreamColour::as_tagged:
      break;
  }
  if (format.photometric == "YBR_FULL_422") return "YBR_FULL";  // decoded samples are never subsampled
  if (format.photometric == "YBR_PARTIAL_422") return "YBR_PARTIAL";
  if (format.photometric == "YBR_RCT" || format.photometric == "YBR_ICT") return "RGB";
  return format.photometric;
}

/// The tag agrees when it names the colour space that the decoder found, in its coded or its decoded form.
bool tag_agrees(const std::string& tag, const std::string& found) {
  if (tag == found) return true;
  if (found == "YBR_FULL") return tag == "YBR_FULL_422";
  if (found == "YBR_PARTIAL") return tag == "YBR_PARTIAL_422";
  if (found == "RGB") return tag == "YBR_RCT" || tag == "YBR_ICT";
  return false;
}

Result<Frame> finish(RawImage image, const PixelFormat& format) {
  if (image.bytes().size() != samples_per_frame(format) * image.width_bytes) {
    return fail(Errc::mismatch, "decoded samples are not Rows x Columns x Samples per Pixel");
  }
  Frame frame;
  frame.oddities = image.oddities;
  frame.lossy = image.lossy;
  frame.photometric = photometric_of(image, format);
  if (format.samples_per_pixel == 3 && !tag_agrees(format.photometric, frame.photometric)) {
    image.mark(Oddity::photometric_differs);
    frame.oddities = image.oddities;
  }
  frame.bits_stored = format.bits_stored;
  if (image.precision != format.bits_stored && image.precision != format.bits_allocated) {
    frame.oddities |= static_cast<std::uint32_t>(Oddity::precision_differs);
  }
  if (image.precision > frame.bits_stored && image.precision <= format.bits_allocated &&
      image.precision != format.bits_allocated) {
    frame.bits_stored = static_cast<std::uint16_t>(image.precision);
  }
  CAIRN_TRY(frame.samples, fit(image, format));
  return frame;
}

/// A job of a foreign library: where the process wants them run.
Result<RawImage> run_foreign(ForeignDecoder decoder, const PixelFormat& format, Bytes coded,
                             const DecodeOptions& options) {
  const ForeignJob job{decoder, format, coded, options.allow_partial, options.name};
  RawImage image;
  ForeignRunner* const runner = options.coded_here ? nullptr : g_runner.load(std::memory_order_acquire);
  if (runner == nullptr) {
    VectorRoom room(image.samples);
    CAIRN_TRY(static_cast<StreamTraits&>(image), run_foreign_here(job, room));
    return image;
  }
  CAIRN_TRY(ForeignImage lent, runner->run(job));
  static_cast<StreamTraits&>(image) = lent.traits;
  image.lent = lent.samples;
  image.lender = std::move(lent.owner);
  return image;
}

Result<RawImage> decode_jpeg(const PixelFormat& format, Bytes coded, const DecodeOptions& options) {
  // The stream decides: senders label lossless streams as extended and baseline ones as lossless.
  CAIRN_TRY(const JPEGHeader header, read_jpeg_header(coded));
  if (header.is_jpeg_ls()) return decode_jpeg_ls(format, coded);
  if (header.is_lossless()) return decode_jpeg_lossless(format, coded);
  if (!header.is_huffman_dct() || header.arithmetic)
    return fail(Errc::unsupported, "JPEG arithmetic or hierarchical coding");
  if (header.precision == 8) return run_foreign(ForeignDecoder::jpeg_8bit, format, coded, options);
  if (header.precision == 12) return run_foreign(ForeignDecoder::jpeg_12bit, format, coded, options);
  return fail(Errc::malformed, "JPEG DCT precision");
}

Result<RawImage> decode_coded(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded,
                              const DecodeOptions& options) {
  switch (syntax.coding) {
    case Coding::rle:
      return decode_rle(format, coded);
    case Coding::jpeg_dct:
    case Coding::jpeg_lossless:
    case Coding::jpeg_ls:
      return decode_jpeg(format, coded, options);
    case Coding::jpeg2000:
      return run_foreign(ForeignDecoder::jpeg2000, format, coded, options);
    case Coding::htj2k: {
      auto fast = run_foreign(ForeignDecoder::htj2k, format, coded, options);
      // OpenJPH 0.9 refuses some legal streams too: a second opinion.
      if (fast.has_value() || !(fast.error() == Errc::unsupported || fast.error() == Errc::malformed)) return fast;
      return run_foreign(ForeignDecoder::jpeg2000, format, coded, options);
    }
    default:
      return fail(Errc::unsupported, "decoding this transfer syntax");
  }
}

Result<Frame> decode_any(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded,
                         const DecodeOptions& options) {
  if (format.kind == SampleKind::floating && syntax.coding != Coding::native && syntax.coding != Coding::uncompressed &&
      syntax.coding != Coding::deflated_frame) {
    return fail(Errc::unsupported, "float samples in a compressed stream");
  }
  switch (syntax.coding) {
    case Coding::native:
    case Coding::uncompressed:
      return decode_native(syntax, format, coded);
    case Coding::deflated_frame: {
      CAIRN_TRY(RawImage plain, run_foreign(ForeignDecoder::deflate, format, coded, options));
      return decode_native(syntax, format, plain.bytes().first((native_frame_bits(format) + 7) / 8));
    }
    default:
      break;
  }
  CAIRN_TRY(RawImage image, decode_coded(syntax, format, coded, options));
  return finish(std::move(image), format);
}

}  // namespace

Result<Frame> decode_frame(const TransferSyntax& syntax, const PixelFormat& format, Bytes coded,
                           const DecodeOptions& options) {
  CAIRN_TRYV(validate(format, options.limits));
  if (!syntax.decodable) return fail(Errc::unsupported, "decoding this transfer syntax");
  if (coded.empty()) return fail(Errc::truncated, "empty frame");
  try {
    CAIRN_TRY(Frame frame, decode_any(syntax, format, coded, options));
    frame.rows = format.rows;
    frame.columns = format.columns;
    frame.samples_per_pixel = format.samples_per_pixel;
    frame.bits_allocated = std::max<std::uint16_t>(format.bits_allocated, 8);
    if (frame.bits_stored == 0)
      frame.bits_stored = format.bits_stored != 0 ? format.bits_stored : format.bits_allocated;
    frame.is_signed = format.is_signed;
    frame.kind = format.kind;
    return frame;
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "decoded frame");
  }
}

std::uint64_t most_sample_bytes(const ForeignJob& job) noexcept {
  switch (job.decoder) {
    case ForeignDecoder::jpeg_8bit:
      return samples_per_frame(job.format);
    case ForeignDecoder::jpeg_12bit:
    case ForeignDecoder::htj2k:
      return 2 * samples_per_frame(job.format);
    case ForeignDecoder::jpeg2000:
      return 4 * samples_per_frame(job.format);
    case ForeignDecoder::deflate:
      return (native_frame_bits(job.format) + 7) / 8 + 1;
  }
  return 0;
}

Result<StreamTraits> run_foreign_here(const ForeignJob& job, SampleRoom& room) {
  warm_up();
  try {
    switch (job.decoder) {
      case ForeignDecoder::jpeg_8bit:
        return decode_jpeg_8bit(job, room);
      case ForeignDecoder::jpeg_12bit:
        return decode_jpeg_12bit(job, room);
      case ForeignDecoder::jpeg2000:
        return decode_jpeg2000(job, room);
      case ForeignDecoder::htj2k:
        return decode_htj2k_fast(job, room);
      case ForeignDecoder::deflate:
        return inflate_frame(job, room);
    }
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "decoded frame");
  }
  return fail(Errc::unsupported, "decoder");
}

void set_foreign_runner(ForeignRunner* runner) noexcept {
  g_runner.store(runner, std::memory_order_release);
}

void warm_up() {
  static std::once_flag once;
  std::call_once(once, [] {
    warm_up_jpeg12();
    warm_up_htj2k();
  });
}

}  // namespace cairn::codec
