// Our streams through decoders that share no code with ours: DCMTK's and GDCM's programs, OpenJPEG's. A program that is
// not there is a visible skip.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "codec/encode.h"
#include "codec/frame_index.h"
#include "frames.h"
#include "test_dataset.h"

namespace cairn::codec {
namespace {

namespace fs = std::filesystem;
using test::Content;

bool has_program(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// A folder that goes when the test does.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "cairn-encode-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

constexpr const char* kSOPClass = "1.2.840.10008.5.1.4.1.1.4";  // MR: GDCM writes no signed secondary capture

/// An image in explicit VR little endian (PS3.10) with the given frames.
class FileWriter {
 public:
  void element(std::uint32_t tag, const char* vr, std::string value, char pad = ' ') {
    if (value.size() % 2 != 0) value += pad;
    head(tag, vr);
    if (std::string("OB OW").find(vr) != std::string::npos) {
      put(0, 2);
      put(value.size(), 4);
    } else {
      put(value.size(), 2);
    }
    bytes_ += value;
  }
  void number(std::uint32_t tag, unsigned v) { element(tag, "US", {static_cast<char>(v), static_cast<char>(v >> 8)}); }
  void head(std::uint32_t tag, const char* vr) {
    put(tag >> 16, 2);
    put(tag, 2);
    bytes_ += vr;
  }
  void item(std::uint32_t tag, Bytes value) {
    put(tag >> 16, 2);
    put(tag, 2);
    put(value.size(), 4);
    bytes_ += as_text(value);
  }
  void put(std::uint64_t v, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bytes_ += static_cast<char>(v >> (8 * i));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

void write_file(const fs::path& path, const Encoding& e, const std::vector<std::vector<std::byte>>& frames) {
  FileWriter meta;
  meta.element(0x00020001, "OB", std::string("\0\1", 2));
  meta.element(0x00020002, "UI", kSOPClass, '\0');
  meta.element(0x00020003, "UI", "1.2.3.4.5", '\0');
  meta.element(0x00020010, "UI", std::string(e.syntax->uid), '\0');
  meta.element(0x00020012, "UI", "1.2.3.4", '\0');
  const std::string group = meta.take();
  FileWriter w;
  for (int i = 0; i < 128; ++i) w.put(0, 1);
  w.put(0x4D434944, 4);
  w.head(0x00020000, "UL");
  w.put(4, 2);
  w.put(group.size(), 4);
  std::string out = w.take() + group;
  FileWriter d;
  d.element(0x00080016, "UI", kSOPClass, '\0');
  d.element(0x00080018, "UI", "1.2.3.4.5", '\0');
  d.element(0x00080060, "CS", "MR");
  d.element(0x0020000D, "UI", "1.2.3.4.6", '\0');
  d.element(0x0020000E, "UI", "1.2.3.4.7", '\0');
  d.number(0x00280002, e.format.samples_per_pixel);
  d.element(0x00280004, "CS", e.format.photometric);
  if (e.format.samples_per_pixel > 1) d.number(0x00280006, e.format.planar_configuration);
  if (frames.size() > 1) d.element(0x00280008, "IS", std::to_string(frames.size()));
  d.number(0x00280010, e.format.rows);
  d.number(0x00280011, e.format.columns);
  d.number(0x00280100, e.format.bits_allocated);
  d.number(0x00280101, e.format.bits_stored);
  d.number(0x00280102, e.format.high_bit);
  d.number(0x00280103, e.format.is_signed ? 1 : 0);
  d.head(0x7FE00010, "OB");
  d.put(0, 2);
  d.put(0xFFFFFFFF, 4);
  d.item(0xFFFEE000, {});
  for (const auto& f : frames) d.item(0xFFFEE000, f);
  d.item(0xFFFEE0DD, {});
  out += d.take();
  std::ofstream(path, std::ios::binary) << out;
}

/// Frames of a native file, joined.
std::vector<std::byte> native_samples(const fs::path& path) {
  if (!fs::exists(path)) return {};
  test::Dataset d = test::read_dataset(path);
  const TransferSyntax* const syntax = find_transfer_syntax(d.syntax_uid);
  if (syntax == nullptr || syntax->encapsulated || !d.has_pixels) return {};
  SpanSource source(d.bytes);
  const auto index = FrameIndex::build(source, d.pixels, *syntax, d.format);
  std::vector<std::byte> out;
  for (std::uint64_t i = 0; index.has_value() && i < index.value().frame_count(); ++i) {
    const auto frame = decode_frame(*syntax, d.format, index.value().read(source, i).value());
    if (!frame.has_value()) return {};
    out.insert(out.end(), frame.value().samples.begin(), frame.value().samples.end());
  }
  return out;
}

struct Peer {
  const char* program;
  const char* command;  ///< IN and OUT stand for the files
  bool colour;          ///< undoes no transform that we did
};

std::string command_of(const Peer& peer, const fs::path& in, const fs::path& out) {
  std::string c = peer.command;
  c.replace(c.find("IN"), 2, in.string());
  c.replace(c.find("OUT"), 3, out.string());
  return c + " >/dev/null 2>&1";
}

/// Two frames of each kind through the program and back, bit for bit.
void expect_decoded_by(const Peer& peer, std::string_view uid) {
  if (!has_program(peer.program)) GTEST_SKIP() << peer.program << " is not installed";
  const TransferSyntax& syntax = *find_transfer_syntax(uid);
  const Folder folder;
  for (const unsigned stored : {8u, 10u, 12u, 16u}) {
    for (const bool is_signed : {false, true}) {
      for (const unsigned samples : {1u, 3u}) {
        if (samples == 3 && (stored != 8 || is_signed || !peer.colour)) continue;
        SCOPED_TRACE(testing::Message() << peer.program << ", " << stored << (is_signed ? " signed" : "") << " bits, "
                                        << samples << " samples");
        const PixelFormat format = test::format_of(67, 93, stored, is_signed, samples);
        const auto plan = plan_encoding(syntax, format);
        ASSERT_TRUE(plan.has_value()) << to_string(plan.error());
        std::vector<std::byte> expected;
        std::vector<std::vector<std::byte>> frames;
        for (const Content content : {Content::photo, Content::noise}) {
          const auto frame = test::frame_of(format, content);
          expected.insert(expected.end(), frame.begin(), frame.end());
          const auto coded = encode_frame(plan.value(), frame);
          ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
          frames.push_back(coded.value().bytes);
        }
        write_file(folder / "in.dcm", plan.value(), frames);
        fs::remove(folder / "out.dcm");
        EXPECT_EQ(std::system(command_of(peer, folder / "in.dcm", folder / "out.dcm").c_str()), 0);
        EXPECT_TRUE(native_samples(folder / "out.dcm") == expected);
      }
    }
  }
}

constexpr Peer kDcmdrle{"dcmdrle", "dcmdrle IN OUT", true};
constexpr Peer kDcmdjpeg{"dcmdjpeg", "dcmdjpeg +cn IN OUT", true};
constexpr Peer kDcmdjpls{"dcmdjpls", "dcmdjpls IN OUT", true};
constexpr Peer kGdcm{"gdcmconv", "gdcmconv --raw IN OUT", true};

TEST(EncodeForeign, dcmtk_reads_our_rle) {
  expect_decoded_by(kDcmdrle, uids::kRLELossless);
}
TEST(EncodeForeign, dcmtk_reads_our_jpeg_lossless) {
  expect_decoded_by(kDcmdjpeg, uids::kJPEGLosslessSV1);
}
TEST(EncodeForeign, dcmtk_reads_our_jpeg_ls) {
  expect_decoded_by(kDcmdjpls, uids::kJPEGLSLossless);
}
TEST(EncodeForeign, gdcm_reads_our_rle) {
  expect_decoded_by(kGdcm, uids::kRLELossless);
}
TEST(EncodeForeign, gdcm_reads_our_jpeg_lossless) {
  expect_decoded_by(kGdcm, uids::kJPEGLosslessSV1);
}
TEST(EncodeForeign, gdcm_reads_our_jpeg_ls) {
  expect_decoded_by(kGdcm, uids::kJPEGLSLossless);
}
TEST(EncodeForeign, gdcm_reads_our_jpeg_2000) {
  expect_decoded_by(kGdcm, uids::kJPEG2000Lossless);
}

/// Our codestream as a file of its own, and the samples that a program makes of it in OpenJPEG's raw form: planes,
/// big-endian where wider than a byte.
void expect_codestream_decoded_by(const Peer& peer, std::string_view uid, const char* suffix) {
  if (!has_program(peer.program)) GTEST_SKIP() << peer.program << " is not installed";
  const Folder folder;
  const std::string in_name = std::string("in.") + suffix;
  for (const unsigned stored : {8u, 12u, 16u}) {
    const PixelFormat format = test::format_of(150, 131, stored);
    const auto plan = plan_encoding(*find_transfer_syntax(uid), format);
    ASSERT_TRUE(plan.has_value());
    const auto samples = test::frame_of(format, Content::photo);
    const auto coded = encode_frame(plan.value(), samples);
    ASSERT_TRUE(coded.has_value()) << to_string(coded.error());
    std::ofstream(folder / in_name.c_str(), std::ios::binary) << as_text(coded.value().bytes);
    fs::remove(folder / "out.rawl");
    EXPECT_EQ(std::system(command_of(peer, folder / in_name.c_str(), folder / "out.rawl").c_str()), 0);
    EXPECT_TRUE(test::read_file(folder / "out.rawl") == samples) << stored << " bits";
  }
}

constexpr Peer kOpenJPEG{"opj_decompress", "opj_decompress -i IN -o OUT", true};

TEST(EncodeForeign, openjpeg_reads_our_jpeg_2000) {
  expect_codestream_decoded_by(kOpenJPEG, uids::kJPEG2000Lossless, "j2k");
}
TEST(EncodeForeign, openjpeg_reads_our_htj2k) {
  expect_codestream_decoded_by(kOpenJPEG, uids::kHTJ2KLosslessRPCL, "jhc");
}
TEST(EncodeForeign, openjph_reads_our_htj2k) {
  expect_codestream_decoded_by({"ojph_expand", "ojph_expand -i IN -o OUT", true}, uids::kHTJ2KLosslessRPCL, "j2c");
}

TEST(EncodeForeign, dcmtk_and_gdcm_read_our_jpeg_baseline) {
  const TransferSyntax& syntax = *find_transfer_syntax(uids::kJPEGBaseline);
  const Folder folder;
  bool any = false;
  for (const Peer& peer : {kDcmdjpeg, kGdcm}) {
    if (!has_program(peer.program)) continue;
    any = true;
    const PixelFormat format = test::format_of(67, 93, 8);
    const auto plan = plan_encoding(syntax, format).value();
    const auto coded = encode_frame(plan, test::frame_of(format, Content::photo)).value();
    const auto ours = decode_frame(syntax, plan.format, coded.bytes).value().samples;
    write_file(folder / "in.dcm", plan, {coded.bytes});
    fs::remove(folder / "out.dcm");
    EXPECT_EQ(std::system(command_of(peer, folder / "in.dcm", folder / "out.dcm").c_str()), 0);
    const auto theirs = native_samples(folder / "out.dcm");
    ASSERT_EQ(theirs.size(), ours.size()) << peer.program;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      ASSERT_NEAR(std::to_integer<int>(ours[i]), std::to_integer<int>(theirs[i]), 2) << peer.program << ' ' << i;
    }
  }
  if (!any) GTEST_SKIP() << "neither dcmdjpeg nor gdcmconv is installed";
}

}  // namespace
}  // namespace cairn::codec
