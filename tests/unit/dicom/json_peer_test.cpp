// Our JSON against dcm2json's (DCMTK) on real files whose pixel data is native: the same attributes, VRs and values.
#include <cmath>
#include <cstdio>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "engine/dicom/json.h"
#include "scan_outcome.h"
#include "test_data.h"

namespace cairn::dicom {
namespace {

using namespace test;
namespace json = boost::json;

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  return pclose(pipe) == 0 ? out : std::string();
}

bool is_number(const json::value& v) {
  return v.is_number();
}

// Numbers by value (DCMTK prints floats with other digits), everything else exactly; what is left out of the index is
// not compared. Says where the first difference is.
std::string difference(const json::value& ours, const json::value& theirs, const std::string& at) {
  if (is_number(ours) && is_number(theirs)) {
    const double a = ours.to_number<double>(), b = theirs.to_number<double>();
    return std::fabs(a - b) <= 1e-6 * std::max(std::fabs(a), std::fabs(b)) ? "" : at;
  }
  if (ours.is_array() && theirs.is_array()) {
    if (ours.as_array().size() != theirs.as_array().size()) return at + " count";
    for (std::size_t i = 0; i < ours.as_array().size(); ++i) {
      const std::string d = difference(ours.at(i), theirs.at(i), at + "/" + std::to_string(i));
      if (!d.empty()) return d;
    }
    return "";
  }
  if (ours.is_object() && theirs.is_object()) {
    if (ours.as_object().contains("BulkDataURI")) return "";
    for (const auto& [name, value] : ours.as_object()) {
      const json::value* other = theirs.as_object().if_contains(name);
      if (other == nullptr) return at + "/" + std::string(name) + " only ours " + json::serialize(value).substr(0, 80);
      const std::string d = difference(value, *other, at + "/" + std::string(name));
      if (!d.empty()) return d;
    }
    for (const auto& [name, value] : theirs.as_object()) {
      if (!ours.as_object().contains(name))
        return at + "/" + std::string(name) + " only theirs " + json::serialize(value).substr(0, 80);
    }
    return "";
  }
  return ours == theirs ? ""
                        : at + " " + json::serialize(ours).substr(0, 80) + " " + json::serialize(theirs).substr(0, 80);
}

TEST(JsonPeer, AgreesWithDcm2json) {
  CAIRN_NEEDS_TEST_DATA();
  if (output_of("dcm2json --version 2>/dev/null").empty()) GTEST_SKIP() << "dcm2json (DCMTK) is not installed";
  std::size_t compared = 0, unread = 0;
  for (const auto& path : part10_files()) {
    const std::string folder = *std::filesystem::relative(path, data_dir()).begin();
    if (std::filesystem::file_size(path) > 100000 || folder == "volumes" || folder == "malformed") continue;
    const ScanOutcome scan = scan_whole(read_file(path));
    if (!scan.error.empty()) continue;
    const auto header = Header::deserialize(as_bytes(scan.header));
    std::string ours;
    ASSERT_TRUE(append_json(ours, header.value(), "/b"));
    const std::string theirs = output_of("dcm2json -q '" + path.string() + "' 2>/dev/null");
    json::error_code error;
    const json::value peer = json::parse(theirs, error);
    if (error) {
      ++unread;
      continue;
    }
    EXPECT_EQ(difference(json::parse(ours), peer, ""), "") << path;
    ++compared;
  }
  std::printf("%zu files compared, %zu that dcm2json does not write\n", compared, unread);
  EXPECT_GT(compared, 50u);
}

}  // namespace
}  // namespace cairn::dicom
