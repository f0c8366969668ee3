#include "engine/web/spool.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace cairn::web {

Spool::~Spool() {
  if (file_ >= 0) ::close(file_);
}

Result<> Spool::append(Bytes bytes) {
  if (file_ < 0) {
    std::string name = (directory_ / "spool-XXXXXX").string();
    file_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (file_ < 0) return fail_errno(errno, "file for bulk data");
    ::unlink(name.c_str());
  }
  while (!bytes.empty()) {
    const ::ssize_t wrote = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<::off_t>(size_));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && (errno == ENOSPC || errno == EDQUOT)) return fail(Errc::out_of_space, "file for bulk data");
    if (wrote <= 0) return fail_errno(wrote < 0 ? errno : EIO, "file for bulk data");
    size_ += static_cast<std::uint64_t>(wrote);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return outcome::success();
}

Result<std::size_t> Spool::read(std::uint64_t offset, MutableBytes into) const {
  std::size_t done = 0;
  while (done < into.size() && file_ >= 0) {
    const ::ssize_t got = ::pread(file_, into.data() + done, into.size() - done, static_cast<::off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "file for bulk data");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void Spool::release(dicom::Extent extent) noexcept {
  if (file_ < 0 || extent.length == 0) return;
  // Where a file system cannot do it, the space comes back with the end of the request.
  (void)::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<::off_t>(extent.offset),
                    static_cast<::off_t>(extent.length));
}

}  // namespace cairn::web
