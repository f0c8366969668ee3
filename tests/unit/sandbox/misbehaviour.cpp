#include "misbehaviour.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cairn::sandbox::test {
namespace {

/// What a system call said: refused, or that it worked, which no test expects.
Error outcome_of(long result) {
  return result < 0 ? fail(Errc::refused, "refused by the system") : fail(Errc::conflict, "it worked");
}

[[gnu::noinline]] void deeper(volatile char* above) {
  volatile char here[4096];
  here[0] = *above;
  if (here[0] == 1) return;
  deeper(here);
  here[1] = here[0];
}

Result<codec::StreamTraits> traits(std::uint32_t width, codec::SampleRoom& room, std::uint64_t bytes) {
  CAIRN_TRYV(room.take(bytes));
  codec::StreamTraits t;
  t.width_bytes = width;
  t.precision = 8;
  return t;
}

}  // namespace

Result<codec::StreamTraits> misbehave(const codec::ForeignJob& job, codec::SampleRoom& room) {
  const std::string_view text = as_text(job.coded);
  if (!text.starts_with(kDo)) return codec::run_foreign_here(job, room);
  const std::string_view deed = text.substr(kDo.size());
  const std::uint64_t samples = codec::samples_per_frame(job.format);

  if (deed == "segv") {
    volatile int* const nowhere = reinterpret_cast<volatile int*>(8);
    *nowhere = 1;
  }
  if (deed == "abort") std::abort();
  if (deed == "exit") ::_exit(0);
  if (deed == "throw") throw 1;
  if (deed == "recurse") {
    volatile char top = 0;
    deeper(&top);
  }
  if (deed == "loop") {
    for (volatile unsigned i = 0;; i = i + 1) {
    }
  }
  if (deed == "sleep") {
    std::uint32_t word = 0;
    for (;;) ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
  }
  if (deed == "100 GiB") {
    const volatile std::uint64_t size = 100ull << 30;
    const std::vector<char> memory(size, 'x');
    volatile char last = memory[size - 1];
    return fail(Errc::conflict, last == 'x' ? "it worked" : "it worked, oddly");
  }
  if (deed == "leak") {
    for (;;) {
      constexpr std::size_t kPiece = 16 << 20;
      auto* const more = static_cast<volatile char*>(std::malloc(kPiece));
      if (more == nullptr) return fail(Errc::out_of_memory, "no more");
      for (std::size_t i = 0; i < kPiece; i += 4096) more[i] = 1;
    }
  }
  if (deed == "open") return outcome_of(::open("/etc/passwd", O_RDONLY));
  if (deed == "create") return outcome_of(::open("/tmp/cairn-sandbox-test", O_CREAT | O_WRONLY, 0600));
  if (deed == "socket") return outcome_of(::socket(AF_INET, SOCK_STREAM, 0));
  if (deed == "pipe") {
    int ends[2];
    return outcome_of(::pipe(ends));
  }
  if (deed == "fork") {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    return outcome_of(child);
  }
  if (deed == "exec") {
    char* const none[] = {nullptr};
    return outcome_of(::execve("/bin/true", none, none));
  }
  if (deed == "kill parent") return outcome_of(::kill(::getppid(), 0));
  if (deed == "limits") {
    rlimit more{1ull << 40, 1ull << 40};
    return outcome_of(::setrlimit(RLIMIT_DATA, &more));
  }
  if (deed == "executable memory") {
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome_of(page == MAP_FAILED ? -1 : 0);
  }
  if (deed == "make executable") {
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome_of(::mprotect(page, 4096, PROT_READ | PROT_EXEC));
  }
  if (deed == "descriptor") {  // anything but the three streams, the library's own and the socket
    for (int i = 3; i < 1024; ++i) {
      char byte = 0;
      const ssize_t got = ::pread(i, &byte, 1, 0);
      if (got >= 0) return fail(Errc::conflict, "it worked");
    }
    return fail(Errc::refused, "none");
  }
  if (deed == "good") return traits(1, room, samples);
  if (deed == "few samples") return traits(1, room, samples / 2);
  if (deed == "odd width") return traits(3, room, samples * 3);
  if (deed == "zero width") return traits(0, room, 0);
  if (deed == "too many samples") return traits(1, room, 1ull << 40);
  if (deed == "precision") {
    CAIRN_TRY(codec::StreamTraits t, traits(1, room, samples));
    t.precision = 4'000'000'000;
    return t;
  }
  if (deed == "colour") {
    CAIRN_TRY(codec::StreamTraits t, traits(1, room, samples));
    t.colour = static_cast<codec::StreamColour>(77);
    return t;
  }
  if (deed == "bad text") return fail(Errc::malformed, "line\nbreak");
  if (deed == "bad code") return Error{std::error_code(4711, make_error_code(Errc::internal).category()), 0, "code"};
  return fail(Errc::unsupported, "deed");
}

}  // namespace cairn::sandbox::test
