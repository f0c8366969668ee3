// Where the real files are (environment variable DICOM_TEST_DATA_DIR, else the build's setting), and reading them.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace cairn::dicom::test {

inline std::filesystem::path data_dir() {
  const char* set = std::getenv("DICOM_TEST_DATA_DIR");
  return set != nullptr && *set != '\0' ? set : CAIRN_TEST_DATA_DIR;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// All files below the data folder that have "DICM" at 128, sorted.
inline std::vector<std::filesystem::path> part10_files() {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::is_directory(data_dir())) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_dir())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    char first[132] = {};
    in.read(first, sizeof first);
    if (std::string(first + 128, 4) == "DICM") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

#define CAIRN_NEEDS_TEST_DATA()                                         \
  if (!std::filesystem::is_directory(::cairn::dicom::test::data_dir())) \
  GTEST_SKIP() << "no real files: set DICOM_TEST_DATA_DIR"

}  // namespace cairn::dicom::test
