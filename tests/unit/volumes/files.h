// Series of files read as the archive would give them: header scan, parsed header, bytes to open. No archive involved.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/header_scan.h"
#include "engine/volumes/builder.h"

namespace cairn::volumes::test {

struct File {
  std::string bytes;  // complete Part 10 stream
  dicom::KeyAttributes key;
  dicom::Header header;
  std::uint64_t data_set_offset = 0;
  dicom::Extent pixel_data;
};

inline std::filesystem::path data_folder() {
  const char* from_outside = std::getenv("DICOM_TEST_DATA_DIR");
  return from_outside != nullptr ? from_outside : CAIRN_TEST_DATA_DIR;
}

inline Result<File> scan(std::string bytes) {
  File f;
  dicom::HeaderScanner scanner;
  CAIRN_TRYV(scanner.feed(as_bytes(bytes)));
  CAIRN_TRYV(scanner.finish());
  f.key = scanner.key();
  f.data_set_offset = scanner.data_set_offset();
  f.pixel_data = scanner.pixel_data();
  f.header = scanner.take_header();
  f.bytes = std::move(bytes);
  return f;
}

using Series = std::vector<File>;

/// The series of a folder by Series Instance UID, files in the order of their names.
inline std::map<std::string, Series> read_folder(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::map<std::string, Series> series;
  for (const auto& path : paths) {
    std::ifstream stream(path, std::ios::binary);
    auto file = scan(std::string(std::istreambuf_iterator<char>(stream), {}));
    EXPECT_TRUE(file) << path << ": " << (file ? "" : to_string(file.error()));
    if (file) series[file.value().key.series_instance_uid].push_back(std::move(file.value()));
  }
  return series;
}

inline Result<SeriesPlan> plan_of(const Series& files) {
  SeriesReader reader;
  for (const File& f : files) {
    CAIRN_TRY(const dicom::DataSet d, dicom::DataSet::parse(f.header));
    CAIRN_TRYV(reader.add(f.key.sop_instance_uid, f.header.transfer_syntax_uid, d));
  }
  return reader.finish();
}

class FileOpener final : public InstanceOpener {
 public:
  explicit FileOpener(const Series& files) : files_(files) {}
  Result<std::unique_ptr<codec::ByteSource>> open(std::size_t instance) const override {
    return std::unique_ptr<codec::ByteSource>(std::make_unique<codec::SpanSource>(as_bytes(files_[instance].bytes)));
  }

 private:
  const Series& files_;
};

}  // namespace cairn::volumes::test
