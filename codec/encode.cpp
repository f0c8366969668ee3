#include "codec/encode.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "codec/encoders.h"

namespace cairn::codec {
namespace {

constexpr std::uint64_t kMaxFragmentBytes = 0xFFFFFFFEu;

// PS3.5 §8.2: what each coding may hold. Bits Allocated as a set.
enum : unsigned { k1 = 1, k8 = 2, k16 = 4, k32 = 8, k64 = 16 };

unsigned width_of(const PixelFormat& f) {
  return f.bits_allocated == 1    ? k1
         : f.bits_allocated == 8  ? k8
         : f.bits_allocated == 16 ? k16
         : f.bits_allocated == 32 ? k32
                                  : k64;
}

unsigned widths_allowed(Coding coding) {
  switch (coding) {
    case Coding::native:
    case Coding::uncompressed:
    case Coding::deflated_frame:
      return k1 | k8 | k16 | k32 | k64;
    case Coding::rle:
      return k1 | k8 | k16 | k32;
    default:
      return k8 | k16;
  }
}

bool is_colour(const PixelFormat& f) {
  return f.samples_per_pixel == 3;
}

Result<> plan_dct(Encoding& e) {
  if (e.source.is_signed) return fail(Errc::unsupported, "signed samples in JPEG baseline");
  if (e.source.bits_stored > 8) return fail(Errc::unsupported, "more than 8 Bits Stored in JPEG baseline");
  if (e.source.photometric == "PALETTE COLOR") return fail(Errc::unsupported, "palette indices in a lossy coding");
  if (e.options.jpeg_quality < 1 || e.options.jpeg_quality > 100) return fail(Errc::malformed, "JPEG quality");
  e.format.bits_allocated = e.format.bits_stored = 8;
  e.format.high_bit = 7;
  if (is_colour(e.source)) e.format.photometric = "YBR_FULL_422";
  e.lossy = true;
  e.lossy_method = "ISO_10918_1";
  return outcome::success();
}

Result<> plan_jpeg_ls(Encoding& e) {
  if (e.syntax->fidelity == Fidelity::lossless) return outcome::success();
  const int near = e.options.near_lossless;
  if (near < 0 || near > 255) return fail(Errc::malformed, "JPEG-LS NEAR");
  if (near == 0) return outcome::success();
  // The stream knows no sign: where values cross zero its bound on the difference does not hold.
  if (e.source.is_signed) return fail(Errc::unsupported, "signed samples in JPEG-LS near-lossless");
  if (e.source.photometric == "PALETTE COLOR") return fail(Errc::unsupported, "palette indices in a lossy coding");
  e.lossy = true;
  e.lossy_method = "ISO_14495_1";
  return outcome::success();
}

Result<> plan_jpeg2000(Encoding& e) {
  const double ratio = e.options.jpeg2000_ratio;
  if (!std::isfinite(ratio) || ratio > 1e6) return fail(Errc::malformed, "JPEG 2000 ratio");
  e.lossy = e.syntax->fidelity != Fidelity::lossless && ratio > 1;
  if (e.lossy && e.source.photometric == "PALETTE COLOR")
    return fail(Errc::unsupported, "palette indices in a lossy coding");
  if (e.lossy) e.lossy_method = "ISO_15444_1";
  if (e.source.photometric == "RGB") e.format.photometric = e.lossy ? "YBR_ICT" : "YBR_RCT";
  return outcome::success();
}

Result<> plan_coding(Encoding& e) {
  switch (e.syntax->coding) {
    case Coding::rle:
      if (is_colour(e.source)) {
        if (e.source.bits_allocated == 1) return fail(Errc::unsupported, "1-bit colour in RLE");
        e.format.planar_configuration = 1;  // segments are planes
      }
      if (e.source.samples_per_pixel * e.source.bits_allocated > 15 * 8)
        return fail(Errc::unsupported, "more than 15 RLE segments");
      return outcome::success();
    case Coding::jpeg_dct:
      return plan_dct(e);
    case Coding::jpeg_ls:
      return plan_jpeg_ls(e);
    case Coding::jpeg2000:
      return plan_jpeg2000(e);
    case Coding::htj2k:
      if (e.source.photometric == "RGB") e.format.photometric = "YBR_RCT";
      return outcome::success();
    default:
      return outcome::success();
  }
}

template <class T>
T all_bits(Bytes samples) {
  T all = 0;
  for (std::size_t i = 0; i + sizeof(T) <= samples.size(); i += sizeof(T))
    all = static_cast<T>(all | load_le<T>(samples.data() + i));
  return all;
}

/// True when bits from `stored` on are copies of the sign in every sample.
template <class T>
bool sign_fits(Bytes samples, unsigned stored) {
  const auto high = static_cast<T>(~T{0} << (stored - 1));
  bool fits = true;
  for (std::size_t i = 0; i + sizeof(T) <= samples.size(); i += sizeof(T)) {
    const auto v = static_cast<T>(load_le<T>(samples.data() + i) & high);
    fits &= v == 0 || v == high;
  }
  return fits;
}

/// Bits Stored where they hold every sample, else Bits Allocated: bits above the stored ones (overlays, what a
/// modality left there) are kept too.
unsigned precision_of(const PixelFormat& f, Bytes samples) {
  const unsigned allocated = f.bits_allocated;
  const unsigned stored = f.bits_stored;
  if (stored == 0 || stored >= allocated) return allocated;
  if (f.is_signed) {
    const bool fits =
        allocated == 8 ? sign_fits<std::uint8_t>(samples, stored) : sign_fits<std::uint16_t>(samples, stored);
    return fits ? stored : allocated;
  }
  const unsigned all = allocated == 8 ? all_bits<std::uint8_t>(samples) : all_bits<std::uint16_t>(samples);
  return all >> stored == 0 ? stored : allocated;
}

CodingInput input_of(const Encoding& e, Bytes samples) {
  CodingInput input;
  input.rows = e.source.rows;
  input.columns = e.source.columns;
  input.components = e.source.samples_per_pixel;
  input.width_bytes = e.source.bits_allocated / 8u;
  input.is_signed = e.source.is_signed;
  input.samples = samples;
  if (e.syntax->coding == Coding::rle) return input;
  input.precision = precision_of(e.source, samples);
  switch (e.syntax->coding) {
    case Coding::jpeg_dct:
      input.precision = 8;
      break;
    case Coding::jpeg_lossless:
    case Coding::jpeg_ls:
      // These streams know no sign. At the allocated width a decoder that does not extend it gives the right samples
      // too, and lossless differences, which wrap at 2^16, stay small around zero.
      if (input.is_signed) input.precision = e.source.bits_allocated;
      input.precision = std::max(input.precision, 2u);
      break;
    default:
      break;
  }
  return input;
}

/// Samples as they are in native Pixel Data; 1-bit samples packed into `packed`.
Result<Bytes> native_bytes(const Encoding& e, Bytes samples, std::vector<std::byte>& packed) {
  if (e.source.bits_allocated != 1) return samples;
  if (!pack_bits(samples, packed)) return fail(Errc::mismatch, "1-bit samples other than 0 and 1");
  return Bytes(packed);
}

Result<Coded> encode_coded(const Encoding& e, Bytes samples) {
  std::vector<std::byte> packed;
  switch (e.syntax->coding) {
    case Coding::native:
    case Coding::uncompressed: {
      CAIRN_TRY(const Bytes plain, native_bytes(e, samples, packed));
      return Coded(plain.begin(), plain.end());
    }
    case Coding::deflated_frame: {
      CAIRN_TRY(const Bytes plain, native_bytes(e, samples, packed));
      return deflate_raw(plain);
    }
    case Coding::rle: {
      if (e.source.bits_allocated != 1) return encode_rle(input_of(e, samples));
      CAIRN_TRY(const Bytes plain, native_bytes(e, samples, packed));
      return encode_rle_bits(plain);
    }
    case Coding::jpeg_lossless:
      return encode_jpeg_lossless(input_of(e, samples));
    case Coding::jpeg_ls:
      return encode_jpeg_ls(input_of(e, samples), e.lossy ? e.options.near_lossless : 0);
    case Coding::jpeg_dct:
      return encode_jpeg_baseline(input_of(e, samples), e.options.jpeg_quality, e.source.photometric == "RGB");
    case Coding::jpeg2000:
      return encode_jpeg2000(input_of(e, samples), e.source.photometric == "RGB",
                             e.lossy ? e.options.jpeg2000_ratio : 1);
    case Coding::htj2k:
      return encode_htj2k(input_of(e, samples), e.source.photometric == "RGB");
    default:
      return fail(Errc::unsupported, "encoding this transfer syntax");
  }
}

template <class T>
std::uint64_t most_different(Bytes a, Bytes b) {
  std::uint64_t most = 0;
  for (std::size_t i = 0; i + sizeof(T) <= a.size(); i += sizeof(T)) {
    const std::uint64_t x = load_le<T>(a.data() + i);
    const std::uint64_t y = load_le<T>(b.data() + i);
    most = std::max(most, x > y ? x - y : y - x);
  }
  return most;
}

bool can_verify(const Encoding& e) {
  if (e.syntax->coding == Coding::native || e.syntax->coding == Coding::uncompressed) return false;  // a copy
  return !e.lossy || e.syntax->coding == Coding::jpeg_ls;
}

Result<> verify(const Encoding& e, Bytes samples, Bytes coded) {
  DecodeOptions options;
  options.limits = e.options.limits;
  options.coded_here = true;
  auto decoded = decode_frame(*e.syntax, e.format, coded, options);
  if (!decoded.has_value() || decoded.value().samples.size() != samples.size())
    return fail(Errc::mismatch, "a coded frame does not decode");
  const Bytes back = decoded.value().samples;
  if (decoded.value().photometric != e.source.photometric)
    return fail(Errc::mismatch, "a coded frame decodes to another Photometric Interpretation");
  if (!e.lossy) {
    if (std::memcmp(samples.data(), back.data(), samples.size()) != 0)
      return fail(Errc::mismatch, "a coded frame decodes to other samples");
    return outcome::success();
  }
  const std::uint64_t most = e.source.bits_allocated == 8 ? most_different<std::uint8_t>(samples, back)
                                                          : most_different<std::uint16_t>(samples, back);
  if (most > static_cast<std::uint64_t>(e.options.near_lossless))
    return fail(Errc::mismatch, "a coded frame differs by more than NEAR");
  return outcome::success();
}

void make_even(const TransferSyntax& syntax, Coded& bytes) {
  if (bytes.size() % 2 == 0 || !syntax.encapsulated) return;
  if (syntax.coding == Coding::jpeg_dct || syntax.coding == Coding::jpeg_lossless || syntax.coding == Coding::jpeg_ls) {
    make_jpeg_even(bytes);
  } else {
    bytes.push_back(std::byte{0});
  }
}

}  // namespace

void load_patterns(const CodingInput& input, std::uint32_t row, std::uint16_t* into) noexcept {
  const std::size_t n = input.line_samples();
  const std::byte* const from = input.samples.data() + std::size_t{row} * n * input.width_bytes;
  const auto mask = static_cast<std::uint16_t>((1u << input.precision) - 1);
  if (input.width_bytes == 1) {
    for (std::size_t i = 0; i < n; ++i) into[i] = static_cast<std::uint16_t>(std::to_integer<unsigned>(from[i]) & mask);
  } else {
    for (std::size_t i = 0; i < n; ++i)
      into[i] = static_cast<std::uint16_t>(load_le<std::uint16_t>(from + 2 * i) & mask);
  }
}

void load_values(const CodingInput& input, std::uint32_t row, std::int32_t* into) noexcept {
  const std::size_t n = input.line_samples();
  const std::byte* const from = input.samples.data() + std::size_t{row} * n * input.width_bytes;
  if (input.width_bytes == 1) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = std::to_integer<std::uint8_t>(from[i]);
      into[i] = input.is_signed ? std::int32_t{static_cast<std::int8_t>(v)} : std::int32_t{v};
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = load_le<std::uint16_t>(from + 2 * i);
      into[i] = input.is_signed ? std::int32_t{static_cast<std::int16_t>(v)} : std::int32_t{v};
    }
  }
}

void make_jpeg_even(Coded& stream) {
  if (stream.size() % 2 != 0 && stream.size() >= 2) stream.insert(stream.end() - 2, std::byte{0xFF});
}

bool pack_bits(Bytes samples, std::vector<std::byte>& packed) {
  packed.assign((samples.size() + 7) / 8, std::byte{0});
  unsigned all = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto bit = std::to_integer<unsigned>(samples[i]);
    all |= bit;
    packed[i / 8] |= static_cast<std::byte>(bit << (i % 8));
  }
  return all <= 1;
}

PixelFormat decoded_format(const PixelFormat& data_set, const Frame& frame) {
  PixelFormat f = data_set;
  f.photometric = frame.photometric;
  f.planar_configuration = 0;
  if (frame.bits_stored > f.bits_stored && frame.bits_stored <= f.bits_allocated) {
    f.bits_stored = frame.bits_stored;
    f.high_bit = static_cast<std::uint16_t>(frame.bits_stored - 1);
  }
  return f;
}

Result<Encoding> plan_encoding(const TransferSyntax& syntax, const PixelFormat& source, const EncodeOptions& options) {
  CAIRN_TRYV(validate(source, options.limits));
  if (!syntax.encodable) return fail(Errc::unsupported, "encoding this transfer syntax");
  if (is_subsampled_422(source) || source.photometric == "YBR_RCT" || source.photometric == "YBR_ICT")
    return fail(Errc::unsupported, "a Photometric Interpretation that decoded samples never have");
  if (source.samples_per_pixel != 1 && source.samples_per_pixel != 3 && syntax.encapsulated)
    return fail(Errc::unsupported, "Samples per Pixel other than 1 and 3 in a compressed syntax");
  if (source.bits_allocated == 1 && source.is_signed) return fail(Errc::unsupported, "signed 1-bit samples");
  if (source.kind == SampleKind::floating && syntax.encapsulated)
    return fail(Errc::unsupported, "float samples in an encapsulated syntax");
  if ((widths_allowed(syntax.coding) & width_of(source)) == 0)
    return fail(Errc::unsupported, "Bits Allocated that this coding does not have");
  Encoding e;
  e.syntax = &syntax;
  e.options = options;
  e.source = source;
  e.source.planar_configuration = 0;
  e.format = e.source;
  CAIRN_TRYV(plan_coding(e));
  return e;
}

Result<EncodedFrame> encode_frame(const Encoding& encoding, Bytes samples) {
  const Encoding& e = encoding;
  if (e.syntax == nullptr) return fail(Errc::missing, "a planned encoding");
  if (samples.size() != decoded_frame_bytes(e.source)) return fail(Errc::mismatch, "samples are not one frame");
  warm_up();
  try {
    EncodedFrame frame;
    CAIRN_TRY(frame.bytes, encode_coded(e, samples));
    frame.coded_bytes = frame.bytes.size();
    make_even(*e.syntax, frame.bytes);
    if (e.syntax->encapsulated && frame.bytes.size() > kMaxFragmentBytes)
      return fail(Errc::limit_exceeded, "coded frame past the length of a fragment");
    if (e.options.verify && can_verify(e)) {
      CAIRN_TRYV(verify(e, samples, frame.bytes));
    }
    return frame;
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "coded frame");
  }
}

std::string lossy_ratio(std::uint64_t native_bytes, std::uint64_t coded_bytes) {
  char text[32];
  const double ratio = coded_bytes == 0 ? 0 : static_cast<double>(native_bytes) / static_cast<double>(coded_bytes);
  std::snprintf(text, sizeof text, "%.4g", ratio);
  return text;
}

}  // namespace cairn::codec
