// Every real file into every syntax that can be written: what comes out is a whole instance, and its frames are those
// of the stored one.
#include "engine/transcode/transcoder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "codec/decode.h"
#include "engine/dicom/dictionary.h"
#include "engine/dicom/header_scan.h"
#include "engine/dicom/inflate.h"
#include "engine/dicom/part10.h"
#include "engine/dicom/tags.h"
#include "engine/transcode/pixel_module.h"
#include "engine/transcode/pixel_source.h"
#include "tests/unit/web/fake_archive.h"

namespace cairn::transcode {
namespace {

namespace fs = std::filesystem;
namespace tags = dicom::tags;
using web::testing::FakeArchive;

struct Scanned {
  std::string stream;
  dicom::HeaderScanner scanner;
  dicom::Header header;
  dicom::DataSet data_set;
};

Result<Scanned> scan(std::string stream) {
  Scanned out;
  out.stream = std::move(stream);
  CAIRN_TRYV(out.scanner.feed(as_bytes(out.stream)));
  CAIRN_TRYV(out.scanner.finish());
  out.header = out.scanner.take_header();
  CAIRN_TRY(out.data_set, dicom::DataSet::parse(out.header));
  return out;
}

/// The first frames, decoded.
Result<std::vector<codec::Frame>> frames_of(const Scanned& scanned, std::size_t most) {
  const auto* syntax = codec::find_transfer_syntax(scanned.header.transfer_syntax_uid);
  if (syntax == nullptr) return fail(Errc::unsupported, "syntax");
  std::string inflated;
  Bytes bytes = as_bytes(scanned.stream);
  if (scanned.header.was_deflated) {
    const auto offset = static_cast<std::size_t>(scanned.scanner.data_set_offset());
    CAIRN_TRY(inflated, dicom::inflate_data_set(bytes.subspan(offset), 1u << 30));
    bytes = as_bytes(inflated);
  }
  CAIRN_TRY(PixelModule module, pixel_module_of(scanned.data_set));
  module.value.extended_offsets = as_bytes(module.extended_offsets);
  module.value.extended_lengths = as_bytes(module.extended_lengths);
  codec::SpanSource source(bytes);
  CAIRN_TRY(const auto index, codec::FrameIndex::build(source, module.value, *syntax, module.format));
  std::vector<codec::Frame> frames;
  for (std::uint64_t i = 0; i < index.frame_count() && i < most; ++i) {
    CAIRN_TRY(const auto coded, index.read(source, i));
    CAIRN_TRY(auto frame, codec::decode_frame(*syntax, module.format, coded));
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::string file_content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

Result<std::string> transcoded(archive::Archive& archive, const archive::Instance& instance, std::string_view uid,
                               bool lossy = false) {
  Options options;
  options.allow_lossy = lossy;
  CAIRN_TRY(const auto made, Transcoder::open(archive, instance, *codec::find_transfer_syntax(uid), options));
  std::string out = made->file_meta();
  while (true) {
    CAIRN_TRY(const bool more, made->next(out));
    if (!more) return out;
  }
}

class RealFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* from_environment = std::getenv("DICOM_TEST_DATA_DIR");
    data_ = from_environment != nullptr ? from_environment : CAIRN_TEST_DATA_DIR;
    if (!fs::exists(data_)) GTEST_SKIP() << "no real DICOM files: DICOM_TEST_DATA_DIR does not exist";
  }
  std::vector<std::pair<std::string, Scanned>> files(std::initializer_list<const char*> folders) {
    std::vector<std::pair<std::string, Scanned>> out;
    for (const char* folder : folders) {
      for (const auto& entry : fs::recursive_directory_iterator(data_ / folder)) {
        if (!entry.is_regular_file() || entry.file_size() > (12u << 20)) continue;
        std::string content = file_content(entry.path());
        const auto prefix = dicom::read_prefix(as_bytes(content));
        if (!prefix || !prefix.value().is_complete()) continue;
        auto scanned = scan(std::move(content));
        if (scanned) out.emplace_back(entry.path().string(), std::move(scanned).value());
      }
    }
    return out;
  }
  fs::path data_;
};

/// What must not change: everything but the pixels and what describes them.
void expect_same_elements(const dicom::DataSet& before, const dicom::DataSet& after) {
  static const std::set<dicom::Tag> kPixelTags{tags::PhotometricInterpretation,
                                               tags::PlanarConfiguration,
                                               tags::BitsAllocated,
                                               tags::BitsStored,
                                               tags::HighBit,
                                               tags::LossyImageCompression,
                                               tags::ExtendedOffsetTable,
                                               tags::PixelData,
                                               tags::NumberOfFrames,
                                               tags::ExtendedOffsetTableLengths,
                                               tags::FloatPixelData,
                                               tags::DoubleFloatPixelData,
                                               tags::DataSetTrailingPadding};
  for (const dicom::Element& element : before.elements()) {
    if (kPixelTags.contains(element.tag) || element.tag.element == 0) continue;
    const dicom::Element* other = after.find(element.tag);
    ASSERT_NE(other, nullptr) << dicom::to_string(element.tag);
    EXPECT_EQ(other->items.size(), element.items.size()) << dicom::to_string(element.tag);
    if (element.bulk) {
      EXPECT_EQ(other->bulk ? other->bulk->length : other->value.size(),
                element.bulk->length + element.bulk->length % 2)
          << dicom::to_string(element.tag);
    } else if (element.tag.is_private() || dicom::is_us_or_ss(element.tag)) {
      // Implicit VR does not say what they are: the bytes are the same.
      EXPECT_EQ(other->value.substr(0, element.value.size()), element.value) << dicom::to_string(element.tag);
    } else if (element.items.empty()) {
      EXPECT_EQ(before.text(element.tag), after.text(element.tag)) << dicom::to_string(element.tag);
    }
  }
}

TEST_F(RealFiles, GoIntoEverySyntaxWithoutLoss) {
  std::set<std::string> from, to;
  std::size_t made = 0, refused = 0;
  for (auto& [name, stored] : files({"syntaxes", "modalities"})) {
    SCOPED_TRACE(name);
    const auto before = frames_of(stored, 3);
    if (!before) continue;  // no picture, or one that nobody decodes
    FakeArchive archive;
    archive.put(stored.stream);
    const auto instance = archive.instance(stored.data_set.text(tags::SOPInstanceUID));
    ASSERT_TRUE(instance);
    for (const codec::TransferSyntax& target : codec::transfer_syntaxes()) {
      if (target.uid == stored.header.transfer_syntax_uid || !target.encodable) continue;
      SCOPED_TRACE(target.name);
      const bool lossy = target.fidelity != codec::Fidelity::lossless;
      const auto result = transcoded(archive, instance.value(), target.uid, false);
      if (lossy) {
        EXPECT_FALSE(result && target.fidelity == codec::Fidelity::lossy);
        continue;
      }
      if (!result) {
        // Samples that the standard does not allow in that coding; native is always possible.
        EXPECT_TRUE(result.error() == Errc::unsupported) << to_string(result.error());
        EXPECT_TRUE(target.encapsulated) << to_string(result.error());
        ++refused;
        continue;
      }
      auto after = scan(std::move(result).value());
      ASSERT_TRUE(after) << to_string(after.error());
      EXPECT_EQ(after.value().header.transfer_syntax_uid, target.uid);
      expect_same_elements(stored.data_set, after.value().data_set);
      const auto again = frames_of(after.value(), 3);
      ASSERT_TRUE(again) << to_string(again.error());
      ASSERT_EQ(again.value().size(), before.value().size());
      for (std::size_t i = 0; i < again.value().size(); ++i) {
        EXPECT_EQ(again.value()[i].samples, before.value()[i].samples) << i;
        EXPECT_EQ(again.value()[i].photometric, before.value()[i].photometric);
      }
      ++made;
      from.insert(stored.header.transfer_syntax_uid);
      to.insert(std::string(target.uid));
    }
  }
  EXPECT_GE(from.size(), 17u);
  EXPECT_GE(to.size(), 11u);
  EXPECT_GT(made, 1000u);
  std::cout << made << " conversions from " << from.size() << " into " << to.size() << " syntaxes, " << refused
            << " refused\n";
}

TEST_F(RealFiles, ALossMakesAnotherInstanceWhichSaysSo) {
  std::size_t made = 0;
  for (auto& [name, stored] : files({"syntaxes/ct-one-image-all-syntaxes", "modalities/us"})) {
    SCOPED_TRACE(name);
    if (!frames_of(stored, 1)) continue;
    FakeArchive archive;
    archive.put(stored.stream);
    const std::string uid = stored.data_set.text(tags::SOPInstanceUID);
    const auto instance = archive.instance(uid);
    for (const std::string_view target :
         {codec::uids::kJPEGBaseline, codec::uids::kJPEGLSNearLossless, codec::uids::kJPEG2000}) {
      if (target == stored.header.transfer_syntax_uid) continue;
      const auto result = transcoded(archive, instance.value(), target, true);
      if (!result) {
        EXPECT_TRUE(result.error() == Errc::unsupported) << to_string(result.error());
        continue;
      }
      const auto after = scan(result.value());
      ASSERT_TRUE(after);
      const dicom::DataSet& d = after.value().data_set;
      const std::string derived = d.text(tags::SOPInstanceUID);
      EXPECT_NE(derived, uid);
      EXPECT_TRUE(derived.starts_with("2.25.") && derived.size() <= 64) << derived;
      EXPECT_EQ(d.text(tags::LossyImageCompression), "01");
      EXPECT_GT(d.numbers(tags::LossyImageCompressionRatio).back(), 1.0);
      EXPECT_FALSE(d.text(tags::LossyImageCompressionMethod).empty());
      EXPECT_TRUE(d.text(tags::ImageType).starts_with("DERIVED"));
      const auto* sequence = d.find(tags::SourceImageSequence);
      ASSERT_NE(sequence, nullptr);
      EXPECT_EQ(sequence->items.back().text(tags::ReferencedSOPInstanceUID), uid);
      // The same again is the same instance.
      EXPECT_EQ(transcoded(archive, instance.value(), target, true).value(), result.value());
      ++made;
    }
  }
  EXPECT_GT(made, 10u);
}

TEST(Transcoder, ABadFrameIsNamed) {
  FakeArchive archive;
  web::testing::Sample sample;
  archive.put(web::testing::part10_of(sample));
  const auto instance = archive.instance(sample.instance);
  // The sample's pixels are no picture of its rows and columns.
  const auto result = transcoded(archive, instance.value(), codec::uids::kRLELossless);
  EXPECT_FALSE(result);
}

TEST(Transcoder, RefusesWhatNobodyCanDo) {
  const auto* mpeg = codec::find_transfer_syntax("1.2.840.10008.1.2.4.100");
  const auto* native = codec::find_transfer_syntax(codec::uids::kExplicitVRLittleEndian);
  EXPECT_FALSE(can_transcode(*mpeg, *native));
  EXPECT_FALSE(can_transcode(*native, *mpeg));
  EXPECT_TRUE(can_transcode(*native, *codec::find_transfer_syntax(codec::uids::kExplicitVRBigEndian)));
}

}  // namespace
}  // namespace cairn::transcode
