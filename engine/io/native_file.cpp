#include "engine/io/native_file.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace cairn::io {
namespace {

constexpr std::int64_t kXfsMagic = 0x58465342;  // not in linux/magic.h of every version

bool file_system_honours_dsync(int fd) noexcept {
  struct statfs about{};
  if (::fstatfs(fd, &about) != 0) return false;
  const auto type = static_cast<std::int64_t>(about.f_type);
  return type == EXT4_SUPER_MAGIC || type == kXfsMagic || type == BTRFS_SUPER_MAGIC;
}

}  // namespace

Error translate_errno(int error_number, const char* where, std::uint64_t offset) noexcept {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return fail(Errc::out_of_space, where, offset);
    case ENOENT:
      return fail(Errc::not_found, where, offset);
    case EEXIST:
      return fail(Errc::conflict, where, offset);
    default:
      return fail(Errc::io, where, offset);
  }
}

NativeFile::NativeFile(int fd) noexcept : fd_(fd), honours_dsync_(file_system_honours_dsync(fd)) {}

NativeFile::~NativeFile() {
  ::close(fd_);
}

Result<std::size_t> NativeFile::read(std::uint64_t offset, MutableBytes into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return translate_errno(errno, "read", offset + done);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
    // Direct reads end short only at the end of the file, where the next one could not be aligned.
    if (done % 512 != 0) break;
  }
  return done;
}

Result<> NativeFile::write(std::uint64_t offset, Bytes from) {
  std::size_t done = 0;
  while (done < from.size()) {
    const ssize_t n = ::pwrite(fd_, from.data() + done, from.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return translate_errno(errno, "write", offset + done);
    if (n == 0) return fail(Errc::io, "write", offset + done);
    done += static_cast<std::size_t>(n);
  }
  return outcome::success();
}

Result<> NativeFile::flush() {
  if (::fdatasync(fd_) != 0) return translate_errno(errno, "flush");
  return outcome::success();
}

Result<> NativeFile::allocate(std::uint64_t size) {
  int rc;
  do rc = ::fallocate(fd_, 0, 0, static_cast<off_t>(size));
  while (rc != 0 && errno == EINTR);
  if (rc == 0) return outcome::success();
  if (errno == EOPNOTSUPP) return truncate(size);
  return translate_errno(errno, "allocate");
}

Result<> NativeFile::truncate(std::uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return translate_errno(errno, "truncate");
  return outcome::success();
}

Result<std::uint64_t> NativeFile::size() {
  struct stat status{};
  if (::fstat(fd_, &status) != 0) return translate_errno(errno, "size");
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace cairn::io
