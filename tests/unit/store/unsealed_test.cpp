// A segment that recovery could not seal, followed by segments that were flushed: what recovery dropped stays dropped.
#include <set>

#include <gtest/gtest.h>

#include "engine/io/testing/manual_file_system.h"
#include "engine/store/log_impl.h"
#include "log_fixture.h"

namespace cairn::store {
namespace {

using namespace testing;

/// Files in memory that refuse the write of a footer.
class NoFooters final : public io::FileSystem {
 public:
  explicit NoFooters(io::testing::ManualFileSystem& files) : files_(files) {}
  bool refusing = false;

  Result<std::shared_ptr<io::File>> open(const std::filesystem::path& path, io::OpenMode mode) override {
    CAIRN_TRY(auto file, files_.open(path, mode));
    return std::shared_ptr<io::File>(std::make_shared<Wrapped>(std::move(file), *this));
  }
  Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return files_.rename(from, to);
  }
  Result<> remove(const std::filesystem::path& path) override { return files_.remove(path); }
  Result<> create_directories(const std::filesystem::path& path) override { return files_.create_directories(path); }
  Result<> sync_directory(const std::filesystem::path& path) override { return files_.sync_directory(path); }
  Result<std::vector<std::string>> list(const std::filesystem::path& path) override { return files_.list(path); }
  Result<io::Space> space(const std::filesystem::path& path) override { return files_.space(path); }
  std::unique_ptr<io::Queue> make_queue(unsigned depth, bool ring) override {
    return std::make_unique<WrappedQueue>(files_.make_queue(depth, ring));
  }
  void random(MutableBytes bytes) override { files_.random(bytes); }
  std::int64_t now_unix_ns() override { return files_.now_unix_ns(); }

 private:
  struct Wrapped final : io::File {
    Wrapped(std::shared_ptr<io::File> f, NoFooters& o) : file(std::move(f)), owner(o) {}
    Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override { return file->read(offset, into); }
    Result<> write(std::uint64_t offset, Bytes from) override {
      const bool footer = looks_like_record(from.data()) && from[8] == std::byte{static_cast<int>(RecordType::footer)};
      if (owner.refusing && footer) return fail(Errc::out_of_space, "test");
      return file->write(offset, from);
    }
    Result<> flush() override { return file->flush(); }
    Result<> allocate(std::uint64_t size) override { return file->allocate(size); }
    Result<> truncate(std::uint64_t size) override { return file->truncate(size); }
    Result<std::uint64_t> size() override { return file->size(); }
    std::shared_ptr<io::File> file;
    NoFooters& owner;
  };
  struct WrappedQueue final : io::Queue {
    explicit WrappedQueue(std::unique_ptr<io::Queue> q) : queue(std::move(q)) {}
    static io::File& inner(io::File& file) { return *static_cast<Wrapped&>(file).file; }
    void read(io::File& file, std::uint64_t offset, MutableBytes into, std::uint64_t token) override {
      queue->read(inner(file), offset, into, token);
    }
    void write(io::File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
      queue->write(inner(file), offset, from, token);
    }
    void write_through(io::File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
      queue->write_through(inner(file), offset, from, token);
    }
    void flush(io::File& file, std::uint64_t token) override { queue->flush(inner(file), token); }
    void submit() override { queue->submit(); }
    std::size_t wait(std::span<io::Completion> completions, bool block) override {
      return queue->wait(completions, block);
    }
    void wake() override { queue->wake(); }
    const char* name() const noexcept override { return queue->name(); }
    std::unique_ptr<io::Queue> queue;
  };

  io::testing::ManualFileSystem& files_;
};

TEST(UnsealedSegment, WhatRecoveryDroppedStaysDropped) {
  std::uint64_t dropped = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    io::testing::ManualFileSystem memory(seed, 64u << 20);
    NoFooters files(memory);
    io::BufferPool pool(4u << 20, 128u << 10);
    LogOptions options = options_in("/log", 1u << 20);
    options.prewritten_bytes = 0;
    std::set<std::string> acknowledged;
    std::uint64_t sent = 0;
    const auto send = [&](Log& log) {
      const std::string uid = "1.2." + std::to_string(++sent);
      const auto done = [&acknowledged, uid](Result<Outcome> outcome) {
        if (outcome) acknowledged.insert(uid);
      };
      store(log, pool, prepare(uid, 90'000, sent), done, 40'000);
    };
    const auto finish = [&](LogImpl& log) {
      for (int i = 0; i < 60; ++i) {
        log.step();
        memory.complete_one();
      }
    };
    const auto live = [&](Remembering& applier) {
      auto log = LogImpl::open(options, files, Threads::caller).value();
      const auto replayed = log->replay("", applier);
      EXPECT_TRUE(replayed && replayed.value().faults.empty()) << "seed " << seed;
      if (replayed) dropped += replayed.value().dropped_unfinished;
      files.refusing = false;
      EXPECT_TRUE(log->start(applier));
      return log;
    };
    {
      Remembering applier;
      auto log = live(applier);
      send(*log);
      finish(*log);
      for (int i = 0; i < 4; ++i) send(*log);
      log->step();
      if (seed % 4 != 0) memory.complete_one();  // written and not flushed
      memory.cut_power_now();
    }
    memory.reboot();
    files.refusing = true;  // while it recovers
    {
      Remembering applier;
      auto log = live(applier);
      send(*log);
      finish(*log);
      memory.cut_power_now();
    }
    memory.reboot();
    Remembering applier;  // checks ascending sequences itself
    auto log = live(applier);
    for (const std::string& uid : acknowledged) EXPECT_TRUE(applier.instances.contains(uid)) << seed << ' ' << uid;
    for (const auto& [uid, record] : applier.instances) {
      EXPECT_TRUE(read_stream(*log, record)) << "seed " << seed << ", half written: " << uid;
    }
  }
  EXPECT_GT(dropped, 50u);
}

}  // namespace
}  // namespace cairn::store
