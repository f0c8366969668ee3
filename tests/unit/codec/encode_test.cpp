// encode_frame(): what is coded decodes to the same bits, in every syntax, size, depth and sign; and the attributes of
// the coded object say what is in its frames.
#include "codec/encode.h"

#include <gtest/gtest.h>

#include "codec/frame_index.h"
#include "codec/j2k_header.h"
#include "codec/native_joiner.h"
#include "frames.h"
#include "jpeg_ls_encoder.h"

namespace cairn::codec {
namespace {

using test::Content;

constexpr std::pair<std::uint32_t, std::uint32_t> kExtents[] = {
    {1, 1}, {1, 2}, {2, 1}, {1, 37}, {41, 1}, {2, 2}, {3, 5}, {17, 13}, {31, 8}, {64, 64}, {65, 33}, {5, 300}};

EncodeOptions unverified() {
  EncodeOptions o;
  o.verify = false;
  return o;
}

std::vector<const TransferSyntax*> lossless_syntaxes() {
  std::vector<const TransferSyntax*> out;
  for (const TransferSyntax& t : transfer_syntaxes()) {
    if (t.encodable && t.fidelity != Fidelity::lossy) out.push_back(&t);
  }
  return out;
}

EncodeOptions lossless_options() {
  EncodeOptions o = unverified();
  o.near_lossless = 0;
  o.jpeg2000_ratio = 1;
  return o;
}

/// The frame comes back bit for bit through decode_frame() with the planned attributes.
void expect_exact(const TransferSyntax& syntax, const PixelFormat& format, Content content) {
  SCOPED_TRACE(testing::Message() << syntax.name << ' ' << format.columns << 'x' << format.rows << ", "
                                  << format.bits_stored << " in " << format.bits_allocated << " bits, "
                                  << (format.is_signed ? "signed " : "") << format.samples_per_pixel
                                  << " samples, content " << static_cast<int>(content));
  const auto plan = plan_encoding(syntax, format, lossless_options());
  ASSERT_TRUE(plan.has_value()) << to_string(plan.error());
  EXPECT_FALSE(plan.value().lossy);
  EXPECT_EQ(plan.value().lossy_method, "");
  const auto samples = test::frame_of(format, content, format.rows * 31 + format.columns);
  const auto coded = encode_frame(plan.value(), samples);
  ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
  if (syntax.encapsulated) EXPECT_EQ(coded.value().bytes.size() % 2, 0u);
  EXPECT_LE(coded.value().coded_bytes, coded.value().bytes.size());
  EXPECT_GE(coded.value().coded_bytes + 1, coded.value().bytes.size());
  const auto frame = decode_frame(syntax, plan.value().format, coded.value().bytes);
  ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
  EXPECT_EQ(frame.value().photometric, format.photometric);
  EXPECT_FALSE(frame.value().lossy);
  EXPECT_FALSE(frame.value().has(Oddity::photometric_differs));
  EXPECT_FALSE(frame.value().has(Oddity::end_marker_missing));
  ASSERT_TRUE(frame.value().samples == samples);
}

TEST(Encode, every_lossless_syntax_gives_back_every_grey_frame) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    for (const auto& [rows, columns] : kExtents) {
      for (const unsigned stored : {1u, 2u, 7u, 8u, 10u, 12u, 15u, 16u}) {
        for (const bool is_signed : {false, true}) {
          if (is_signed && stored == 1) continue;
          for (const Content content : test::kContents)
            expect_exact(*syntax, test::format_of(rows, columns, stored, is_signed), content);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Encode, every_lossless_syntax_gives_back_every_colour_frame) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    for (const auto& [rows, columns] : kExtents) {
      for (const char* photometric : {"RGB", "YBR_FULL"}) {
        for (const unsigned stored : {8u, 16u}) {
          PixelFormat format = test::format_of(rows, columns, stored, false, 3);
          format.photometric = photometric;
          for (const Content content : test::kContents) expect_exact(*syntax, format, content);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Encode, samples_narrower_than_a_byte_in_sixteen_bits) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    for (const unsigned stored : {1u, 6u, 8u}) {
      for (const bool is_signed : {false, true}) {
        if (is_signed && stored == 1) continue;
        PixelFormat format = test::format_of(20, 21, stored, is_signed);
        format.bits_allocated = 16;
        expect_exact(*syntax, format, Content::noise);
      }
    }
  }
}

TEST(Encode, bits_above_the_stored_ones_are_kept) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    for (const bool is_signed : {false, true}) {
      SCOPED_TRACE(syntax->name);
      PixelFormat format = test::format_of(24, 25, 12, is_signed);
      auto samples = test::frame_of(format, Content::noise);
      for (std::size_t i = 1; i < samples.size(); i += 6) samples[i] ^= std::byte{0x50};  // an overlay, say
      const auto plan = plan_encoding(*syntax, format, lossless_options());
      ASSERT_TRUE(plan.has_value()) << to_string(plan.error());
      const auto coded = encode_frame(plan.value(), samples);
      ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
      const auto frame = decode_frame(*syntax, plan.value().format, coded.value().bytes);
      ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
      EXPECT_TRUE(frame.value().samples == samples);
    }
  }
}

TEST(Encode, one_bit_frames_where_the_coding_has_them) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    const auto plan = plan_encoding(*syntax, test::bits_format(9, 11), lossless_options());
    const bool has_bits = syntax->coding == Coding::native || syntax->coding == Coding::uncompressed ||
                          syntax->coding == Coding::deflated_frame || syntax->coding == Coding::rle;
    if (!has_bits) {
      ASSERT_FALSE(plan.has_value()) << syntax->name;
      EXPECT_EQ(plan.error(), Errc::unsupported);
      continue;
    }
    for (const auto& [rows, columns] : kExtents) {
      for (const Content content : test::kContents) expect_exact(*syntax, test::bits_format(rows, columns), content);
    }
    auto samples = test::frame_of(test::bits_format(9, 11), Content::noise);
    samples[5] = std::byte{2};
    const auto refused = encode_frame(plan.value(), samples);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), Errc::mismatch);
  }
}

TEST(Encode, signed_single_bits_are_refused) {
  PixelFormat format = test::bits_format(9, 11);
  format.is_signed = true;
  EXPECT_FALSE(plan_encoding(*find_transfer_syntax(uids::kRLELossless), format).has_value());
}

TEST(Encode, wide_samples_where_the_coding_has_them) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    PixelFormat format = test::format_of(6, 7, 32);
    format.bits_allocated = 32;
    const auto plan = plan_encoding(*syntax, format, lossless_options());
    if (syntax->coding == Coding::native || syntax->coding == Coding::uncompressed ||
        syntax->coding == Coding::deflated_frame || syntax->coding == Coding::rle) {
      expect_exact(*syntax, format, Content::noise);
    } else {
      ASSERT_FALSE(plan.has_value()) << syntax->name;
      EXPECT_EQ(plan.error(), Errc::unsupported);
    }
    format.kind = SampleKind::floating;
    EXPECT_EQ(plan_encoding(*syntax, format, lossless_options()).has_value(), !syntax->encapsulated) << syntax->name;
  }
}

TEST(Encode, a_verified_frame_is_the_same_as_an_unverified_one) {
  for (const TransferSyntax* syntax : lossless_syntaxes()) {
    const PixelFormat format = test::format_of(40, 50, 12);
    const auto samples = test::frame_of(format, Content::photo);
    EncodeOptions options = lossless_options();
    const auto quick = encode_frame(plan_encoding(*syntax, format, options).value(), samples);
    options.verify = true;
    const auto checked = encode_frame(plan_encoding(*syntax, format, options).value(), samples);
    ASSERT_TRUE(checked.has_value()) << syntax->name << ": " << to_string(checked.error());
    EXPECT_TRUE(quick.value().bytes == checked.value().bytes) << syntax->name;
  }
}

TEST(Encode, verifying_finds_samples_that_the_plan_does_not_fit) {
  // A plan whose coded format is not that of the samples: what a wrong table or a broken encoder would do.
  const PixelFormat format = test::format_of(16, 16, 12);
  auto plan = plan_encoding(*find_transfer_syntax(uids::kJPEGLosslessSV1), format).value();
  plan.format.bits_allocated = 32;
  const auto coded = encode_frame(plan, test::frame_of(format, Content::noise));
  ASSERT_FALSE(coded.has_value());
  EXPECT_EQ(coded.error(), Errc::mismatch);
}

TEST(Encode, frames_of_another_size_are_refused) {
  const auto plan = plan_encoding(*find_transfer_syntax(uids::kRLELossless), test::format_of(4, 4, 8)).value();
  for (const std::size_t size : {0u, 15u, 17u}) {
    const auto coded = encode_frame(plan, std::vector<std::byte>(size));
    ASSERT_FALSE(coded.has_value());
    EXPECT_EQ(coded.error(), Errc::mismatch);
  }
  EXPECT_FALSE(encode_frame(Encoding{}, {}).has_value());
}

TEST(Encode, syntaxes_without_an_encoder_are_refused_by_the_plan) {
  for (const TransferSyntax& syntax : transfer_syntaxes()) {
    const auto plan = plan_encoding(syntax, test::format_of(64, 64, 8));
    EXPECT_EQ(plan.has_value(), syntax.encodable) << syntax.name;
    if (!plan.has_value()) EXPECT_EQ(plan.error(), Errc::unsupported) << syntax.name;
    if (syntax.encodable) EXPECT_TRUE(syntax.decodable) << syntax.name;
  }
}

TEST(Encode, tags_that_decoded_samples_never_have_are_refused) {
  for (const char* photometric : {"YBR_FULL_422", "YBR_PARTIAL_422", "YBR_RCT", "YBR_ICT"}) {
    PixelFormat format = test::format_of(8, 8, 8, false, 3);
    format.photometric = photometric;
    EXPECT_FALSE(plan_encoding(*find_transfer_syntax(uids::kRLELossless), format).has_value()) << photometric;
  }
}

TEST(EncodeRLE, segments_are_even_and_rows_do_not_share_runs) {
  const PixelFormat format = test::format_of(3, 5, 16);
  const std::vector<std::byte> zeros(decoded_frame_bytes(format));
  const auto plan = plan_encoding(*find_transfer_syntax(uids::kRLELossless), format).value();
  EXPECT_EQ(plan.format.planar_configuration, 0);
  const auto bytes = encode_frame(plan, zeros).value().bytes;
  // Two segments, each three rows of one run of five.
  ASSERT_EQ(bytes.size(), 64u + 6 + 6);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data()), 2u);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data() + 4), 64u);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data() + 8), 70u);
  for (std::size_t i = 64; i < bytes.size(); i += 2) {
    EXPECT_EQ(std::to_integer<int>(bytes[i]), 257 - 5);
    EXPECT_EQ(bytes[i + 1], std::byte{0});
  }
  const auto colour =
      plan_encoding(*find_transfer_syntax(uids::kRLELossless), test::format_of(3, 5, 8, false, 3)).value();
  EXPECT_EQ(colour.format.planar_configuration, 1);
}

TEST(EncodeRLE, runs_of_every_length_at_every_place) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kRLELossless);
  for (std::uint32_t before = 0; before < 20; ++before) {
    for (const std::uint32_t run : {1u, 2u, 3u, 4u, 7u, 8u, 9u, 127u, 128u, 129u, 130u, 131u, 255u, 256u, 257u, 400u}) {
      const PixelFormat format = test::format_of(1, before + run + 5, 8);
      std::vector<std::byte> samples(format.columns, std::byte{9});
      for (std::uint32_t i = 0; i < before; ++i) samples[i] = static_cast<std::byte>(i);
      for (std::uint32_t i = before + run; i < format.columns; ++i) samples[i] = static_cast<std::byte>(i * 3);
      const auto plan = plan_encoding(syntax, format, unverified()).value();
      const auto frame = decode_frame(syntax, plan.format, encode_frame(plan, samples).value().bytes);
      ASSERT_TRUE(frame.has_value());
      ASSERT_TRUE(frame.value().samples == samples) << before << ' ' << run;
    }
  }
}

TEST(EncodeJPEGLossless, codes_longer_than_sixteen_bits_are_avoided) {
  // Categories as often as Fibonacci numbers make a plain Huffman code 17 bits deep.
  std::vector<std::uint16_t> differences;
  std::uint64_t a = 1;
  std::uint64_t b = 1;
  for (unsigned category = 17; category-- > 0;) {
    for (std::uint64_t i = 0; i < a; ++i)
      differences.push_back(static_cast<std::uint16_t>(category == 0 ? 0 : 1u << (category - 1)));
    const std::uint64_t next = a + b;
    a = b;
    b = next;
  }
  const PixelFormat format = test::format_of(1, static_cast<std::uint32_t>(differences.size()), 16);
  std::vector<std::byte> samples(differences.size() * 2);
  std::uint16_t value = 0x8000;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    value = static_cast<std::uint16_t>(value + differences[i]);
    store_le<std::uint16_t>(samples.data() + 2 * i, value);
  }
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEGLosslessSV1);
  const auto coded = encode_frame(plan_encoding(syntax, format).value(), samples);
  ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
}

TEST(EncodeJPEGLossless, signed_samples_are_coded_at_the_width_where_differences_wrap) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEGLosslessSV1);
  const PixelFormat format = test::format_of(64, 64, 12, true);
  std::vector<std::byte> samples(decoded_frame_bytes(format));
  for (std::size_t i = 0; i < samples.size() / 2; ++i)
    store_le<std::uint16_t>(samples.data() + 2 * i, static_cast<std::uint16_t>(static_cast<int>(i % 3) - 1));
  const auto coded = encode_frame(plan_encoding(syntax, format).value(), samples).value();
  EXPECT_LT(coded.bytes.size(), 2 * samples.size() / 8);  // two bits a sample, not fourteen
}

TEST(EncodeJPEGLS, bytes_are_those_of_another_encoder) {
  for (const unsigned precision : {8u, 12u, 16u}) {
    for (const Content content : test::kContents) {
      for (const int near : {0, 1, 3}) {
        const PixelFormat format = test::format_of(61, 75, precision);
        const auto frame = test::frame_of(format, content);
        test::Samples samples(samples_per_frame(format));
        for (std::size_t i = 0; i < samples.size(); ++i) {
          samples[i] =
              precision == 8 ? std::to_integer<std::int32_t>(frame[i]) : load_le<std::uint16_t>(frame.data() + 2 * i);
        }
        EncodeOptions options;
        options.near_lossless = near;
        const auto plan = plan_encoding(*find_transfer_syntax(uids::kJPEGLSNearLossless), format, options).value();
        const auto ours = encode_frame(plan, frame);
        ASSERT_TRUE(ours.has_value()) << to_string(ours.error());
        auto theirs = test::encode_jpeg_ls(samples, format.rows, format.columns, 1, static_cast<int>(precision), near);
        if (theirs.size() % 2 != 0) theirs.insert(theirs.end() - 2, std::byte{0xFF});
        const auto scan_of = [](const std::vector<std::byte>& b) {
          for (std::size_t i = 0; i + 1 < b.size(); ++i) {
            if (b[i] == std::byte{0xFF} && b[i + 1] == std::byte{0xDA})
              return std::vector(b.begin() + static_cast<std::ptrdiff_t>(i), b.end());
          }
          return b;
        };
        auto our_scan = scan_of(ours.value().bytes);
        auto their_scan = scan_of(theirs);
        // Headers of another length shift the fill byte.
        const auto trim = [](std::vector<std::byte>& b) {
          if (b.size() > 2 && b[b.size() - 3] == std::byte{0xFF}) b.erase(b.end() - 3);
        };
        trim(our_scan);
        trim(their_scan);
        EXPECT_TRUE(our_scan == their_scan)
            << precision << " bits, content " << static_cast<int>(content) << ", NEAR " << near;
      }
    }
  }
}

TEST(EncodeJPEGLS, near_lossless_stays_within_its_bound) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEGLSNearLossless);
  for (const unsigned samples_per_pixel : {1u, 3u}) {
    for (const unsigned stored : {2u, 8u, 12u, 16u}) {
      if (samples_per_pixel == 3 && stored != 8) continue;
      for (const int near : {1, 2, 10, 255}) {
        for (const Content content : test::kContents) {
          for (const auto& [rows, columns] : kExtents) {
            const PixelFormat format = test::format_of(rows, columns, stored, false, samples_per_pixel);
            EncodeOptions options;  // verifies
            options.near_lossless = near;
            const auto plan = plan_encoding(syntax, format, options).value();
            EXPECT_TRUE(plan.lossy);
            EXPECT_EQ(plan.lossy_method, "ISO_14495_1");
            const auto coded = encode_frame(plan, test::frame_of(format, content));
            ASSERT_TRUE(coded.has_value())
                << stored << " bits, NEAR " << near << ", content " << static_cast<int>(content) << ' ' << columns
                << 'x' << rows << ": " << to_string(coded.error());
          }
        }
      }
    }
  }
  EncodeOptions options;
  options.near_lossless = 0;
  EXPECT_FALSE(plan_encoding(syntax, test::format_of(8, 8, 8), options).value().lossy);
  options.near_lossless = 1;
  EXPECT_FALSE(plan_encoding(syntax, test::format_of(8, 8, 12, true), options).has_value());
  options.near_lossless = 256;
  EXPECT_FALSE(plan_encoding(syntax, test::format_of(8, 8, 8), options).has_value());
}

/// PS3.5 §10.18, read from the stream's own bytes.
void expect_rpcl(const PixelFormat& format) {
  SCOPED_TRACE(testing::Message() << format.columns << 'x' << format.rows << 'x' << format.samples_per_pixel);
  const auto plan = plan_encoding(*find_transfer_syntax(uids::kHTJ2KLosslessRPCL), format);
  ASSERT_TRUE(plan.has_value());
  const auto coded = encode_frame(plan.value(), test::frame_of(format, Content::photo));  // verifies
  ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
  const auto& b = coded.value().bytes;
  const auto header = read_j2k_header(b);
  ASSERT_TRUE(header.has_value());
  const J2KHeader& h = header.value();
  EXPECT_EQ(h.progression, 2);
  EXPECT_LE((std::min(format.rows, format.columns) - 1) >> h.style.levels, 63u);
  EXPECT_EQ(h.multi_component_transform, format.photometric == "RGB");
  Bytes lengths;
  for (const J2KSegment& s : h.segments) {
    if (s.marker == j2k::kTLM) lengths = s.data;
  }
  ASSERT_EQ(lengths.size(), 2 + 5u * (h.style.levels + 1u));
  EXPECT_EQ(lengths[1], std::byte{0x50});
  std::size_t at = h.first_tile_part;
  for (unsigned r = 0; r <= h.style.levels; ++r) {
    ASSERT_EQ(load_be<std::uint16_t>(b.data() + at), j2k::kSOT);
    EXPECT_EQ(std::to_integer<unsigned>(b[at + 10]), r);
    EXPECT_EQ(std::to_integer<unsigned>(b[at + 11]), h.style.levels + 1u);
    const auto length = load_be<std::uint32_t>(b.data() + at + 6);
    EXPECT_EQ(load_be<std::uint32_t>(lengths.data() + 2 + 5 * r + 1), length);
    at += length;
  }
  EXPECT_EQ(load_be<std::uint16_t>(b.data() + at), j2k::kEOC);
  if (std::min(format.rows, format.columns) > 1) EXPECT_TRUE(is_plain_htj2k(h, b));  // the fast decoder takes it
}

TEST(EncodeHTJ2K, the_constraints_of_the_rpcl_syntax_hold) {
  for (const auto& [rows, columns] : {std::pair{512u, 512u},
                                      {64u, 64u},
                                      {65u, 65u},
                                      {2u, 2u},
                                      {1u, 9u},
                                      {100u, 2999u},
                                      {2049u, 70u},
                                      {127u, 128u},
                                      {3u, 40000u}}) {
    expect_rpcl(test::format_of(rows, columns, 12));
    expect_rpcl(test::format_of(rows, columns, 8, false, 3));
  }
}

TEST(EncodeJPEGBaseline, grey_and_colour_come_back_close) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEGBaseline);
  for (const char* photometric : {"MONOCHROME2", "MONOCHROME1", "RGB", "YBR_FULL"}) {
    for (const auto& [rows, columns] : kExtents) {
      SCOPED_TRACE(testing::Message() << photometric << ' ' << columns << 'x' << rows);
      const bool colour = photometric[0] != 'M';
      PixelFormat format = test::format_of(rows, columns, 8, false, colour ? 3 : 1);
      format.photometric = photometric;
      EncodeOptions options;
      options.jpeg_quality = 95;
      const auto plan = plan_encoding(syntax, format, options);
      ASSERT_TRUE(plan.has_value());
      EXPECT_TRUE(plan.value().lossy);
      EXPECT_EQ(plan.value().lossy_method, "ISO_10918_1");
      EXPECT_EQ(plan.value().format.photometric, colour ? "YBR_FULL_422" : photometric);
      const auto samples = test::frame_of(format, Content::photo);
      const auto coded = encode_frame(plan.value(), samples);
      ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
      EXPECT_EQ(coded.value().bytes.size() % 2, 0u);
      const auto frame = decode_frame(syntax, plan.value().format, coded.value().bytes);
      ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
      EXPECT_TRUE(frame.value().lossy);
      EXPECT_FALSE(frame.value().has(Oddity::photometric_differs));
      EXPECT_EQ(frame.value().photometric, colour ? "YBR_FULL" : photometric);
      // The luminance of what went in against that of what came out.
      double worst = 0;
      const std::size_t step = format.samples_per_pixel;
      for (std::size_t i = 0; i < samples.size(); i += step) {
        const auto v = [&](std::size_t k) { return static_cast<double>(std::to_integer<int>(samples[i + k])); };
        const double y = format.photometric == "RGB" ? 0.299 * v(0) + 0.587 * v(1) + 0.114 * v(2) : v(0);
        worst = std::max(worst, std::abs(y - static_cast<double>(std::to_integer<int>(frame.value().samples[i]))));
      }
      EXPECT_LT(worst, 12);
    }
  }
}

TEST(EncodeJPEGBaseline, what_it_cannot_hold_is_refused_by_the_plan) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEGBaseline);
  EXPECT_FALSE(plan_encoding(syntax, test::format_of(8, 8, 12)).has_value());
  EXPECT_FALSE(plan_encoding(syntax, test::format_of(8, 8, 8, true)).has_value());
  PixelFormat palette = test::format_of(8, 8, 8);
  palette.photometric = "PALETTE COLOR";
  EXPECT_FALSE(plan_encoding(syntax, palette).has_value());
  EncodeOptions options;
  options.jpeg_quality = 0;
  EXPECT_FALSE(plan_encoding(syntax, test::format_of(8, 8, 8), options).has_value());
  // Eight bits in sixteen become eight in eight.
  PixelFormat wide = test::format_of(8, 8, 8);
  wide.bits_allocated = 16;
  const auto plan = plan_encoding(syntax, wide);
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan.value().format.bits_allocated, 8);
  EXPECT_TRUE(encode_frame(plan.value(), test::frame_of(wide, Content::photo)).has_value());
}

TEST(EncodeJPEG2000, lossy_frames_keep_their_ratio_and_their_tag) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEG2000);
  for (const bool is_signed : {false, true}) {
    for (const unsigned samples_per_pixel : {1u, 3u}) {
      if (is_signed && samples_per_pixel == 3) continue;
      const PixelFormat format =
          test::format_of(256, 240, samples_per_pixel == 3 ? 8 : 12, is_signed, samples_per_pixel);
      EncodeOptions options;
      options.jpeg2000_ratio = 8;
      const auto plan = plan_encoding(syntax, format, options);
      ASSERT_TRUE(plan.has_value());
      EXPECT_TRUE(plan.value().lossy);
      EXPECT_EQ(plan.value().lossy_method, "ISO_15444_1");
      EXPECT_EQ(plan.value().format.photometric, samples_per_pixel == 3 ? "YBR_ICT" : "MONOCHROME2");
      const auto samples = test::frame_of(format, Content::photo);
      const auto coded = encode_frame(plan.value(), samples);
      ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
      EXPECT_LT(coded.value().bytes.size(), samples.size() / 7);
      const auto frame = decode_frame(syntax, plan.value().format, coded.value().bytes);
      ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
      EXPECT_TRUE(frame.value().lossy);
      EXPECT_EQ(frame.value().photometric, format.photometric);
      double worst = 0;
      for (std::size_t i = 0; i < samples_per_frame(format); ++i) {
        const auto v = [&](const std::vector<std::byte>& b) {
          if (format.bits_allocated == 8) return static_cast<double>(std::to_integer<int>(b[i]));
          const auto word = load_le<std::uint16_t>(b.data() + 2 * i);
          return is_signed ? static_cast<double>(static_cast<std::int16_t>(word)) : static_cast<double>(word);
        };
        worst = std::max(worst, std::abs(v(samples) - v(frame.value().samples)));
      }
      EXPECT_LT(worst, format.bits_stored == 8 ? 12 : 40);
    }
  }
}

TEST(NativeJoiner, single_bits_run_on_from_frame_to_frame) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kExplicitVRLittleEndian);
  for (const auto& [rows, columns] :
       {std::pair{1u, 1u}, {1u, 3u}, {9u, 11u}, {4u, 2u}, {3u, 5u}, {1u, 15u}, {16u, 16u}}) {
    for (std::uint64_t frames = 1; frames <= 17; ++frames) {
      PixelFormat format = test::bits_format(rows, columns);
      format.number_of_frames = frames;
      const auto plan = plan_encoding(syntax, format).value();
      NativeJoiner joiner(plan);
      std::vector<std::byte> value;
      std::vector<std::vector<std::byte>> samples;
      const auto append = [&value](const std::vector<std::byte>& b) { value.insert(value.end(), b.begin(), b.end()); };
      for (std::uint64_t f = 0; f < frames; ++f) {
        samples.push_back(test::frame_of(format, Content::noise, static_cast<unsigned>(f)));
        append(joiner.push(encode_frame(plan, samples.back()).value()));
      }
      append(joiner.finish());
      ASSERT_EQ(value.size(), NativeJoiner::value_bytes(format, frames));
      SpanSource source(value);
      const auto index = FrameIndex::build(source, {0, value.size(), {}, {}}, syntax, format);
      ASSERT_TRUE(index.has_value());
      ASSERT_EQ(index.value().frame_count(), frames);
      for (std::uint64_t f = 0; f < frames; ++f) {
        const auto frame = decode_frame(syntax, format, index.value().read(source, f).value());
        ASSERT_TRUE(frame.has_value());
        ASSERT_TRUE(frame.value().samples == samples[f])
            << columns << 'x' << rows << ", frame " << f << " of " << frames;
      }
    }
  }
}

TEST(NativeJoiner, wider_samples_are_padded_once) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kImplicitVRLittleEndian);
  const PixelFormat format = test::format_of(3, 3, 8);
  const auto plan = plan_encoding(syntax, format).value();
  NativeJoiner joiner(plan);
  std::size_t size = 0;
  for (int f = 0; f < 3; ++f)
    size += joiner.push(encode_frame(plan, test::frame_of(format, Content::ramp)).value()).size();
  EXPECT_EQ(size, 27u);
  EXPECT_EQ(joiner.finish(), std::vector<std::byte>{std::byte{0}});
  EXPECT_EQ(NativeJoiner::value_bytes(format, 3), 28u);
}

TEST(Encode, the_format_of_decoded_samples) {
  PixelFormat data_set = test::format_of(4, 4, 8, false, 3);
  data_set.photometric = "YBR_FULL_422";
  data_set.planar_configuration = 1;
  Frame frame;
  frame.photometric = "YBR_FULL";
  frame.bits_stored = 8;
  const PixelFormat decoded = decoded_format(data_set, frame);
  EXPECT_EQ(decoded.photometric, "YBR_FULL");
  EXPECT_EQ(decoded.planar_configuration, 0);
}

TEST(Encode, the_ratio_is_a_decimal_string) {
  EXPECT_EQ(lossy_ratio(1000, 100), "10");
  EXPECT_EQ(lossy_ratio(524288, 70268), "7.461");
  EXPECT_LE(lossy_ratio(~std::uint64_t{0}, 1).size(), 16u);
  EXPECT_LE(lossy_ratio(1, ~std::uint64_t{0}).size(), 16u);
}

}  // namespace
}  // namespace cairn::codec
