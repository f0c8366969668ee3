// A file system that passes everything on to another, but for what a test refuses: reads of bad blocks, opens.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "engine/io/file_system.h"

namespace cairn::store::testing {

class WrappedFiles final : public io::FileSystem {
 public:
  explicit WrappedFiles(io::FileSystem& files) : files_(files) {}

  std::set<std::pair<std::string, std::uint64_t>> bad_blocks;  ///< path and offset: reading them is an I/O error
  std::function<bool(const std::string& path, io::OpenMode mode)> refuse_open;
  std::uint64_t bytes_read = 0;

  Result<std::shared_ptr<io::File>> open(const std::filesystem::path& path, io::OpenMode mode) override {
    if (refuse_open && refuse_open(path.string(), mode)) return fail(Errc::io, "open");
    CAIRN_TRY(auto file, files_.open(path, mode));
    return std::shared_ptr<io::File>(std::make_shared<Wrapped>(std::move(file), path.string(), *this));
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
    Wrapped(std::shared_ptr<io::File> f, std::string p, WrappedFiles& o)
        : file(std::move(f)), path(std::move(p)), owner(o) {}
    Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
      const auto bad = owner.bad_blocks.lower_bound({path, io::block_down(offset)});
      if (bad != owner.bad_blocks.end() && bad->first == path && bad->second < offset + into.size()) {
        return fail(Errc::io, "read", bad->second);
      }
      auto got = file->read(offset, into);
      if (got) owner.bytes_read += got.value();
      return got;
    }
    Result<> write(std::uint64_t offset, Bytes from) override { return file->write(offset, from); }
    Result<> flush() override { return file->flush(); }
    Result<> allocate(std::uint64_t size) override { return file->allocate(size); }
    Result<> truncate(std::uint64_t size) override { return file->truncate(size); }
    Result<std::uint64_t> size() override { return file->size(); }
    std::shared_ptr<io::File> file;
    const std::string path;
    WrappedFiles& owner;
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

  io::FileSystem& files_;
};

}  // namespace cairn::store::testing
