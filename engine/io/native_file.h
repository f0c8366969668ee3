// A file of the operating system, and how its errors become ours. For engine/io only.
#pragma once

#include "engine/io/file_system.h"

namespace cairn::io {

/// out_of_space, not_found, conflict or io.
Error translate_errno(int error_number, const char* where, std::uint64_t offset = 0) noexcept;

class NativeFile final : public File {
 public:
  explicit NativeFile(int fd) noexcept;
  ~NativeFile() override;
  NativeFile(const NativeFile&) = delete;
  NativeFile& operator=(const NativeFile&) = delete;

  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override;
  Result<> write(std::uint64_t offset, Bytes from) override;
  Result<> flush() override;
  Result<> allocate(std::uint64_t size) override;
  Result<> truncate(std::uint64_t size) override;
  Result<std::uint64_t> size() override;

  int fd() const noexcept { return fd_; }
  /// Whether a write with RWF_DSYNC is known to be durable when it ends. Some file systems take the flag and do nothing
  /// (FUSE with direct I/O).
  bool honours_dsync() const noexcept { return honours_dsync_; }

 private:
  int fd_;
  bool honours_dsync_;
};

/// Queues of native files. The ring one returns null where io_uring is not permitted.
std::unique_ptr<Queue> make_ring_queue(unsigned depth, int& error_number);
std::unique_ptr<Queue> make_plain_queue();

}  // namespace cairn::io
