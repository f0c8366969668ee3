// The web server over the real archive, and real files posted into it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "engine/core/uid.h"
#include "engine/dicom/part10.h"
#include "tests/unit/web/test_client.h"
#include "tests/unit/web/test_server.h"

namespace cairn::web::testing {

inline std::string file_content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

class ArchiveFixture : public ::testing::Test {
 protected:
  /// Other options of the server.
  virtual ServerOptions options() { return {}; }
  void SetUp() override {
    const char* from_environment = std::getenv("DICOM_TEST_DATA_DIR");
    data_ = from_environment != nullptr ? from_environment : CAIRN_TEST_DATA_DIR;
    if (!std::filesystem::exists(data_)) GTEST_SKIP() << "no real DICOM files: DICOM_TEST_DATA_DIR does not exist";
    directory_ = std::filesystem::temp_directory_path() / ("cairn-web-test-" + new_uid());
    std::filesystem::create_directories(directory_);
    archive::Options archive_options;
    archive_options.directory = directory_;
    archive_options.log.segment_bytes = 32u << 20;
    archive_options.log.reserve_bytes = 1u << 20;
    archive_options.log.prewritten_bytes = 0;
    archive_options.log.read_cache_bytes = 32u << 20;
    archive_options.in_flight_bytes = 16u << 20;
    archive_options.index_cache_bytes = 8u << 20;
    auto opened = archive::Archive::open(archive_options, pool_);
    ASSERT_TRUE(opened) << to_string(opened.error());
    archive_ = std::move(opened).value();
    server_ = std::make_unique<ServerHarness>(*archive_, options(), true);
  }
  void TearDown() override {
    server_.reset();
    if (archive_) archive_->close();
    archive_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  struct Stored {
    std::string file, path;  ///< bytes, and the instance's path in DICOMweb
    std::string name;
    bool complete = false;  ///< a Part 10 file as it is
  };
  /// Posts every file below the folders. Those that are no instance or are refused are left out.
  std::vector<Stored> post_all(const std::vector<std::string>& folders) {
    std::vector<Stored> stored;
    TestClient client(server_->port());
    for (const auto& folder : folders) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(data_ / folder)) {
        if (!entry.is_regular_file()) continue;
        Stored one;
        one.file = file_content(entry.path());
        const Reply reply =
            client.request("POST", "/api/v1/instances", {{"Content-Type", "application/dicom"}}, one.file);
        if (reply.status != 200) {
          EXPECT_TRUE(reply.status == 415 || reply.status == 400) << entry.path() << ' ' << reply.status << reply.body;
          continue;
        }
        const auto answer = boost::json::parse(reply.body);
        const auto text = [&](const char* key) { return std::string(answer.at(key).as_string()); };
        one.path = "/dicom-web/studies/" + text("study_instance_uid") + "/series/" + text("series_instance_uid") +
                   "/instances/" + text("sop_instance_uid");
        const auto prefix = dicom::read_prefix(as_bytes(one.file));
        one.complete = prefix && prefix.value().is_complete();
        // A second file under the same UID takes the place of the first.
        one.name = entry.path().string();
        std::erase_if(stored, [&](const Stored& other) { return other.path == one.path; });
        stored.push_back(std::move(one));
      }
    }
    return stored;
  }
  Reply get(std::string_view target, const TestClient::Fields& fields = {}) {
    return web::testing::get(server_->port(), target, fields);
  }

  std::filesystem::path data_, directory_;
  io::WorkerPool pool_{2, "archive"};
  std::unique_ptr<archive::Archive> archive_;
  std::unique_ptr<ServerHarness> server_;
};

}  // namespace cairn::web::testing
