#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <random>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/core/log.h"
#include "engine/io/native_file.h"

namespace cairn::io {
namespace {

class NativeFileSystem final : public FileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_DIRECT;
    if (mode == OpenMode::read) flags |= O_RDONLY;
    if (mode == OpenMode::read_write) flags |= O_RDWR;
    if (mode == OpenMode::create) flags |= O_RDWR | O_CREAT | O_EXCL;
    int fd = ::open(path.c_str(), flags, 0640);
    if (fd < 0 && errno == EINVAL) {  // this file system has no direct I/O
      // Where O_CREAT made the file before direct I/O was refused, O_EXCL would now find it.
      if (mode == OpenMode::create) flags &= ~O_EXCL;
      fd = ::open(path.c_str(), flags & ~O_DIRECT, 0640);
    }
    if (fd < 0) return translate_errno(errno, "open");
    return std::shared_ptr<File>(std::make_shared<NativeFile>(fd));
  }

  Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return translate_errno(errno, "rename");
    return outcome::success();
  }

  Result<> remove(const std::filesystem::path& path) override {
    if (::unlink(path.c_str()) != 0) return translate_errno(errno, "remove");
    return outcome::success();
  }

  Result<> create_directories(const std::filesystem::path& directory) override {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return translate_errno(error.value(), "create directory");
    return outcome::success();
  }

  Result<> sync_directory(const std::filesystem::path& directory) override {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return translate_errno(errno, "open directory");
    const int rc = ::fsync(fd);
    const int error_number = errno;
    ::close(fd);
    if (rc != 0) return translate_errno(error_number, "sync directory");
    return outcome::success();
  }

  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) return translate_errno(error.value(), "list directory");
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<Space> space(const std::filesystem::path& directory) override {
    struct statvfs status{};
    if (::statvfs(directory.c_str(), &status) != 0) return translate_errno(errno, "free space");
    return Space{static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize,
                 static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize};
  }

  std::unique_ptr<Queue> make_queue(unsigned depth, bool ring) override {
    if (!ring) return make_plain_queue();
    int error_number = 0;
    if (auto queue = make_ring_queue(depth, error_number)) return queue;
    static std::once_flag said;
    std::call_once(said, [&] {
      log::warning("io_uring is not available, plain writes are used",
                   {{"cause", std::generic_category().message(error_number)}});
    });
    return make_plain_queue();
  }

  void random(MutableBytes bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = ::getrandom(bytes.data() + done, bytes.size() - done, 0);
      if (n > 0) done += static_cast<std::size_t>(n);
    }
  }

  std::int64_t now_unix_ns() override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace

FileSystem& native_file_system() {
  static NativeFileSystem files;
  return files;
}

}  // namespace cairn::io
