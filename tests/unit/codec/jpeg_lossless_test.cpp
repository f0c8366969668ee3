#include <random>

#include <gtest/gtest.h>

#include "codec/decode.h"
#include "jpeg_writer.h"

namespace cairn::codec {
namespace {

const TransferSyntax& kLossless = *find_transfer_syntax(uids::kJPEGLossless);

PixelFormat format_of(const test::LosslessOptions& o, bool is_signed = false) {
  PixelFormat f;
  f.rows = o.rows;
  f.columns = o.columns;
  f.samples_per_pixel = static_cast<std::uint16_t>(o.components);
  f.bits_allocated = o.precision > 8 ? 16 : 8;
  f.bits_stored = static_cast<std::uint16_t>(o.precision);
  f.high_bit = static_cast<std::uint16_t>(o.precision - 1);
  f.is_signed = is_signed;
  f.photometric = o.components == 3 ? "RGB" : "MONOCHROME2";
  return f;
}

std::vector<std::uint16_t> noise(const test::LosslessOptions& o, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint16_t> s(std::size_t{o.rows} * o.columns * o.components);
  for (auto& v : s) v = static_cast<std::uint16_t>(random() & ((1u << o.precision) - 1));
  // Extremes side by side: differences past half of the range.
  for (std::size_t i = 0; i + 1 < s.size(); i += 7) {
    s[i] = 0;
    s[i + 1] = static_cast<std::uint16_t>((1u << o.precision) - 1);
  }
  return s;
}

void expect_samples(const Frame& frame, const std::vector<std::uint16_t>& samples) {
  const unsigned width = frame.bits_allocated / 8u;
  ASSERT_EQ(frame.samples.size(), samples.size() * width);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const unsigned v =
        width == 1 ? std::to_integer<unsigned>(frame.samples[i]) : load_le<std::uint16_t>(frame.samples.data() + i * 2);
    ASSERT_EQ(v, samples[i]) << "sample " << i;
  }
}

TEST(JPEGLossless, every_predictor_and_precision_gives_back_the_samples) {
  for (unsigned precision = 2; precision <= 16; ++precision) {
    for (unsigned predictor = 1; predictor <= 7; ++predictor) {
      SCOPED_TRACE(testing::Message() << "precision " << precision << " predictor " << predictor);
      test::LosslessOptions o{.rows = 13, .columns = 17, .precision = precision, .predictor = predictor};
      o.tables_first = predictor % 2 == 0;
      const auto samples = noise(o, precision * 8 + predictor);
      const auto frame = decode_frame(kLossless, format_of(o), test::write_jpeg_lossless(o, samples));
      ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
      EXPECT_FALSE(frame.value().lossy);
      expect_samples(frame.value(), samples);
    }
  }
}

TEST(JPEGLossless, prediction_starts_anew_at_restart_markers) {
  for (const unsigned rows_between : {1u, 3u, 4u}) {
    test::LosslessOptions o{.rows = 40, .columns = 9, .precision = 12, .predictor = 4, .restart_rows = rows_between};
    const auto samples = noise(o, rows_between);
    const auto frame = decode_frame(kLossless, format_of(o), test::write_jpeg_lossless(o, samples));
    ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
    expect_samples(frame.value(), samples);
  }
}

TEST(JPEGLossless, components_in_one_scan_or_in_three) {
  for (const bool interleaved : {true, false}) {
    test::LosslessOptions o{.rows = 6, .columns = 11, .components = 3, .precision = 8, .predictor = 7};
    o.interleaved = interleaved;
    const auto samples = noise(o, 3);
    PixelFormat format = format_of(o);
    format.photometric = "YBR_FULL_422";  // a wrong tag that is known: no transform exists in process 14
    const auto frame = decode_frame(kLossless, format, test::write_jpeg_lossless(o, samples));
    ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
    expect_samples(frame.value(), samples);
    EXPECT_TRUE(frame.value().has(Oddity::not_subsampled));
    EXPECT_EQ(frame.value().photometric, "YBR_FULL");
  }
}

TEST(JPEGLossless, differences_that_wrap_at_the_precision_are_undone) {
  test::LosslessOptions o{.rows = 16, .columns = 16, .precision = 12, .predictor = 1};
  o.wrap_at_precision = true;
  const auto samples = noise(o, 5);
  const auto frame = decode_frame(kLossless, format_of(o), test::write_jpeg_lossless(o, samples));
  ASSERT_TRUE(frame.has_value());
  expect_samples(frame.value(), samples);
}

TEST(JPEGLossless, point_transform_is_lossy_and_scaled_back) {
  test::LosslessOptions o{.rows = 8, .columns = 8, .precision = 10, .predictor = 2, .point_transform = 3};
  auto samples = noise(o, 6);
  const auto frame = decode_frame(kLossless, format_of(o), test::write_jpeg_lossless(o, samples));
  ASSERT_TRUE(frame.has_value());
  for (auto& v : samples) v = static_cast<std::uint16_t>(v >> 3 << 3);
  expect_samples(frame.value(), samples);
  EXPECT_TRUE(frame.value().lossy);
}

TEST(JPEGLossless, table_of_the_Cornell_encoder_is_tolerated_and_told) {
  test::LosslessOptions o{.rows = 8, .columns = 8, .precision = 16, .predictor = 1};
  o.cornell_table = true;
  const auto samples = noise(o, 7);
  const auto coded = test::write_jpeg_lossless(o, samples);
  const auto frame = decode_frame(kLossless, format_of(o), coded);
  ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
  expect_samples(frame.value(), samples);
  EXPECT_TRUE(frame.value().has(Oddity::huffman_table_overflow));
}

TEST(JPEGLossless, eight_bit_stream_in_sixteen_allocated_is_widened) {
  test::LosslessOptions o{.rows = 5, .columns = 5, .precision = 8};
  const auto samples = noise(o, 8);
  PixelFormat format = format_of(o);
  format.bits_allocated = 16;
  const auto frame = decode_frame(kLossless, format, test::write_jpeg_lossless(o, samples));
  ASSERT_TRUE(frame.has_value());
  expect_samples(frame.value(), samples);
}

TEST(JPEGLossless, signed_samples_are_extended_from_the_stream_precision) {
  test::LosslessOptions o{.rows = 1, .columns = 3, .precision = 12};
  const std::vector<std::uint16_t> samples{0x800, 0xFFF, 0x7FF};
  const auto frame = decode_frame(kLossless, format_of(o, true), test::write_jpeg_lossless(o, samples));
  ASSERT_TRUE(frame.has_value());
  expect_samples(frame.value(), {0xF800, 0xFFFF, 0x07FF});
}

TEST(JPEGLossless, absent_end_marker_is_told_and_padding_is_no_matter) {
  test::LosslessOptions o{.rows = 4, .columns = 4};
  o.end_marker = false;
  const auto samples = noise(o, 9);
  auto coded = test::write_jpeg_lossless(o, samples);
  const auto frame = decode_frame(kLossless, format_of(o), coded);
  ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
  EXPECT_TRUE(frame.value().has(Oddity::end_marker_missing));
  o.end_marker = true;
  coded = test::write_jpeg_lossless(o, samples);
  coded.insert(coded.end(), {std::byte{0}, std::byte{0xFF}, std::byte{0}});
  EXPECT_TRUE(decode_frame(kLossless, format_of(o), coded).has_value());
}

TEST(JPEGLossless, every_truncation_fails_cleanly) {
  test::LosslessOptions o{.rows = 12, .columns = 12, .precision = 12, .predictor = 5};
  o.end_marker = false;
  const auto samples = noise(o, 10);
  const auto coded = test::write_jpeg_lossless(o, samples);
  for (std::size_t n = 0; n + 1 < coded.size(); ++n) {
    EXPECT_TRUE(decode_frame(kLossless, format_of(o), Bytes(coded).first(n)).has_error()) << n;
  }
}

TEST(JPEGLossless, extent_that_differs_from_the_data_set_is_refused) {
  test::LosslessOptions o{.rows = 4, .columns = 4};
  const auto coded = test::write_jpeg_lossless(o, noise(o, 11));
  PixelFormat format = format_of(o);
  format.rows = 5;
  const auto frame = decode_frame(kLossless, format, coded);
  ASSERT_TRUE(frame.has_error());
  EXPECT_EQ(frame.error(), Errc::mismatch);
}

TEST(JPEGLossless, tiny_stream_cannot_announce_a_large_image) {
  test::LosslessOptions o{.rows = 4, .columns = 4};
  auto coded = test::write_jpeg_lossless(o, noise(o, 12));
  // SOF3 follows SOI: rows at 7, columns at 9.
  store_be<std::uint16_t>(coded.data() + 7, 20000);
  store_be<std::uint16_t>(coded.data() + 9, 20000);
  PixelFormat format = format_of(o);
  format.rows = format.columns = 20000;
  const auto frame = decode_frame(kLossless, format, coded);
  ASSERT_TRUE(frame.has_error());
  EXPECT_EQ(frame.error(), Errc::truncated);
}

TEST(JPEGMarkers, stand_alone_markers_do_not_hold_the_parser) {
  std::vector<std::byte> coded{std::byte{0xFF}, std::byte{0xD8}};
  for (int i = 0; i < 10000; ++i) coded.insert(coded.end(), {std::byte{0xFF}, std::byte{0x01}});  // TEM
  PixelFormat format = format_of({.rows = 1, .columns = 1});
  EXPECT_TRUE(decode_frame(kLossless, format, coded).has_error());
}

}  // namespace
}  // namespace cairn::codec
