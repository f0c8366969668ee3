#include "engine/demo/phantom.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/core/bytes.h"
#include "engine/core/uid.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/part10.h"

namespace cairn::demo {
namespace {

dicom::DataSet parsed(const std::string& stream) {
  const auto prefix = dicom::read_prefix(as_bytes(stream));
  EXPECT_TRUE(prefix) << to_string(prefix.error());
  auto set = dicom::DataSet::parse(as_bytes(stream).subspan(prefix.value().data_set_offset), prefix.value().encoding);
  EXPECT_TRUE(set);
  return std::move(set).value();
}

// Hounsfield value at a position in patient coordinates (mm).
double hounsfield(const Phantom& p, double x, double y, double z) {
  const double distance = Phantom::kLengthMm / static_cast<double>(p.slices);
  const auto slice = static_cast<std::size_t>((Phantom::kLengthMm - z) / distance - 1 + 0.5);
  const auto set = parsed(p.part10(slice).value());
  const double spacing = *set.number(dicom::tag_of(0x00280030));
  const auto column = static_cast<std::size_t>((x + 250) / spacing + 0.5),
             row = static_cast<std::size_t>((y + 250) / spacing + 0.5);
  const auto* pixels = set.find(dicom::tag_of(0x7FE00010));
  double sum = 0;  // over a few samples, so that the grain does not decide
  for (std::size_t dy = 0; dy < 3; ++dy) {
    for (std::size_t dx = 0; dx < 3; ++dx) {
      const auto index = (row + dy - 1) * Phantom::kEdge + column + dx - 1;
      sum += load_le<std::uint16_t>(as_bytes(pixels->value).data() + 2 * index);
    }
  }
  return sum / 9 + *set.number(dicom::tag_of(0x00281052));
}

TEST(Phantom, TheSameSeedGivesTheSameBytesAndAnotherSeedAnotherStudy) {
  const Phantom a(7, 12), b(7, 12), c(8, 12);
  EXPECT_EQ(a.part10(5).value(), b.part10(5).value());
  EXPECT_NE(a.study_uid(), c.study_uid());
  EXPECT_NE(a.sop_instance_uid(5), c.sop_instance_uid(5));
  EXPECT_NE(a.part10(5).value(), c.part10(5).value());
}

TEST(Phantom, ASliceBeyondTheLastIsNotFound) {
  const Phantom p(1, 3);
  EXPECT_TRUE(p.part10(2));
  EXPECT_EQ(p.part10(3).error(), Errc::not_found);
}

TEST(Phantom, SlicesFormOneRegularStackFromTheHeadDown) {
  const Phantom p(1, 20);
  std::set<std::string> instances;
  double last = 1e9;
  for (std::size_t i = 0; i < p.slices; ++i) {
    const auto set = parsed(p.part10(i).value());
    EXPECT_EQ(set.text(dicom::tag_of(0x0020000D)), p.study_uid());
    EXPECT_EQ(set.text(dicom::tag_of(0x0020000E)), p.series_uid());
    instances.insert(set.text(dicom::tag_of(0x00080018)));
    const double z = *set.number(dicom::tag_of(0x00200032), 2);
    if (i > 0) EXPECT_NEAR(last - z, 45.0, 1e-9);
    last = z;
    EXPECT_EQ(set.find(dicom::tag_of(0x7FE00010))->value.size(), 2u * Phantom::kEdge * Phantom::kEdge);
  }
  EXPECT_EQ(instances.size(), p.slices);
  for (const auto& uid : instances) EXPECT_TRUE(is_usable_uid(uid));
}

TEST(Phantom, OrgansLieWhereAPersonHasThem) {
  const Phantom p;
  EXPECT_NEAR(hounsfield(p, 0, -150, 450), -1000, 15) << "air before the chest";
  EXPECT_NEAR(hounsfield(p, -95, 30, 520), -860, 60) << "right lung";
  EXPECT_NEAR(hounsfield(p, -100, 0, 390), 112, 15) << "liver, on the right";
  EXPECT_NEAR(hounsfield(p, 104, 44, 365), 122, 15) << "spleen, on the left";
  EXPECT_NEAR(hounsfield(p, 44, -22, 452), 230, 15) << "left ventricle";
  EXPECT_GT(hounsfield(p, 91, 8, 86), 250) << "left femoral head";
  EXPECT_NEAR(hounsfield(p, 0, -22, 96), 6, 15) << "bladder";
  EXPECT_GT(hounsfield(p, 0, 2 - 89, 800), 700) << "frontal bone";
  EXPECT_NEAR(hounsfield(p, 0, -14, 665), -1000, 40) << "airway";
}

TEST(Phantom, AnIndependentValidatorFindsNoError) {
  if (std::system("command -v dciodvfy >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "dciodvfy (package dicom3tools) is not installed";
  const Phantom p(1, 30);
  const auto folder = std::filesystem::temp_directory_path() / ("cairn_phantom_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  for (const std::size_t slice : {std::size_t{0}, std::size_t{15}, std::size_t{29}}) {
    const auto file = folder / "slice.dcm";
    const std::string stream = p.part10(slice).value();
    std::ofstream(file, std::ios::binary).write(stream.data(), static_cast<std::streamsize>(stream.size()));
    FILE* pipe = ::popen(("dciodvfy -new '" + file.string() + "' 2>&1").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string output;
    char buffer[4096];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
    ::pclose(pipe);
    EXPECT_NE(output.find("CTImage"), std::string::npos) << output;
    EXPECT_EQ(("\n" + output).find("\nError"), std::string::npos) << output;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace cairn::demo
