// The file seam: all that the log asks of an operating system. In production it is Linux (native_file_system()); in
// tests a double that parks operations, completes them in any order, tears them and loses what was not flushed
// (engine/io/testing/manual_file_system.h).
//
// Files of segments are opened for direct I/O where the file system can: offsets, lengths and addresses given to
// read(), write() and a Queue are multiples of kBlockBytes. Errors: out_of_space, not_found, conflict (exists), io.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::io {

enum class OpenMode {
  read,
  read_write,
  create,  ///< read_write; the file must not exist
};

class File {
 public:
  virtual ~File() = default;
  /// Blocking. Fills `into` from `offset`; fewer bytes only at the end of the file. Thread-safe.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes into) = 0;
  /// Blocking. All of `from`, or an error.
  virtual Result<> write(std::uint64_t offset, Bytes from) = 0;
  /// Blocking. Makes what has been written durable (fdatasync). After an error nothing is known about any write since
  /// the last success: never retry.
  virtual Result<> flush() = 0;
  /// Gives the file this size and its blocks, contents zero.
  virtual Result<> allocate(std::uint64_t size) = 0;
  virtual Result<> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
};

/// The end of an operation: bytes moved (0 for a flush), or the negated errno.
struct Completion {
  std::uint64_t token = 0;
  std::int64_t result = 0;
};

/// Asynchronous operations of one thread. Memory and files given to an operation stay alive until its completion.
/// Operations run in any order; a flush covers the writes that had completed when it was asked for.
class Queue {
 public:
  virtual ~Queue() = default;
  virtual void read(File& file, std::uint64_t offset, MutableBytes into, std::uint64_t token) = 0;
  virtual void write(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) = 0;
  /// A write that is durable when it completes; earlier writes are not (on a device with forced unit access, only these
  /// bytes go past its cache).
  virtual void write_through(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) = 0;
  virtual void flush(File& file, std::uint64_t token) = 0;

  /// Sends off what was asked for since the last call. At most `depth` operations may be under way.
  virtual void submit() = 0;
  /// Sends off, then returns the completions that are there; with `block`, waits for one or for wake().
  virtual std::size_t wait(std::span<Completion> completions, bool block) = 0;
  /// From any thread: ends the current or the next blocking wait().
  virtual void wake() = 0;
  virtual const char* name() const noexcept = 0;
};

struct Space {
  std::uint64_t free_bytes = 0;  ///< for us, without what the system reserves
  std::uint64_t total_bytes = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::shared_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) = 0;
  virtual Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual Result<> remove(const std::filesystem::path& path) = 0;
  virtual Result<> create_directories(const std::filesystem::path& directory) = 0;
  /// Makes creations, renames and removals in `directory` durable.
  virtual Result<> sync_directory(const std::filesystem::path& directory) = 0;
  /// Names of the files in `directory`, sorted.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& directory) = 0;
  virtual Result<Space> space(const std::filesystem::path& directory) = 0;

  /// A queue for the calling thread. Without `ring`, or where io_uring is not permitted, plain blocking calls.
  virtual std::unique_ptr<Queue> make_queue(unsigned depth, bool ring) = 0;

  virtual void random(MutableBytes bytes) = 0;
  virtual std::int64_t now_unix_ns() = 0;
};

/// The operating system's; lives for ever.
FileSystem& native_file_system();

}  // namespace cairn::io
