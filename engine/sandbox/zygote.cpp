#include "engine/sandbox/zygote.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/sandbox/channel.h"
#include "engine/sandbox/confine.h"
#include "engine/sandbox/nursery.h"
#include "engine/sandbox/protocol.h"
#include "engine/sandbox/sanitized.h"
#include "engine/sandbox/worker.h"

namespace cairn::sandbox {
namespace {

constexpr int kControl = kZygoteDescriptor;

/// Nothing of the server's but the control socket; the standard streams lead nowhere, so that a worker can write into
/// no log.
void leave_descriptors() {
  if (::syscall(SYS_close_range, kControl + 1, ~0u, 0) != 0) {  // before Linux 5.9
    const long most = std::min(::sysconf(_SC_OPEN_MAX), 1L << 20);
    for (int number = kControl + 1; number < most; ++number) ::close(number);
  }
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (int stream = 0; stream < (kSanitized ? 2 : 3); ++stream) {
    if (nowhere >= 0) ::dup2(nowhere, stream);
  }
  if (nowhere > kControl) ::close(nowhere);
}

/// The server ends us; a signal to its whole group is no reason to fail the frames that are still asked for.
void ignore_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(number, SIG_IGN);
}

/// Keeps what a frame took for the next one: by default large blocks go back to the system after each.
void keep_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 64 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 128 << 20);
}

class Zygote {
 public:
  explicit Zygote(DecodeFunction decode) : decode_(decode) {}

  int run() {
    const ZygoteHello hello{leave_namespaces() ? kNamespaces : 0u};
    if (!send(kControl, as_message(hello))) return 1;
    while (true) {
      ZygoteRequest request;
      std::array<Descriptor, 2> descriptors;
      const auto got = receive(kControl, into_message(request), descriptors);
      if (!got || got.value() == 0) break;
      ZygoteReply reply{};
      if (request.order == Order::spawn) {
        reply = spawn(request, descriptors);
      } else {
        reply.status = reap(request.pid);
      }
      if (!send(kControl, as_message(reply))) break;
    }
    while (!workers_.empty()) reap(workers_.back());
    return 0;
  }

 private:
  ZygoteReply spawn(const ZygoteRequest& request, std::array<Descriptor, 2>& descriptors) {
    if (!descriptors[0] || !descriptors[1]) return {0, EBADF};
    const pid_t zygote = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return {0, errno};
    if (pid == 0) {
      // A zygote that was killed takes its workers along.
      if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != zygote) ::_exit(1);
      ::close(kControl);
      void* const memory =
          ::mmap(nullptr, request.shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[1].number(), 0);
      if (memory == MAP_FAILED) ::_exit(1);
      descriptors[1] = Descriptor();
      const int channel = descriptors[0].number();
      run_worker(channel, {static_cast<std::byte*>(memory), request.shared_bytes}, request, decode_);
    }
    workers_.push_back(pid);
    return {pid, 0};
  }

  /// Only what we forked and did not wait for: the number of anything else may be another process by now.
  int reap(pid_t pid) {
    const auto at = std::find(workers_.begin(), workers_.end(), pid);
    if (at == workers_.end()) return 0;
    workers_.erase(at);
    ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  DecodeFunction decode_;
  std::vector<pid_t> workers_;
};

}  // namespace

std::optional<int> run_if_zygote(int argc, char** argv, DecodeFunction decode) {
  if (argc != 2 || std::string_view(argv[1]) != kZygoteArgument) return std::nullopt;
  leave_descriptors();
  ignore_signals();
  ::prctl(PR_SET_NAME, "decoders");
  if (::chdir("/") != 0) return 1;  // no file system is kept busy
  keep_memory();
  codec::warm_up();
  ::_exit(Zygote(decode).run());
}

}  // namespace cairn::sandbox
