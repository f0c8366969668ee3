// Promises over all real files: any chunking gives the same scan, stored extents give the same header again, and what
// the scan accepts the parser and the JSON writer read.
#include <map>
#include <set>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/json.h"
#include "engine/dicom/part10.h"
#include "scan_outcome.h"
#include "stream_builder.h"
#include "test_data.h"

namespace cairn::dicom {
namespace {

using namespace test;

std::string name_of(const std::filesystem::path& path) {
  return std::filesystem::relative(path, data_dir()).generic_string();
}

void expect_rescan(const std::string& stream, const ScanOutcome& whole, const std::string& name) {
  std::string kept;
  for (const Extent& e : whole.extents) kept.append(stream, e.offset, e.length);
  const auto header = HeaderScanner::rescan(whole.extents, as_bytes(kept), stream.size());
  ASSERT_TRUE(header) << name << ": " << to_string(header.error());
  EXPECT_EQ(header.value().serialize(), whole.header) << name;
}

void expect_readable(const ScanOutcome& whole, const std::string& name) {
  const auto header = Header::deserialize(as_bytes(whole.header));
  ASSERT_TRUE(header) << name << ": " << to_string(header.error());
  EXPECT_EQ(header.value().serialize(), whole.header) << name;
  const auto set = DataSet::parse(header.value());
  ASSERT_TRUE(set) << name << ": " << to_string(set.error());
  EXPECT_EQ(set.value().text(tags::SOPInstanceUID), whole.key.sop_instance_uid) << name;
  EXPECT_EQ(set.value().text(tags::SeriesInstanceUID), whole.key.series_instance_uid) << name;
  std::string fast, slow;
  ASSERT_TRUE(append_json(fast, header.value(), "/bulk")) << name;
  append_json(slow, set.value(), "/bulk");
  EXPECT_EQ(fast, slow) << name;
  boost::json::parse_options deep;
  deep.max_depth = 300;
  boost::json::error_code error;
  const auto parsed = boost::json::parse(fast, error, {}, deep);
  ASSERT_FALSE(error) << name << ": " << error.message();
  EXPECT_EQ(parsed.at("0020000E").at("Value").at(0).as_string(), whole.key.series_instance_uid) << name;
}

TEST(HeaderScanFiles, ChunkingExtentsParserAndJsonAgree) {
  CAIRN_NEEDS_TEST_DATA();
  std::random_device device;
  const std::uint64_t seed = device();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::map<std::string, int> refused;
  std::size_t accepted = 0;
  for (const auto& path : part10_files()) {
    const std::string name = name_of(path), stream = read_file(path);
    const ScanOutcome whole = scan_whole(stream);
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(scan_at_random(stream, seed + i), whole) << name;
    if (stream.size() < 20000) {
      EXPECT_EQ(scan_in_pieces(stream, [](std::size_t) { return std::size_t{1}; }), whole) << name;
    }
    if (!whole.error.empty()) {
      ++refused[whole.error];
      if (std::getenv("CAIRN_TEST_VERBOSE")) std::printf("%s: %s\n", name.c_str(), whole.error.c_str());
      continue;
    }
    ++accepted;
    expect_rescan(stream, whole, name);
    expect_readable(whole, name);
  }
  std::printf("%zu accepted\n", accepted);
  for (const auto& [error, count] : refused) std::printf("%d refused: %s\n", count, error.c_str());
  EXPECT_GT(accepted, 1000u);
}

}  // namespace
}  // namespace cairn::dicom
