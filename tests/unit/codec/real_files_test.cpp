// Every file of the syntaxes folder against samples that independent decoders gave: bit for bit where the syntax is
// lossless, within the stated difference of the twin where it is not.
#include <cmath>
#include <set>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "codec/encode.h"
#include "codec/frame_index.h"
#include "codec/j2k_header.h"
#include "test_dataset.h"

namespace cairn::codec {
namespace {

namespace fs = std::filesystem;

std::string sha256(Bytes bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

struct Decoded {
  std::vector<std::byte> samples;
  std::vector<Frame> frames;
};

Result<Decoded> decode_all(const fs::path& path) {
  test::Dataset d = test::read_dataset(path);
  const TransferSyntax* const syntax = find_transfer_syntax(d.syntax_uid);
  if (syntax == nullptr || !d.has_pixels) return fail(Errc::missing, "pixel data");
  SpanSource source(d.bytes);
  CAIRN_TRY(const FrameIndex index, FrameIndex::build(source, d.pixels, *syntax, d.format));
  if (index.frame_count() != index.declared_frames()) return fail(Errc::mismatch, "number of frames");
  Decoded out;
  for (std::uint64_t i = 0; i < index.frame_count(); ++i) {
    CAIRN_TRY(const auto coded, index.read(source, i));
    CAIRN_TRY(Frame frame, decode_frame(*syntax, d.format, coded));
    out.samples.insert(out.samples.end(), frame.samples.begin(), frame.samples.end());
    frame.samples.clear();
    out.frames.push_back(std::move(frame));
  }
  return out;
}

struct Difference {
  double most = 0;
  double mean = 0;
};

double sample(const std::vector<std::byte>& b, std::size_t i, const std::string& dtype) {
  if (dtype == "uint8") return std::to_integer<int>(b[i]);
  if (dtype == "int16") return static_cast<std::int16_t>(load_le<std::uint16_t>(b.data() + i * 2));
  return load_le<std::uint16_t>(b.data() + i * 2);
}

Difference compare(const std::vector<std::byte>& a, const std::vector<std::byte>& b, const std::string& dtype) {
  const std::size_t count = a.size() / (dtype == "uint8" ? 1 : 2);
  Difference d;
  for (std::size_t i = 0; i < count; ++i) {
    const double diff = std::abs(sample(a, i, dtype) - sample(b, i, dtype));
    d.most = std::max(d.most, diff);
    d.mean += diff / static_cast<double>(count);
  }
  return d;
}

/// PS3.3 §C.7.6.3.1.2, full range.
std::vector<std::byte> rgb_of_ybr(const std::vector<std::byte>& ybr) {
  std::vector<std::byte> out(ybr.size());
  for (std::size_t i = 0; i + 3 <= ybr.size(); i += 3) {
    const double y = std::to_integer<int>(ybr[i]);
    const double b = std::to_integer<int>(ybr[i + 1]) - 128;
    const double r = std::to_integer<int>(ybr[i + 2]) - 128;
    const double rgb[3] = {y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b};
    for (std::size_t k = 0; k < 3; ++k)
      out[i + k] = static_cast<std::byte>(std::lround(std::clamp(rgb[k], 0.0, 255.0)));
  }
  return out;
}

fs::path syntaxes_dir() {
  return test::data_dir() / "syntaxes";
}

#define NEEDS_DATA() \
  if (!fs::exists(syntaxes_dir())) GTEST_SKIP() << "no test data in " << test::data_dir() << " (DICOM_TEST_DATA_DIR)"

TEST(RealFiles, decode_to_the_samples_that_independent_decoders_gave) {
  NEEDS_DATA();
  std::size_t exact = 0;
  std::size_t close = 0;
  for (const auto& folder : fs::directory_iterator(syntaxes_dir())) {
    if (!fs::exists(folder.path() / "EXPECTED.tsv")) continue;
    for (auto& row : test::read_table(folder.path() / "EXPECTED.tsv")) {
      const std::string expected = row["sha256_of_decoded_little_endian_samples"];
      if (expected == "-") continue;
      SCOPED_TRACE(folder.path().filename().string() + "/" + row["file"]);
      const auto decoded = decode_all(folder.path() / row["file"]);
      EXPECT_TRUE(decoded.has_value()) << to_string(decoded.error());
      if (decoded.has_error()) continue;
      const Frame& frame = decoded.value().frames.front();
      const std::string shape = std::to_string(decoded.value().frames.size()) + "x" + std::to_string(frame.rows) + "x" +
                                std::to_string(frame.columns) + "x" + std::to_string(frame.samples_per_pixel);
      EXPECT_EQ(shape, row["frames_x_rows_x_columns_x_samples"]);
      EXPECT_EQ((frame.is_signed ? "int" : "uint") + std::to_string(frame.bits_allocated), row["dtype"]);
      const TransferSyntax& syntax = *find_transfer_syntax(row["transfer_syntax"]);
      const std::string actual = sha256(decoded.value().samples);
      if (actual == expected) {
        ++exact;
        continue;
      }
      // The independent decoder left the bits above Bits Stored 0; ours extends the sign through them.
      if (frame.is_signed && frame.bits_stored < frame.bits_allocated && frame.bits_allocated == 16) {
        auto masked = decoded.value().samples;
        for (std::size_t i = 0; i < masked.size(); i += 2) {
          const unsigned mask = (1u << frame.bits_stored) - 1;
          store_le<std::uint16_t>(masked.data() + i,
                                  static_cast<std::uint16_t>(load_le<std::uint16_t>(masked.data() + i) & mask));
        }
        if (sha256(masked) == expected) {
          ++exact;
          continue;
        }
      }
      // Decoders of DCT and of irreversible wavelets may differ in rounding and in chrominance interpolation.
      EXPECT_TRUE(frame.lossy) << "a lossless stream must be bit exact";
      EXPECT_NE(syntax.fidelity, Fidelity::lossless);
      if (!frame.lossy) continue;
      const std::string relation = row["relation_to_twin"];
      const std::size_t colon = relation.find(':');
      std::printf("not bit-equal to the independent decoder: %s/%s (%s)\n", folder.path().filename().c_str(),
                  row["file"].c_str(), relation.c_str());
      if (colon == std::string::npos) continue;
      ++close;
      const auto twin = decode_all(folder.path() / relation.substr(0, colon));
      ASSERT_TRUE(twin.has_value());
      ASSERT_EQ(twin.value().samples.size(), decoded.value().samples.size());
      const bool ybr = frame.photometric == "YBR_FULL";
      const Difference d = compare(ybr ? rgb_of_ybr(decoded.value().samples) : decoded.value().samples,
                                   twin.value().samples, row["dtype"]);
      double most = 0;
      double mean = 0;
      if (std::sscanf(relation.c_str() + colon, ": max abs difference %lf, mean %lf", &most, &mean) == 2) {
        EXPECT_LE(d.most, most + 2) << "mean " << d.mean;
        EXPECT_LE(d.mean, mean * 1.05 + 0.05);
      } else {
        EXPECT_LE(d.most, 4) << "mean " << d.mean;
      }
    }
  }
  EXPECT_GE(exact, 60u);
  std::printf("%zu files bit exact, %zu within the stated difference\n", exact, close);
}

TEST(RealFiles, htj2k_of_others_passes_the_guard_of_the_fast_decoder) {
  const fs::path folder = test::data_dir() / "syntaxes";
  if (!fs::exists(folder)) GTEST_SKIP() << "no test data at " << folder;
  for (const char* name :
       {"htj2k-nema/CT1_htj2k_202.dcm", "htj2k-nema/MR4_htj2k_202.dcm", "htj2k-nema/NM1_htj2k_202.dcm",
        "htj2k-nema/US1_htj2k_202.dcm", "htj2k-rgb/HTJ2KLossless_08_RGB.dcm"}) {
    test::Dataset d = test::read_dataset(folder / name);
    SpanSource source(d.bytes);
    const auto index = FrameIndex::build(source, d.pixels, *find_transfer_syntax(d.syntax_uid), d.format);
    ASSERT_TRUE(index.has_value()) << name;
    const auto coded = index.value().read(source, 0);
    ASSERT_TRUE(coded.has_value()) << name;
    const auto header = read_j2k_header(coded.value());
    ASSERT_TRUE(header.has_value()) << name;
    EXPECT_TRUE(is_plain_htj2k(header.value(), coded.value())) << name;
  }
}

TEST(RealFiles, every_frame_survives_every_lossless_encoder_that_can_hold_it) {
  const fs::path root = test::data_dir();
  if (!fs::exists(root)) GTEST_SKIP() << "no test data at " << root;
  std::size_t coded = 0;
  std::size_t refused = 0;
  for (const char* folder : {"syntaxes", "modalities"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() != ".dcm") continue;
      test::Dataset d = test::read_dataset(entry.path());
      const TransferSyntax* const from = find_transfer_syntax(d.syntax_uid);
      if (from == nullptr || !from->decodable || !d.has_pixels) continue;
      SpanSource source(d.bytes);
      const auto index = FrameIndex::build(source, d.pixels, *from, d.format);
      if (!index.has_value() || index.value().frame_count() == 0) continue;
      const auto frame = decode_frame(*from, d.format, index.value().read(source, 0).value());
      if (!frame.has_value()) continue;
      const PixelFormat format = decoded_format(d.format, frame.value());
      for (const TransferSyntax& to : transfer_syntaxes()) {
        if (!to.encodable || to.fidelity != Fidelity::lossless) continue;
        const auto plan = plan_encoding(to, format);
        if (!plan.has_value()) {
          EXPECT_EQ(plan.error(), Errc::unsupported) << entry.path() << " to " << to.name;
          ++refused;
          continue;
        }
        const auto out = encode_frame(plan.value(), frame.value().samples);  // verifies
        EXPECT_TRUE(out.has_value()) << entry.path() << " to " << to.name << ": " << to_string(out.error());
        ++coded;
      }
    }
  }
  std::printf("%zu frames coded, %zu refused by their plan\n", coded, refused);
  EXPECT_GT(coded, 1000u);
  EXPECT_LT(refused, coded / 10);
}

}  // namespace
}  // namespace cairn::codec
