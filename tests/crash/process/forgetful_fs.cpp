// forgetful_fs BACKING MOUNTPOINT: a FUSE pass-through that models a disk with a volatile cache and a power switch.
//
// A write is held in memory until its file is flushed (fsync or fdatasync); a name that was created, renamed or removed
// is provisional until its directory is. Lines written to MOUNTPOINT/.control:
//   forget     the power fails: held writes are dropped and provisional names undone; what was flushed stays
//   eio on     every write and flush fails with EIO from now on         eio off
//   eio N      only the next N of them
//   enospc on  every write fails with ENOSPC from now on                enospc off
// Truncation, allocation and mkdir take effect at once. Reads see held writes. Runs in the foreground until unmounted.
#define FUSE_USE_VERSION 31
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace {

constexpr const char* kControl = "/.control";
constexpr const char* kTrash = "/.forgetful_trash";

struct Write {
  off_t offset;
  std::vector<char> bytes;
  off_t end() const { return offset + static_cast<off_t>(bytes.size()); }
};

// How to take back a name that its directory has not made durable. `saved` is in the trash.
struct Undo {
  enum class Kind { created, removed, renamed } kind;
  std::string directory, name, saved;  // renamed: `name` is the new name, `from` the old one
  std::string from;
};

std::string backing;
std::mutex mutex;  // guards what follows; held during system calls too: order matters more than speed here
std::map<ino_t, std::vector<Write>> held;
std::vector<Undo> provisional;
bool full = false;
long failures = 0;  // that are still to come; negative: without end

unsigned long trash_count = 0;

std::string real(const std::string& path) {
  return backing + path;
}
std::string parent(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}
int result(long r) {
  return r < 0 ? -errno : static_cast<int>(r);
}
int fd_of(const fuse_file_info* file) {
  return static_cast<int>(file->fh);
}

std::vector<Write>* writes_of(int fd) {
  struct stat s{};
  return ::fstat(fd, &s) == 0 ? &held[s.st_ino] : nullptr;
}

int apply(int fd) {
  auto* writes = writes_of(fd);
  if (writes == nullptr) return -errno;
  for (const Write& w : *writes) {
    if (::pwrite(fd, w.bytes.data(), w.bytes.size(), w.offset) != static_cast<ssize_t>(w.bytes.size())) return -errno;
  }
  writes->clear();
  return 0;
}

void drop_beyond(std::vector<Write>& writes, off_t size) {
  for (auto& w : writes) {
    if (w.end() > size) w.bytes.resize(static_cast<std::size_t>(std::max<off_t>(0, size - w.offset)));
  }
  std::erase_if(writes, [](const Write& w) { return w.bytes.empty(); });
}

// Moves a file out of sight so that it can come back; empty when there was none.
std::string keep(const std::string& path) {
  const std::string saved = std::string(kTrash) + "/" + std::to_string(trash_count++);
  return ::rename(real(path).c_str(), real(saved).c_str()) == 0 ? saved : "";
}

void forget_everything() {
  held.clear();
  for (auto u = provisional.rbegin(); u != provisional.rend(); ++u) {
    switch (u->kind) {
      case Undo::Kind::created:
        ::unlink(real(u->name).c_str());
        break;
      case Undo::Kind::removed:
        ::rename(real(u->saved).c_str(), real(u->name).c_str());
        break;
      case Undo::Kind::renamed:
        ::rename(real(u->name).c_str(), real(u->from).c_str());
        if (!u->saved.empty()) ::rename(real(u->saved).c_str(), real(u->name).c_str());
        break;
    }
  }
  provisional.clear();
}

void make_names_durable(const std::string& directory) {
  for (const Undo& u : provisional) {
    if (u.directory == directory && !u.saved.empty()) ::unlink(real(u.saved).c_str());
  }
  std::erase_if(provisional, [&](const Undo& u) { return u.directory == directory; });
}

bool fails() {
  if (failures > 0) return failures-- > 0;
  return failures != 0;
}

int command(std::string line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  if (line.starts_with("eio ") && std::isdigit(static_cast<unsigned char>(line[4])) != 0) {
    failures = std::strtol(line.c_str() + 4, nullptr, 10);
  } else if (line == "forget") {
    forget_everything();
  } else if (line == "eio on" || line == "eio off") {
    failures = line == "eio on" ? -1 : 0;
  } else if (line == "enospc on" || line == "enospc off") {
    full = line == "enospc on";
  } else {
    return -EINVAL;
  }
  return 0;
}

// ---- operations ----------------------------------------------------------------------------------------------------

int fs_getattr(const char* path, struct stat* s, fuse_file_info*) {
  const std::lock_guard lock(mutex);
  if (std::strcmp(path, kControl) == 0) {
    *s = {};
    s->st_mode = S_IFREG | 0600;
    s->st_nlink = 1;
    return 0;
  }
  if (std::strncmp(path, kTrash, std::strlen(kTrash)) == 0) return -ENOENT;
  if (::lstat(real(path).c_str(), s) != 0) return -errno;
  if (const auto it = held.find(s->st_ino); S_ISREG(s->st_mode) && it != held.end()) {
    for (const Write& w : it->second) s->st_size = std::max(s->st_size, w.end());
  }
  return 0;
}

int fs_readdir(const char* path, void* out, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
  const std::lock_guard lock(mutex);
  DIR* d = ::opendir(real(path).c_str());
  if (d == nullptr) return -errno;
  while (const dirent* e = ::readdir(d)) {
    if (std::strcmp(e->d_name, kTrash + 1) != 0) fill(out, e->d_name, nullptr, 0, static_cast<fuse_fill_dir_flags>(0));
  }
  ::closedir(d);
  return 0;
}

int fs_mkdir(const char* path, mode_t mode) {
  return result(::mkdir(real(path).c_str(), mode));
}
int fs_rmdir(const char* path) {
  return result(::rmdir(real(path).c_str()));
}
int fs_chmod(const char* path, mode_t mode, fuse_file_info*) {
  return result(::chmod(real(path).c_str(), mode));
}
int fs_chown(const char* path, uid_t u, gid_t g, fuse_file_info*) {
  return result(::lchown(real(path).c_str(), u, g));
}
int fs_utimens(const char* path, const timespec times[2], fuse_file_info*) {
  return result(::utimensat(AT_FDCWD, real(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}
int fs_statfs(const char* path, struct statvfs* s) {
  return result(::statvfs(real(path).c_str(), s));
}

int fs_create(const char* path, mode_t mode, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  const bool existed = ::access(real(path).c_str(), F_OK) == 0;
  const int fd = ::open(real(path).c_str(), O_RDWR | O_CREAT | (file->flags & O_EXCL) | (file->flags & O_TRUNC), mode);
  if (fd < 0) return -errno;
  if (!existed) provisional.push_back({Undo::Kind::created, parent(path), path, "", ""});
  if ((file->flags & O_TRUNC) != 0) writes_of(fd)->clear();
  file->fh = static_cast<std::uint64_t>(fd);
  file->direct_io = 1;
  return 0;
}

int fs_open(const char* path, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  file->direct_io = 1;
  if (std::strcmp(path, kControl) == 0) {
    file->fh = UINT64_MAX;
    return 0;
  }
  // For writing too: a flush through a reading descriptor makes durable what another one wrote.
  int fd = ::open(real(path).c_str(), O_RDWR);
  if (fd < 0) fd = ::open(real(path).c_str(), O_RDONLY);
  if (fd < 0) return -errno;
  if ((file->flags & O_TRUNC) != 0) {
    if (::ftruncate(fd, 0) != 0) {
      const int error = errno;
      ::close(fd);
      return -error;
    }
    writes_of(fd)->clear();
  }
  file->fh = static_cast<std::uint64_t>(fd);
  return 0;
}

int fs_read(const char*, char* out, size_t size, off_t offset, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  if (file->fh == UINT64_MAX) return 0;
  ssize_t n = ::pread(fd_of(file), out, size, offset);
  if (n < 0) return -errno;
  std::memset(out + n, 0, size - static_cast<std::size_t>(n));
  for (const Write& w : *writes_of(fd_of(file))) {
    const off_t from = std::max(offset, w.offset), to = std::min(offset + static_cast<off_t>(size), w.end());
    if (from >= to) continue;
    std::memcpy(out + (from - offset), w.bytes.data() + (from - w.offset), static_cast<std::size_t>(to - from));
    n = std::max<ssize_t>(n, to - offset);
  }
  return static_cast<int>(n);
}

int fs_write(const char*, const char* in, size_t size, off_t offset, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  if (file->fh == UINT64_MAX) {
    const int r = command(std::string(in, size));
    return r == 0 ? static_cast<int>(size) : r;
  }
  if (fails()) return -EIO;
  if (full) return -ENOSPC;
  writes_of(fd_of(file))->push_back({offset, std::vector<char>(in, in + size)});
  return static_cast<int>(size);
}

int fs_fsync(const char*, int, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  if (file->fh == UINT64_MAX) return 0;
  return fails() ? -EIO : apply(fd_of(file));
}

int fs_fsyncdir(const char* path, int, fuse_file_info*) {
  const std::lock_guard lock(mutex);
  if (fails()) return -EIO;
  make_names_durable(path);
  return 0;
}

int fs_truncate(const char* path, off_t size, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  if (std::strcmp(path, kControl) == 0) return 0;
  const int fd = file != nullptr ? fd_of(file) : ::open(real(path).c_str(), O_RDWR);
  if (fd < 0) return -errno;
  drop_beyond(*writes_of(fd), size);
  const int r = result(::ftruncate(fd, size));
  if (file == nullptr) ::close(fd);
  return r;
}

int fs_fallocate(const char*, int mode, off_t offset, off_t size, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  if (full) return -ENOSPC;
  return fails() ? -EIO : result(::fallocate(fd_of(file), mode, offset, size));
}

int fs_unlink(const char* path) {
  const std::lock_guard lock(mutex);
  const std::string saved = keep(path);
  if (saved.empty()) return -errno;
  provisional.push_back({Undo::Kind::removed, parent(path), path, saved, ""});
  return 0;
}

int fs_rename(const char* from, const char* to, unsigned flags) {
  const std::lock_guard lock(mutex);
  if (flags != 0) return -EINVAL;
  const std::string saved = keep(to);
  if (::rename(real(from).c_str(), real(to).c_str()) != 0) {
    const int error = errno;
    if (!saved.empty()) ::rename(real(saved).c_str(), real(to).c_str());
    return -error;
  }
  provisional.push_back({Undo::Kind::renamed, parent(to), to, saved, from});
  return 0;
}

int fs_release(const char*, fuse_file_info* file) {
  const std::lock_guard lock(mutex);
  return file->fh == UINT64_MAX ? 0 : result(::close(fd_of(file)));
}

void* fs_init(fuse_conn_info*, fuse_config* config) {
  config->entry_timeout = config->attr_timeout = config->negative_timeout =
      0;  // names and sizes change behind its back
  config->hard_remove = 1;
  config->use_ino = 1;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: forgetful_fs BACKING MOUNTPOINT\n", stderr);
    return 2;
  }
  char resolved[4096];
  if (::realpath(argv[1], resolved) == nullptr) {
    std::perror(argv[1]);
    return 2;
  }
  backing = resolved;
  if (::mkdir(real(kTrash).c_str(), 0700) != 0 && errno != EEXIST) {
    std::perror("trash");
    return 2;
  }
  fuse_operations o{};
  o.getattr = fs_getattr;
  o.readdir = fs_readdir;
  o.mkdir = fs_mkdir;
  o.rmdir = fs_rmdir;
  o.chmod = fs_chmod;
  o.chown = fs_chown;
  o.utimens = fs_utimens;
  o.statfs = fs_statfs;
  o.create = fs_create;
  o.open = fs_open;
  o.read = fs_read;
  o.write = fs_write;
  o.fsync = fs_fsync;
  o.fsyncdir = fs_fsyncdir;
  o.truncate = fs_truncate;
  o.fallocate = fs_fallocate;
  o.unlink = fs_unlink;
  o.rename = fs_rename;
  o.release = fs_release;
  o.init = fs_init;
  char foreground[] = "-f";
  char* arguments[] = {argv[0], foreground, argv[2], nullptr};
  return fuse_main(3, arguments, &o, nullptr);
}
