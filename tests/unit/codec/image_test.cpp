#include "codec/image.h"

#include <random>

#include <gtest/gtest.h>
#include <png.h>

#include "codec/decode.h"

namespace cairn::codec {
namespace {

/// Decodes with libpng's simplified interface.
std::vector<std::uint8_t> read_png8(Bytes coded, png_uint_32 format, std::uint32_t& rows, std::uint32_t& columns) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, coded.data(), coded.size()) == 0) return {};
  image.format = format;
  rows = image.height;
  columns = image.width;
  std::vector<std::uint8_t> out(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, out.data(), 0, nullptr) == 0) return {};
  return out;
}

std::vector<std::uint8_t> noise(std::size_t count) {
  std::mt19937 random(2);
  std::vector<std::uint8_t> v(count);
  for (auto& x : v) x = static_cast<std::uint8_t>(random());
  return v;
}

TEST(PNG, grey_and_colour_come_back_exactly_at_every_level) {
  for (const int level : {0, 1, 6, 9}) {
    for (const std::uint32_t channels : {1u, 3u}) {
      const auto samples = noise(std::size_t{7} * 5 * channels);
      const auto png = encode_png(Plane8{7, 5, channels, samples}, level);
      ASSERT_TRUE(png.has_value());
      std::uint32_t rows = 0;
      std::uint32_t columns = 0;
      EXPECT_EQ(read_png8(png.value(), channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB, rows, columns), samples);
      EXPECT_EQ(rows, 7u);
      EXPECT_EQ(columns, 5u);
    }
  }
}

TEST(PNG, sixteen_bit_grey_is_big_endian_inside) {
  const std::vector<std::uint16_t> samples{0x0102, 0xFFEE, 0, 0x8000};
  const auto png = encode_png(Plane16{2, 2, samples}, 0);
  ASSERT_TRUE(png.has_value());
  // Level 0 stores: the row appears as it is, after its filter byte.
  const std::vector<std::byte> row{std::byte{0}, std::byte{1}, std::byte{2}, std::byte{0xFF}, std::byte{0xEE}};
  EXPECT_NE(std::search(png.value().begin(), png.value().end(), row.begin(), row.end()), png.value().end());
}

TEST(PNG, wrong_sizes_are_refused) {
  const auto samples = noise(12);
  EXPECT_EQ(encode_png(Plane8{2, 2, 2, samples}).error(), Errc::unsupported);
  EXPECT_EQ(encode_png(Plane8{2, 3, 3, samples}).error(), Errc::mismatch);
  EXPECT_EQ(encode_png(Plane8{0, 3, 1, {}}).error(), Errc::limit_exceeded);
}

TEST(JPEG, a_smooth_plane_survives_and_chroma_may_be_halved) {
  std::vector<std::uint8_t> samples;
  for (unsigned r = 0; r < 32; ++r) {
    for (unsigned c = 0; c < 32; ++c)
      samples.insert(samples.end(), {static_cast<std::uint8_t>(r * 4), static_cast<std::uint8_t>(c * 4), 90});
  }
  std::vector<std::size_t> sizes;
  for (const Chroma chroma : {Chroma::full_444, Chroma::half_420}) {
    const auto jpeg = encode_jpeg(Plane8{32, 32, 3, samples}, 95, chroma);
    ASSERT_TRUE(jpeg.has_value());
    sizes.push_back(jpeg.value().size());
    PixelFormat format;
    format.rows = format.columns = 32;
    format.samples_per_pixel = 3;
    format.bits_allocated = format.bits_stored = 8;
    format.photometric = "YBR_FULL";
    const auto frame = decode_frame(*find_transfer_syntax(uids::kJPEGBaseline), format, jpeg.value());
    ASSERT_TRUE(frame.has_value());
    for (std::size_t i = 0; i < samples.size(); i += 3) {
      const double luma = 0.299 * samples[i] + 0.587 * samples[i + 1] + 0.114 * samples[i + 2];
      ASSERT_NEAR(std::to_integer<int>(frame.value().samples[i]), luma, 6);
    }
  }
  EXPECT_LT(sizes[1], sizes[0]);
}

TEST(JPEG, wrong_parameters_are_refused) {
  const auto samples = noise(12);
  EXPECT_EQ(encode_jpeg(Plane8{2, 2, 3, samples}, 0).error(), Errc::malformed);
  EXPECT_EQ(encode_jpeg(Plane8{2, 2, 3, samples}, 101).error(), Errc::malformed);
  EXPECT_EQ(encode_jpeg(Plane8{2, 2, 1, samples}, 90).error(), Errc::mismatch);
  EXPECT_EQ(encode_jpeg(Plane8{70000, 1, 1, samples}, 90).error(), Errc::limit_exceeded);
}

}  // namespace
}  // namespace cairn::codec
