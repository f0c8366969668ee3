#include "engine/sandbox/confine.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/sandbox/sanitized.h"

namespace cairn::sandbox {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kForeignCalls = 0x40000000;  // x32
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kForeignCalls = 0xFFFFFFFF;
#endif

#if defined(__x86_64__) || defined(__aarch64__)

// Memory, the socket that is open already, waking, time, the end.
constexpr std::array kAllowed{
    SYS_read,   SYS_write,        SYS_munmap,         SYS_mremap,          SYS_madvise,   SYS_brk,
    SYS_futex,  SYS_sched_yield,  SYS_clock_gettime,  SYS_gettimeofday,    SYS_getrandom, SYS_getpid,
    SYS_gettid, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_restart_syscall, SYS_exit,      SYS_exit_group};

/// A sanitizer looks whether memory can be read by writing it into a pipe.
constexpr std::array kSanitizerCalls{SYS_pipe2, SYS_close};

constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
// Little-endian: the low half of an argument, which holds every flag that is tested.
constexpr std::uint32_t argument(std::size_t i) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + i * sizeof(std::uint64_t));
}

using Program = std::vector<sock_filter>;

void load(Program& p, std::uint32_t what) {
  p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, what));
}
void answer(Program& p, std::uint32_t action) {
  p.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}
void skip_unless_equal(Program& p, std::uint32_t value, std::uint8_t count) {
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count));
}

Program filter() {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  Program p;
  load(p, offsetof(seccomp_data, arch));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  answer(p, SECCOMP_RET_KILL_PROCESS);
  load(p, kNumber);
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kForeignCalls, 0, 1));
  answer(p, SECCOMP_RET_KILL_PROCESS);
  const auto allow = [&p](long call) {
    skip_unless_equal(p, static_cast<std::uint32_t>(call), 1);
    answer(p, SECCOMP_RET_ALLOW);
  };
  for (const long call : kAllowed) allow(call);
  if (kSanitized) {
    for (const long call : kSanitizerCalls) allow(call);
#if defined(SYS_pipe)
    allow(SYS_pipe);
#endif
  }
  // mmap: nothing of a file, nothing executable.
  skip_unless_equal(p, SYS_mmap, 6);
  load(p, argument(2));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 3, 0));
  load(p, argument(3));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1));
  answer(p, SECCOMP_RET_ALLOW);
  answer(p, SECCOMP_RET_KILL_PROCESS);
  skip_unless_equal(p, SYS_mprotect, 4);
  load(p, argument(2));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
  answer(p, SECCOMP_RET_ALLOW);
  answer(p, SECCOMP_RET_KILL_PROCESS);
  // abort() ends by a signal to itself, and is told from a forbidden call by it.
  skip_unless_equal(p, SYS_tgkill, 4);
  load(p, argument(0));
  skip_unless_equal(p, pid, 1);
  answer(p, SECCOMP_RET_ALLOW);
  answer(p, SECCOMP_RET_KILL_PROCESS);
  answer(p, SECCOMP_RET_KILL_PROCESS);
  return p;
}

bool install() {
  Program program = filter();
  const sock_fprog p{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == 0;
}

#else

bool install() {
  return false;
}

#endif

Result<> limit(__rlimit_resource what, std::uint64_t most) noexcept {
  const rlimit value{most, most};
  if (::setrlimit(what, &value) != 0) return fail_errno(errno, "limit of a decoder process");
  return outcome::success();
}

}  // namespace

bool leave_namespaces() noexcept {
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0;
}

Result<> set_limits(std::uint64_t memory_bytes) noexcept {
  if (memory_bytes != 0) {
    CAIRN_TRYV(limit(RLIMIT_DATA, memory_bytes));
  }
  CAIRN_TRYV(limit(RLIMIT_CORE, 0));
  CAIRN_TRYV(limit(RLIMIT_FSIZE, 0));
  CAIRN_TRYV(limit(RLIMIT_NPROC, 0));
  return kSanitized ? outcome::success() : limit(RLIMIT_NOFILE, 0);
}

bool filter_system_calls() noexcept {
  return install();
}

}  // namespace cairn::sandbox
