// One process holds a data directory: an advisory lock (flock) on its file `lock`, which names the holder's process id.
// The kernel lets go of it when the process ends, however it ends.
#pragma once

#include <filesystem>

#include "engine/core/result.h"

namespace cairn::archive {

class DirectoryLock {
 public:
  /// Makes the directory when it is missing. Errors: conflict (held by another process), io.
  static Result<DirectoryLock> take(const std::filesystem::path& directory);
  ~DirectoryLock() { release(); }
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;

  void release() noexcept;

 private:
  explicit DirectoryLock(int fd) noexcept : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace cairn::archive
