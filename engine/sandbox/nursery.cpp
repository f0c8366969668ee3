#include "engine/sandbox/nursery.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/sandbox/protocol.h"

extern char** environ;

namespace cairn::sandbox {
namespace {

/// For the first word of a process, and for an order that the zygote carries out: long, because machines stall.
constexpr std::chrono::seconds kPatience{60};

/// What the loader and the sanitizers read; nothing by which a library could be told to start threads or write logs.
bool wanted(const char* variable) {
  for (const std::string_view name : {"LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS="}) {
    if (std::string_view(variable).starts_with(name)) return true;
  }
  return false;
}

Result<pid_t> execute(int channel) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, channel, kZygoteDescriptor);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string name = "cairn", argument(kZygoteArgument);
  const std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
  std::vector<char*> variables;
  for (char** v = environ; v != nullptr && *v != nullptr; ++v) {
    if (wanted(*v)) variables.push_back(*v);
  }
  variables.push_back(nullptr);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, "/proc/self/exe", &files, &attributes, arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return fail_errno(failed, "starting decoder processes");
  return pid;
}

/// Memory of a fixed size that neither side can change: what is mapped stays there.
Result<Descriptor> sealed_memory(std::uint64_t bytes) {
  Descriptor memory(::memfd_create("cairn-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::ftruncate(memory.number(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(memory.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return fail_errno(errno, "memory shared with a decoder process");
  }
  return memory;
}

}  // namespace

Worker::~Worker() {
  if (!memory.empty()) ::munmap(memory.data(), memory.size());
}

Result<std::shared_ptr<Nursery>> Nursery::start() {
  CAIRN_TRY(auto ends, make_channel());
  const std::shared_ptr<Nursery> nursery(new Nursery);
  CAIRN_TRY(nursery->pid_, execute(ends.second.number()));
  ends.second = Descriptor();
  nursery->channel_ = std::move(ends.first);
  CAIRN_TRYV(set_patience(nursery->channel_.number(), kPatience));
  ZygoteHello hello{};
  CAIRN_TRY(const std::size_t got, receive(nursery->channel_.number(), into_message(hello)));
  if (got == 0) return fail(Errc::closed, "decoder processes ended at once");
  nursery->confinement_ = hello.confinement;
  return nursery;
}

Nursery::~Nursery() {
  channel_ = Descriptor();
  if (pid_ == 0) return;
  // It ends by itself when the socket closes, and its workers first; one that hangs is killed.
  for (int i = 0; i < 500; ++i) {
    const pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno != EINTR)) return;
    ::usleep(10'000);
  }
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<ZygoteReply> Nursery::ask(const ZygoteRequest& request, std::span<const int> descriptors) {
  const std::scoped_lock lock(mutex_);
  if (gone_) return fail(Errc::closed, "zygote of the decoder processes");
  gone_ = true;  // until it has answered: after half a conversation nothing can be trusted to be the answer
  CAIRN_TRYV(send(channel_.number(), as_message(request), descriptors));
  ZygoteReply reply{};
  CAIRN_TRY(const std::size_t got, receive(channel_.number(), into_message(reply)));
  if (got == 0) return fail(Errc::closed, "zygote of the decoder processes");
  gone_ = false;
  return reply;
}

Result<std::unique_ptr<Worker>> Nursery::spawn(const WorkerLimits& limits) {
  auto worker = std::make_unique<Worker>();
  CAIRN_TRY(auto ends, make_channel());
  CAIRN_TRY(const Descriptor memory, sealed_memory(limits.shared_bytes));
  void* const mapped = ::mmap(nullptr, limits.shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.number(), 0);
  if (mapped == MAP_FAILED) return fail_errno(errno, "memory shared with a decoder process");
  worker->memory = {static_cast<std::byte*>(mapped), limits.shared_bytes};
  worker->channel = std::move(ends.first);
  worker->nursery = shared_from_this();
  ZygoteRequest request{};
  request.order = Order::spawn;
  request.memory_bytes = limits.memory_bytes;
  request.shared_bytes = limits.shared_bytes;
  request.filter_system_calls = limits.filter_system_calls ? 1 : 0;
  const std::array<int, 2> handed{ends.second.number(), memory.number()};
  CAIRN_TRY(const ZygoteReply reply, ask(request, handed));
  if (reply.pid == 0) return fail_errno(reply.status, "decoder process");
  worker->pid = reply.pid;
  ends.second = Descriptor();  // else its end would not be seen
  WorkerHello hello{};
  Result<std::size_t> got = set_patience(worker->channel.number(), kPatience).has_value()
                                ? receive(worker->channel.number(), into_message(hello))
                                : fail(Errc::internal, "decoder process");
  if (!got || got.value() == 0) {
    reap(worker->pid);
    return got ? fail(Errc::closed, "decoder process ended at once") : got.error();
  }
  worker_confinement_.store(hello.confinement, std::memory_order_relaxed);
  return worker;
}

std::optional<int> Nursery::reap(pid_t pid) {
  ZygoteRequest request{};
  request.order = Order::reap;
  request.pid = pid;
  const auto reply = ask(request, {});
  if (!reply) return std::nullopt;
  return reply.value().status;
}

bool Nursery::alive() {
  const std::scoped_lock lock(mutex_);
  return !gone_;
}

}  // namespace cairn::sandbox
