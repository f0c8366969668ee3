// An archive in a temporary directory, and coroutines run to their end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "engine/archive/archive.h"
#include "engine/archive/file_feed.h"
#include "tests/unit/index/sample.h"

namespace cairn::archive::test {

namespace fs = std::filesystem;
using store::test::Sample;

inline std::optional<fs::path> real_data() {
  const char* from_environment = std::getenv("DICOM_TEST_DATA_DIR");
  const fs::path data = from_environment != nullptr ? from_environment : CAIRN_TEST_DATA_DIR;
  if (!fs::exists(data)) return std::nullopt;
  return data;
}

inline std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

inline Options small_options(const fs::path& directory) {
  Options o;
  o.directory = directory;
  o.log.segment_bytes = 16u << 20;
  o.log.reserve_bytes = 1u << 20;
  o.log.prewritten_bytes = 0;
  o.log.read_cache_bytes = 16u << 20;
  o.in_flight_bytes = 8u << 20;
  o.part_bytes = 256u << 10;
  o.index_cache_bytes = 8u << 20;
  return o;
}

/// Starts a coroutine whose result goes to `result`, which outlives it. (A Result has no default, so it cannot be what
/// a spawned coroutine returns.)
template <class Executor, class T>
void spawn(Executor& where, asio::awaitable<T> task, std::optional<T>& result, asio::cancellation_slot slot = {}) {
  const auto keep = [](asio::awaitable<T> inner, std::optional<T>& into) -> asio::awaitable<void> {
    into.emplace(co_await std::move(inner));
  };
  const auto ended = [](std::exception_ptr failed) {
    if (failed) std::rethrow_exception(failed);
  };
  asio::co_spawn(where, keep(std::move(task), result), asio::bind_cancellation_slot(slot, ended));
}

/// Runs one coroutine on this thread until it has ended.
template <class T>
T run(asio::awaitable<T> task) {
  asio::io_context context;
  std::optional<T> result;
  spawn(context, std::move(task), result);
  context.run();
  return std::move(*result);
}

/// Receives `stream` in pieces of `piece` bytes.
inline Task<Receiver::Stored> receive(Archive& archive, std::string stream, Source source = {},
                                      Announced announced = {}, std::size_t piece = 48 * 1024) {
  CAIRN_CO_TRY(const auto receiver, archive.receive(std::move(source), std::move(announced)));
  for (std::size_t i = 0; i < stream.size(); i += piece) {
    CAIRN_CO_TRYV(co_await receiver->write(as_bytes(std::string_view(stream).substr(i, piece))));
  }
  co_return co_await receiver->commit();
}

/// As receive(), of a file that may lack preamble or meta header.
inline Task<Receiver::Stored> import(Archive& archive, std::string file) {
  CAIRN_CO_TRY(const auto receiver, archive.receive({}, {}));
  FileFeed feed(*receiver);
  CAIRN_CO_TRYV(co_await feed.write(as_bytes(file)));
  CAIRN_CO_TRYV(co_await feed.finish());
  co_return co_await receiver->commit();
}

inline std::string stored_stream(Archive& archive, const Instance& instance) {
  const auto reader = archive.open(instance);
  std::string out(static_cast<std::size_t>(reader->size()), '\0');
  const auto read = reader->read(0, MutableBytes(reinterpret_cast<std::byte*>(out.data()), out.size()));
  EXPECT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read.value(), out.size());
  return out;
}
inline std::string stored_stream(Archive& archive, std::string_view sop_uid) {
  const auto instance = archive.instance(sop_uid);
  EXPECT_TRUE(instance) << sop_uid << ": " << to_string(instance.error());
  return instance ? stored_stream(archive, instance.value()) : std::string();
}

class ArchiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cairn-archive-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    options_ = small_options(directory_ / "data");
  }
  void TearDown() override {
    archive_.reset();
    fs::remove_all(directory_);
  }

  Archive& open() {
    archive_.reset();
    auto opened = Archive::open(options_, workers_);
    EXPECT_TRUE(opened) << to_string(opened.error());
    archive_ = std::move(opened).value();
    return *archive_;
  }
  Archive& archive() { return archive_ ? *archive_ : open(); }
  Result<Receiver::Stored> store(const Sample& sample) {
    Source source;
    source.duplicate_policy = sample.policy;
    return run(receive(archive(), sample.stream(), source));
  }
  std::string dump() {
    std::string out;
    EXPECT_TRUE(archive().dump_index([&](std::string_view line) { (out += line) += '\n'; }));
    return out;
  }
  std::vector<Match> find(Query query) {
    std::vector<Match> out;
    const auto found = archive().find(query, [&](Match&& match) {
      out.push_back(std::move(match));
      return true;
    });
    EXPECT_TRUE(found) << to_string(found.error());
    return out;
  }

  fs::path directory_;
  Options options_;
  io::WorkerPool workers_{2, "test"};
  std::unique_ptr<Archive> archive_;
};

}  // namespace cairn::archive::test
