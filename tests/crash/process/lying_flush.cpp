// A preloaded library that breaks the promise on purpose, to show that the tests see it. For a server with `io =
// "plain"`, whose flushes go through libc. CAIRN_LYING_FLUSH says how:
//   none   a flush does nothing and reports success: the flush removed
//   late   a flush reports success at once and happens 300 ms later: acknowledged before durable
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <dlfcn.h>
#include <unistd.h>

namespace {

int lie(int fd, const char* name) {
  const char* how = std::getenv("CAIRN_LYING_FLUSH");
  using Flush = int (*)(int);
  const auto flush = reinterpret_cast<Flush>(::dlsym(RTLD_NEXT, name));
  if (how == nullptr) return flush(fd);
  if (std::strcmp(how, "late") == 0) {
    // Its own descriptor: the server may close this one meanwhile.
    const int copy = ::dup(fd);
    std::thread([copy, flush] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      (void)flush(copy);
      ::close(copy);
    }).detach();
  }
  return 0;
}

}  // namespace

extern "C" int fsync(int fd) {
  return lie(fd, "fsync");
}
extern "C" int fdatasync(int fd) {
  return lie(fd, "fdatasync");
}
