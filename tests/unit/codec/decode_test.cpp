#include "codec/decode.h"

#include <algorithm>
#include <array>
#include <random>

#include <gtest/gtest.h>
#include <libdeflate.h>

#include "codec/image.h"
#include "tests/unit/codec/jpeg_ls_encoder.h"
#include "tests/unit/codec/test_dataset.h"

namespace cairn::codec {
namespace {

using Blob = std::vector<std::byte>;
using test::J2KOptions;
using test::Samples;

Blob blob(std::initializer_list<unsigned> values) {
  Blob b;
  for (const unsigned v : values) b.push_back(static_cast<std::byte>(v));
  return b;
}

const TransferSyntax& syntax(std::string_view uid) {
  return *find_transfer_syntax(uid);
}

PixelFormat grey(std::uint32_t rows, std::uint32_t columns, unsigned allocated, unsigned stored,
                 bool is_signed = false) {
  PixelFormat f;
  f.rows = rows;
  f.columns = columns;
  f.bits_allocated = static_cast<std::uint16_t>(allocated);
  f.bits_stored = static_cast<std::uint16_t>(stored);
  f.high_bit = static_cast<std::uint16_t>(stored - 1);
  f.is_signed = is_signed;
  return f;
}

PixelFormat colour(std::uint32_t rows, std::uint32_t columns, const char* photometric) {
  PixelFormat f = grey(rows, columns, 8, 8);
  f.samples_per_pixel = 3;
  f.photometric = photometric;
  return f;
}

Samples noise(std::size_t count, std::int32_t low, std::int32_t high, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::int32_t> pick(low, high);
  Samples s(count);
  for (auto& v : s) v = pick(random);
  return s;
}

Blob little_endian(const Samples& s, unsigned width) {
  Blob b(s.size() * width);
  for (std::size_t i = 0; i < s.size(); ++i) std::memcpy(b.data() + i * width, &s[i], width);
  return b;
}

#define ASSERT_DECODED(result) ASSERT_TRUE((result).has_value()) << to_string((result).error())

// ---- the format ----

TEST(PixelFormat, contradictions_and_bombs_are_refused) {
  EXPECT_EQ(validate(grey(0, 1, 8, 8)).error(), Errc::missing);
  EXPECT_EQ(validate(grey(1, 70000, 8, 8)).error(), Errc::malformed);
  EXPECT_EQ(validate(grey(1, 1, 12, 12)).error(), Errc::unsupported);
  EXPECT_EQ(validate(grey(1, 1, 8, 9)).error(), Errc::malformed);
  EXPECT_EQ(validate(grey(65535, 65535, 64, 64)).error(), Errc::limit_exceeded);
  EXPECT_TRUE(validate(grey(512, 512, 16, 12)).has_value());
}

// ---- native ----

TEST(Native, big_endian_words_of_every_width_are_swapped) {
  const Blob b = blob({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRBigEndian), grey(1, 4, 16, 16), b).value().samples,
            blob({2, 1, 4, 3, 6, 5, 8, 7}));
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRBigEndian), grey(1, 2, 32, 32), b).value().samples,
            blob({4, 3, 2, 1, 8, 7, 6, 5}));
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRBigEndian), grey(1, 1, 64, 64), b).value().samples,
            blob({8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(decode_frame(syntax(uids::kGEPrivateBigEndianPixels), grey(1, 4, 16, 16), b).value().samples,
            blob({2, 1, 4, 3, 6, 5, 8, 7}));
}

TEST(Native, bits_above_bits_stored_are_kept_as_they_are) {
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRLittleEndian), grey(1, 1, 16, 12), blob({0xFF, 0xFF})).value().samples,
            blob({0xFF, 0xFF}));
}

TEST(Native, colour_by_plane_becomes_colour_by_pixel) {
  PixelFormat f = colour(1, 2, "RGB");
  f.planar_configuration = 1;
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRLittleEndian), f, blob({1, 2, 3, 4, 5, 6})).value().samples,
            blob({1, 3, 5, 2, 4, 6}));
}

TEST(Native, subsampled_chrominance_is_repeated_and_odd_columns_work) {
  const auto frame = decode_frame(syntax(uids::kExplicitVRLittleEndian), colour(1, 3, "YBR_FULL_422"),
                                  blob({1, 2, 30, 40, 3, 0, 50, 60}));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, blob({1, 30, 40, 2, 30, 40, 3, 50, 60}));
  EXPECT_EQ(frame.value().photometric, "YBR_FULL");
}

TEST(Native, one_bit_samples_cannot_be_subsampled) {
  PixelFormat f = colour(4, 4, "YBR_FULL_422");
  f.bits_allocated = f.bits_stored = 1;
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRLittleEndian), f, Blob(4)).error(), Errc::unsupported);
}

TEST(Native, a_short_frame_fails_and_one_byte_of_padding_does_not) {
  EXPECT_EQ(decode_frame(syntax(uids::kExplicitVRLittleEndian), grey(1, 3, 8, 8), blob({1, 2})).error(),
            Errc::truncated);
  const auto padded = decode_frame(syntax(uids::kExplicitVRLittleEndian), grey(1, 3, 8, 8), blob({1, 2, 3, 0}));
  ASSERT_DECODED(padded);
  EXPECT_EQ(padded.value().oddities, 0u);
}

TEST(Deflated, a_frame_inflates_to_its_size_and_never_past_it) {
  const Blob plain(1000, std::byte{7});
  Blob coded(2000);
  libdeflate_compressor* c = libdeflate_alloc_compressor(6);
  coded.resize(libdeflate_deflate_compress(c, plain.data(), plain.size(), coded.data(), coded.size()));
  libdeflate_free_compressor(c);
  const auto frame = decode_frame(syntax(uids::kDeflatedImageFrame), grey(10, 100, 8, 8), coded);
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, plain);
  EXPECT_EQ(decode_frame(syntax(uids::kDeflatedImageFrame), grey(10, 50, 8, 8), coded).error(), Errc::limit_exceeded);
  EXPECT_EQ(decode_frame(syntax(uids::kDeflatedImageFrame), grey(10, 101, 8, 8), coded).error(), Errc::truncated);
  EXPECT_EQ(decode_frame(syntax(uids::kDeflatedImageFrame), grey(10000, 10000, 8, 8), coded).error(), Errc::truncated);
}

// ---- RLE ----

Blob rle_frame(const std::vector<Blob>& segments) {
  Blob b(64);
  store_le<std::uint32_t>(b.data(), static_cast<std::uint32_t>(segments.size()));
  for (std::size_t i = 0; i < segments.size(); ++i) {
    store_le<std::uint32_t>(b.data() + 4 + 4 * i, static_cast<std::uint32_t>(b.size()));
    b.insert(b.end(), segments[i].begin(), segments[i].end());
  }
  return b;
}

TEST(RLE, segments_of_odd_length_no_ops_and_padding_decode) {
  // 16 bits: high bytes by a run, low bytes literally with a no-op between and a pad byte after.
  const Blob coded = rle_frame({blob({0xFD, 0x12}), blob({0x80, 1, 5, 6, 0x80, 1, 7, 8, 0})});
  const auto frame = decode_frame(syntax(uids::kRLELossless), grey(2, 2, 16, 16), coded);
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, blob({5, 0x12, 6, 0x12, 7, 0x12, 8, 0x12}));
}

TEST(RLE, a_run_past_the_plane_stops_at_the_plane) {
  const auto frame = decode_frame(syntax(uids::kRLELossless), grey(1, 3, 8, 8), rle_frame({blob({0x81, 9})}));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, blob({9, 9, 9}));
}

TEST(RLE, short_planes_and_wrong_headers_are_errors_not_zeros) {
  const auto decode = [](const Blob& coded) {
    return decode_frame(syntax(uids::kRLELossless), grey(2, 2, 8, 8), coded);
  };
  EXPECT_EQ(decode(rle_frame({blob({1, 5, 6})})).error(), Errc::truncated);
  EXPECT_EQ(decode(rle_frame({blob({3, 5, 6})})).error(), Errc::truncated);
  EXPECT_EQ(decode(rle_frame({blob({0xFD})})).error(), Errc::truncated);
  EXPECT_EQ(decode(rle_frame({blob({0xFD, 1}), blob({0xFD, 1})})).error(), Errc::mismatch);
  Blob past = rle_frame({blob({0xFD, 1})});
  store_le<std::uint32_t>(past.data() + 4, 1000);
  EXPECT_EQ(decode(past).error(), Errc::malformed);
  store_le<std::uint32_t>(past.data() + 4, 3);
  EXPECT_EQ(decode(past).error(), Errc::malformed);
  EXPECT_EQ(decode(Blob(40)).error(), Errc::truncated);
}

// ---- JPEG DCT ----

Blob jpeg(std::uint32_t side, Chroma chroma = Chroma::full_444) {
  std::vector<std::uint8_t> rgb(std::size_t{side} * side * 3);
  for (std::size_t i = 0; i < rgb.size(); i += 3) rgb[i] = 200, rgb[i + 1] = 60, rgb[i + 2] = 30;
  return encode_jpeg(Plane8{side, side, 3, rgb}, 95, chroma).value();
}

/// The stream without its JFIF segment, which follows SOI.
Blob without_jfif(Blob b) {
  const std::size_t length = load_be<std::uint16_t>(b.data() + 4);
  b.erase(b.begin() + 2, b.begin() + static_cast<std::ptrdiff_t>(4 + length));
  return b;
}

Blob with_adobe(Blob b, unsigned transform) {
  const Blob segment = blob({0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, transform});
  b.insert(b.begin() + 2, segment.begin(), segment.end());
  return b;
}

TEST(JPEGColour, the_stream_is_trusted_before_the_tag) {
  struct Case {
    const char* what;
    Blob coded;
    const char* tag;
    const char* expected;
    bool odd;
  };
  const std::vector<Case> cases{
      {"JFIF means YCbCr", jpeg(8), "RGB", "YBR_FULL", true},
      {"JFIF means YCbCr", jpeg(8), "YBR_FULL_422", "YBR_FULL", false},
      {"no marker: the tag", without_jfif(jpeg(8)), "RGB", "RGB", false},
      {"no marker: the tag", without_jfif(jpeg(8)), "YBR_FULL", "YBR_FULL", false},
      {"subsampled is never RGB", without_jfif(jpeg(16, Chroma::half_420)), "RGB", "YBR_FULL", true},
      {"Adobe 0 is RGB", with_adobe(jpeg(8), 0), "YBR_FULL_422", "RGB", true},
      {"Adobe 1 is YCbCr", with_adobe(without_jfif(jpeg(8)), 1), "RGB", "YBR_FULL", true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const std::uint32_t side = std::string_view(c.what).starts_with("subsampled") ? 16 : 8;
    const auto frame = decode_frame(syntax(uids::kJPEGBaseline), colour(side, side, c.tag), c.coded);
    ASSERT_DECODED(frame);
    EXPECT_EQ(frame.value().photometric, c.expected);
    EXPECT_EQ(frame.value().has(Oddity::photometric_differs), c.odd);
    EXPECT_NEAR(std::to_integer<int>(frame.value().samples[0]), 98, 3) << "the first component is not transformed";
  }
}

TEST(JPEGBaseline, truncation_is_an_error_unless_a_part_is_asked_for) {
  std::vector<std::uint8_t> noise_samples(64 * 64);
  std::mt19937 random(3);
  for (auto& v : noise_samples) v = static_cast<std::uint8_t>(random());
  Blob coded = encode_jpeg(Plane8{64, 64, 1, noise_samples}, 90).value();
  Blob without_end(coded.begin(), coded.end() - 2);
  const auto whole = decode_frame(syntax(uids::kJPEGBaseline), grey(64, 64, 8, 8), without_end);
  ASSERT_DECODED(whole);
  EXPECT_TRUE(whole.value().has(Oddity::end_marker_missing));
  coded.resize(coded.size() / 2);
  EXPECT_EQ(decode_frame(syntax(uids::kJPEGBaseline), grey(64, 64, 8, 8), coded).error(), Errc::malformed);
  const auto part =
      decode_frame(syntax(uids::kJPEGBaseline), grey(64, 64, 8, 8), coded, {.limits = {}, .allow_partial = true});
  ASSERT_DECODED(part);
  EXPECT_TRUE(part.value().has(Oddity::partial));
}

TEST(JPEGBaseline, a_bomb_of_scans_is_refused) {
  Blob coded = jpeg(8);
  std::size_t at = 2;
  while (std::to_integer<unsigned>(coded[at + 1]) != 0xDA) at += 2 + load_be<std::uint16_t>(coded.data() + at + 2);
  const Blob scan(coded.begin() + static_cast<std::ptrdiff_t>(at), coded.end() - 2);
  Blob bomb(coded.begin(), coded.end() - 2);
  for (int i = 0; i < 600; ++i) bomb.insert(bomb.end(), scan.begin(), scan.end());
  EXPECT_EQ(decode_frame(syntax(uids::kJPEGBaseline), colour(8, 8, "YBR_FULL"), bomb).error(), Errc::limit_exceeded);
}

TEST(JPEGExotic, arithmetic_coding_is_refused_by_name) {
  Blob coded = jpeg(8);
  for (std::size_t i = 0; i + 1 < coded.size(); ++i) {
    if (coded[i] == std::byte{0xFF} && coded[i + 1] == std::byte{0xC0}) coded[i + 1] = std::byte{0xC9};
  }
  EXPECT_EQ(decode_frame(syntax(uids::kJPEGBaseline), colour(8, 8, "YBR_FULL"), coded).error(), Errc::unsupported);
}

// ---- JPEG-LS ----

TEST(JPEGLS, every_precision_mono_and_colour) {
  for (int precision = 2; precision <= 16; ++precision) {
    for (const int components : {1, 3}) {
      SCOPED_TRACE(testing::Message() << precision << " bits, " << components << " components");
      PixelFormat f = grey(9, 11, precision > 8 ? 16 : 8, static_cast<unsigned>(precision));
      f.samples_per_pixel = static_cast<std::uint16_t>(components);
      if (components == 3) f.photometric = "RGB";
      const Samples s = noise(static_cast<std::size_t>(99 * components), 0, (1 << precision) - 1);
      const auto frame =
          decode_frame(syntax(uids::kJPEGLSLossless), f, test::encode_jpeg_ls(s, 9, 11, components, precision));
      ASSERT_DECODED(frame);
      EXPECT_EQ(frame.value().samples, little_endian(s, precision > 8 ? 2 : 1));
      EXPECT_FALSE(frame.value().lossy);
    }
  }
}

TEST(JPEGLS, near_lossless_is_told_from_the_stream_not_the_syntax) {
  const Samples s = noise(64, 0, 255);
  const auto exact =
      decode_frame(syntax(uids::kJPEGLSNearLossless), grey(8, 8, 8, 8), test::encode_jpeg_ls(s, 8, 8, 1, 8, 0));
  ASSERT_DECODED(exact);
  EXPECT_FALSE(exact.value().lossy);
  const auto near =
      decode_frame(syntax(uids::kJPEGLSNearLossless), grey(8, 8, 8, 8), test::encode_jpeg_ls(s, 8, 8, 1, 8, 3));
  ASSERT_DECODED(near);
  EXPECT_TRUE(near.value().lossy);
  for (std::size_t i = 0; i < s.size(); ++i)
    EXPECT_LE(std::abs(std::to_integer<int>(near.value().samples[i]) - s[i]), 3);
}

TEST(JPEGLS, stray_zero_before_the_end_marker_is_taken_out) {
  const Samples s = noise(64, 0, 4095);
  Blob coded = test::encode_jpeg_ls(s, 8, 8, 1, 12);
  coded.insert(coded.end() - 2, std::byte{0});
  const auto frame = decode_frame(syntax(uids::kJPEGLSLossless), grey(8, 8, 16, 12), coded);
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, little_endian(s, 2));
}

TEST(JPEGLS, odd_stream_padded_by_zero_or_without_end_marker_decodes) {
  const Samples s = noise(64, 0, 255);
  Blob coded = test::encode_jpeg_ls(s, 8, 8, 1, 8);
  coded.push_back(std::byte{0});
  EXPECT_TRUE(decode_frame(syntax(uids::kJPEGLSLossless), grey(8, 8, 8, 8), coded).has_value());
  coded.resize(coded.size() - 3);
  const auto frame = decode_frame(syntax(uids::kJPEGLSLossless), grey(8, 8, 8, 8), coded);
  ASSERT_DECODED(frame);
  EXPECT_TRUE(frame.value().has(Oddity::end_marker_missing));
  EXPECT_EQ(frame.value().samples, little_endian(s, 1));
}

TEST(JPEGLS, sign_is_extended_from_the_stream_precision) {
  const auto frame = decode_frame(syntax(uids::kJPEGLSLossless), grey(1, 2, 16, 12, true),
                                  test::encode_jpeg_ls({0x801, 0x7FF}, 1, 2, 1, 12));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, blob({0x01, 0xF8, 0xFF, 0x07}));
}

TEST(JPEGLS, announced_extent_is_checked_before_the_decoder_allocates) {
  Blob coded = test::encode_jpeg_ls(noise(64, 0, 255), 8, 8, 1, 8);
  for (std::size_t i = 0; i + 1 < coded.size(); ++i) {
    if (coded[i] != std::byte{0xFF} || coded[i + 1] != std::byte{0xF7}) continue;
    store_be<std::uint16_t>(coded.data() + i + 5, 60000);
    break;
  }
  EXPECT_EQ(decode_frame(syntax(uids::kJPEGLSLossless), grey(8, 8, 8, 8), coded).error(), Errc::mismatch);
}

// ---- JPEG 2000 ----

TEST(JPEG2000, precision_and_sign_mono) {
  for (const unsigned precision : {1u, 4u, 8u, 10u, 12u, 15u, 16u}) {
    for (const bool is_signed : {false, true}) {
      if (precision == 1 && is_signed) continue;
      SCOPED_TRACE(testing::Message() << precision << (is_signed ? " signed" : " unsigned"));
      const std::int32_t low = is_signed ? -(1 << (precision - 1)) : 0;
      const std::int32_t high = low + (1 << precision) - 1;
      const Samples s = noise(30 * 20, low, high);
      const J2KOptions o{.rows = 30, .columns = 20, .precision = precision, .is_signed = is_signed};
      const auto frame =
          decode_frame(syntax(uids::kJPEG2000Lossless), grey(30, 20, precision > 8 ? 16 : 8, precision, is_signed),
                       test::encode_j2k(o, s));
      ASSERT_DECODED(frame);
      EXPECT_EQ(frame.value().samples, little_endian(s, precision > 8 ? 2 : 1));
      EXPECT_FALSE(frame.value().lossy);
      EXPECT_EQ(frame.value().oddities, 0u);
    }
  }
}

TEST(JPEG2000, the_data_set_decides_the_sign) {
  // The stream says unsigned 12 bits, the data set signed: the pattern is two's complement.
  const J2KOptions o{.rows = 1, .columns = 4, .precision = 12, .levels = 0};
  const auto frame = decode_frame(syntax(uids::kJPEG2000Lossless), grey(1, 4, 16, 12, true),
                                  test::encode_j2k(o, {0xFFF, 0x800, 0x7FF, 0}));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, little_endian({-1, -2048, 2047, 0}, 2));
  EXPECT_TRUE(frame.value().has(Oddity::sign_differs));
  // And the other way round.
  const J2KOptions back{.rows = 1, .columns = 4, .precision = 12, .is_signed = true, .levels = 0};
  const auto other =
      decode_frame(syntax(uids::kJPEG2000Lossless), grey(1, 4, 16, 12), test::encode_j2k(back, {-1, -2048, 2047, 0}));
  ASSERT_DECODED(other);
  EXPECT_EQ(other.value().samples, little_endian({0xFFF, 0x800, 0x7FF, 0}, 2));
}

TEST(JPEG2000, eight_bits_in_sixteen_allocated_are_widened) {
  const Samples s = noise(64, 0, 255);
  const J2KOptions o{.rows = 8, .columns = 8, .precision = 8};
  const auto frame = decode_frame(syntax(uids::kJPEG2000Lossless), grey(8, 8, 16, 8), test::encode_j2k(o, s));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, little_endian(s, 2));
}

TEST(JPEG2000, boxes_around_the_codestream_are_told) {
  const Samples s = noise(64, 0, 255);
  const J2KOptions o{.rows = 8, .columns = 8, .jp2 = true};
  const auto frame = decode_frame(syntax(uids::kJPEG2000Lossless), grey(8, 8, 8, 8), test::encode_j2k(o, s));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().samples, little_endian(s, 1));
  EXPECT_TRUE(frame.value().has(Oddity::jp2_boxes));
}

TEST(JPEG2000, transform_flag_and_tag_together_say_the_colour) {
  struct Case {
    bool transform;
    const char* tag;
    const char* expected;
    bool odd;
  };
  const Samples s = noise(64 * 3, 0, 255);
  for (const Case& c : {Case{true, "YBR_RCT", "RGB", false}, Case{true, "RGB", "RGB", false},
                        Case{true, "YBR_FULL", "RGB", true}, Case{false, "RGB", "RGB", false},
                        Case{false, "YBR_FULL", "YBR_FULL", false}, Case{false, "YBR_RCT", "RGB", false}}) {
    SCOPED_TRACE(testing::Message() << c.transform << " " << c.tag);
    const J2KOptions o{.rows = 8, .columns = 8, .components = 3, .transform = c.transform};
    const auto frame = decode_frame(syntax(uids::kJPEG2000Lossless), colour(8, 8, c.tag), test::encode_j2k(o, s));
    ASSERT_DECODED(frame);
    EXPECT_EQ(frame.value().photometric, c.expected);
    EXPECT_EQ(frame.value().has(Oddity::photometric_differs), c.odd);
    EXPECT_EQ(frame.value().samples, little_endian(s, 1))
        << "the transform is undone, planar configuration plays no part";
  }
}

TEST(JPEG2000, subsampled_chrominance_is_repeated) {
  const J2KOptions o{.rows = 4, .columns = 5, .components = 3, .levels = 1, .chroma_dx = 2};
  const Samples s = noise(60, 0, 255);
  const auto frame = decode_frame(syntax(uids::kJPEG2000), colour(4, 5, "YBR_FULL_422"), test::encode_j2k(o, s));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().photometric, "YBR_FULL");
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(std::to_integer<int>(frame.value().samples[i * 3]), s[i * 3]);
    const std::size_t even = i / 5 * 5 + i % 5 / 2 * 2;
    EXPECT_EQ(std::to_integer<int>(frame.value().samples[i * 3 + 1]), s[even * 3 + 1]);
  }
}

TEST(JPEG2000, absent_end_marker_is_told_and_truncation_is_an_error) {
  const Samples s = noise(64 * 64, 0, 4095);
  const J2KOptions o{.rows = 64, .columns = 64, .precision = 12};
  Blob coded = test::encode_j2k(o, s);
  coded.resize(coded.size() - 2);
  const auto whole = decode_frame(syntax(uids::kJPEG2000Lossless), grey(64, 64, 16, 12), coded);
  ASSERT_DECODED(whole);
  EXPECT_EQ(whole.value().samples, little_endian(s, 2));
  coded.resize(coded.size() / 2);
  EXPECT_EQ(decode_frame(syntax(uids::kJPEG2000Lossless), grey(64, 64, 16, 12), coded).error(), Errc::truncated);
  const auto part =
      decode_frame(syntax(uids::kJPEG2000Lossless), grey(64, 64, 16, 12), coded, {.limits = {}, .allow_partial = true});
  ASSERT_DECODED(part);
  EXPECT_TRUE(part.value().has(Oddity::partial));
}

TEST(JPEG2000, tiles_and_precincts_that_would_eat_memory_are_refused) {
  const J2KOptions o{.rows = 512, .columns = 512, .precision = 8};
  Blob coded = test::encode_j2k(o, noise(512 * 512, 0, 255));
  store_be<std::uint32_t>(coded.data() + 6 + 18, 1);  // XTsiz
  store_be<std::uint32_t>(coded.data() + 6 + 22, 1);  // YTsiz
  EXPECT_EQ(decode_frame(syntax(uids::kJPEG2000Lossless), grey(512, 512, 8, 8), coded).error(), Errc::limit_exceeded);
}

// ---- HTJ2K ----

constexpr std::array<std::byte, 4> kSOT{std::byte{0xFF}, std::byte{0x90}, std::byte{0}, std::byte{10}};

TEST(HTJ2K, every_small_extent_and_level_gives_back_the_samples) {
  warm_up();
  std::size_t checked = 0;
  for (std::uint32_t rows = 1; rows <= 20; rows += rows < 6 ? 1 : 7) {
    for (std::uint32_t columns = 1; columns <= 40; columns += columns < 10 ? 1 : 9) {
      for (unsigned levels = 0; levels <= 6; ++levels) {
        const unsigned precision = 1 + (rows * 7 + columns * 3 + levels) % 16;
        SCOPED_TRACE(testing::Message() << rows << "x" << columns << " levels " << levels << " precision "
                                        << precision);
        const Samples s = noise(std::size_t{rows} * columns, 0, (1 << precision) - 1, rows * 100 + columns);
        const J2KOptions o{.rows = rows, .columns = columns, .precision = precision, .levels = levels};
        const auto frame =
            decode_frame(syntax(uids::kHTJ2KLossless), grey(rows, columns, precision > 8 ? 16 : 8, precision),
                         test::encode_htj2k(o, s));
        ASSERT_DECODED(frame);
        ASSERT_EQ(frame.value().samples, little_endian(s, precision > 8 ? 2 : 1));
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 500u);
}

TEST(HTJ2K, one_bad_frame_fails_alone_and_is_never_silently_short) {
  const Samples s = noise(64 * 64, 0, 4095);
  Blob coded = test::encode_htj2k({.rows = 64, .columns = 64, .precision = 12, .levels = 2}, s);
  // A tile-part that claims less than there is leaves bytes where EOC should be.
  const auto sot = std::search(coded.begin(), coded.end(), kSOT.begin(), kSOT.end()) - coded.begin();
  store_be<std::uint32_t>(coded.data() + sot + 6, 100);
  EXPECT_TRUE(decode_frame(syntax(uids::kHTJ2KLossless), grey(64, 64, 16, 12), coded).has_error());
}

TEST(HTJ2K, colour_transform_is_undone_and_told) {
  const Samples s = noise(32 * 32 * 3, 0, 255);
  const J2KOptions o{.rows = 32, .columns = 32, .components = 3, .transform = true};
  const auto frame =
      decode_frame(syntax(uids::kHTJ2KLosslessRPCL), colour(32, 32, "YBR_RCT"), test::encode_htj2k(o, s));
  ASSERT_DECODED(frame);
  EXPECT_EQ(frame.value().photometric, "RGB");
  EXPECT_EQ(frame.value().samples, little_endian(s, 1));
}

TEST(HTJ2K, every_truncation_fails_cleanly) {
  const Samples s = noise(40 * 40, 0, 4095);
  const J2KOptions o{.rows = 40, .columns = 40, .precision = 12};
  const Blob coded = test::encode_htj2k(o, s);
  for (std::size_t n = 0; n + 2 < coded.size(); n += 1 + n / 40) {
    const auto frame = decode_frame(syntax(uids::kHTJ2KLossless), grey(40, 40, 16, 12), Bytes(coded).first(n));
    EXPECT_TRUE(frame.has_error()) << n;
  }
}

// ---- all ----

TEST(Decode, syntaxes_that_cannot_be_decoded_say_so) {
  for (const TransferSyntax& row : transfer_syntaxes()) {
    if (row.decodable) continue;
    const auto frame = decode_frame(row, grey(2, 2, 8, 8), Blob(64));
    ASSERT_TRUE(frame.has_error()) << row.uid;
    EXPECT_EQ(frame.error(), Errc::unsupported) << row.uid;
  }
}

TEST(Decode, noise_never_decodes_past_its_bounds) {
  std::mt19937 random(11);
  for (const TransferSyntax& row : transfer_syntaxes()) {
    for (int round = 0; round < 50; ++round) {
      Blob coded(random() % 300);
      for (auto& b : coded) b = static_cast<std::byte>(random());
      const auto frame = decode_frame(row, grey(8, 8, 16, 12), coded);
      if (frame.has_value()) EXPECT_EQ(frame.value().samples.size(), 128u);
    }
  }
}

TEST(MalformedFiles, that_hold_pixels_decode_or_fail_by_name) {
  const auto dir = test::data_dir() / "malformed";
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << "no test data in " << dir << " (DICOM_TEST_DATA_DIR)";
  const auto decode_first = [&](const char* file, std::uint64_t frame, test::Dataset& d) -> Result<Frame> {
    d = test::read_dataset(dir / file);
    const TransferSyntax& ts = syntax(d.syntax_uid);
    SpanSource source(d.bytes);
    CAIRN_TRY(const auto index, FrameIndex::build(source, d.pixels, ts, d.format));
    CAIRN_TRY(const auto coded, index.read(source, frame));
    return decode_frame(ts, d.format, coded);
  };
  test::Dataset d;
  const auto boxes = decode_first("GDCMJ2K_TextGBR.dcm", 0, d);
  ASSERT_DECODED(boxes);
  EXPECT_TRUE(boxes.value().has(Oddity::jp2_boxes));
  EXPECT_EQ(boxes.value().photometric, "RGB");
  const auto sign = decode_first("J2K_pixelrep_mismatch.dcm", 0, d);
  ASSERT_DECODED(sign);
  EXPECT_TRUE(sign.value().has(Oddity::sign_differs));
  EXPECT_TRUE(decode_first("D_CLUNIE_CT1_RLE_FRAGS.dcm", 0, d).has_value());
  const auto broken = decode_first("JPEG2000-embedded-sequence-delimiter.dcm", 0, d);  // the bytes lie in SIZ itself
  ASSERT_TRUE(broken.has_error());
  EXPECT_EQ(broken.error(), Errc::mismatch);
  EXPECT_TRUE(decode_first("MR_small_padded.dcm", 0, d).has_value());
  const auto cut = decode_first("MR_truncated.dcm", 0, d);
  ASSERT_TRUE(cut.has_error());
  EXPECT_EQ(cut.error(), Errc::truncated);
  // Ends inside the padding of its last fragment: all frames are there.
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(decode_first("emri_small_jpeg_2k_lossless_too_short.dcm", i, d).has_value()) << i;
  }
}

}  // namespace
}  // namespace cairn::codec
