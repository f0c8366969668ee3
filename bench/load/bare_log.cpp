// cairn_bare_log: the least that durable storage of the same bytes costs on this machine. It writes records of one size
// with O_DIRECT into a file whose blocks were written before, and flushes after each or after every n-th; nothing is
// received, parsed or indexed. The yardstick of the ingest comparison. Prints one JSON line.
//
//   cairn_bare_log DIR COUNT BYTES FLUSH_EVERY [grow]       `grow`: into a growing file instead
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBlockBytes = 4096;

double cpu_seconds() {
  rusage r{};
  ::getrusage(RUSAGE_SELF, &r);
  return static_cast<double>(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
         static_cast<double>(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

int failed(const char* what) {
  std::perror(what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const long long count = argc > 4 ? std::atoll(argv[2]) : 0;
  const long long bytes = argc > 4 ? std::atoll(argv[3]) : 0;
  const long long every = argc > 4 ? std::atoll(argv[4]) : 0;
  const bool grow = argc > 5 && std::strcmp(argv[5], "grow") == 0;
  if (count <= 0 || bytes <= 0 || every <= 0) {
    std::fputs("usage: cairn_bare_log DIR COUNT BYTES FLUSH_EVERY [grow]\n", stderr);
    return 2;
  }
  // Records smaller than a block share one write per flush, as a log would do it.
  const bool gather = static_cast<std::size_t>(bytes) < kBlockBytes * 4;
  const std::size_t unit_bytes = static_cast<std::size_t>(gather ? bytes * every : bytes);
  const std::size_t write_bytes = (unit_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  const long long writes = gather ? (count + every - 1) / every : count;
  const long long writes_per_flush = gather ? 1 : every;

  const std::string path = std::string(argv[1]) + "/bare_log.tmp";
  const std::unique_ptr<char, decltype(&std::free)> buffer(
      static_cast<char*>(std::aligned_alloc(kBlockBytes, write_bytes)), &std::free);
  if (!buffer) return failed("memory");
  for (std::size_t i = 0; i < write_bytes; ++i) buffer.get()[i] = static_cast<char>(i * 2654435761u >> 13);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0644);
  if (fd < 0) return failed("open");
  ::unlink(path.c_str());
  if (!grow) {
    constexpr std::size_t kZeroBytes = 4u << 20;
    const std::unique_ptr<char, decltype(&std::free)> zeros(
        static_cast<char*>(std::aligned_alloc(kBlockBytes, kZeroBytes)), &std::free);
    if (!zeros) return failed("memory");
    std::memset(zeros.get(), 0, kZeroBytes);
    const auto total = static_cast<off_t>(write_bytes) * writes;
    for (off_t at = 0; at < total; at += static_cast<off_t>(kZeroBytes)) {
      if (::pwrite(fd, zeros.get(), kZeroBytes, at) != static_cast<ssize_t>(kZeroBytes)) return failed("prewrite");
    }
  }
  if (::fsync(fd) != 0) return failed("fsync");

  std::vector<double> flush_ms, unit_ms;
  const double cpu = cpu_seconds();
  const auto start = Clock::now();
  auto begun = start;
  for (long long i = 0; i < writes; ++i) {
    if (::pwrite(fd, buffer.get(), write_bytes, static_cast<off_t>(write_bytes) * i) !=
        static_cast<ssize_t>(write_bytes))
      return failed("write");
    if ((i + 1) % writes_per_flush != 0 && i + 1 != writes) continue;
    const auto before = Clock::now();
    if (::fdatasync(fd) != 0) return failed("fdatasync");
    const auto now = Clock::now();
    flush_ms.push_back(std::chrono::duration<double, std::milli>(now - before).count());
    unit_ms.push_back(std::chrono::duration<double, std::milli>(now - begun).count());
    begun = now;
  }
  const double wall = std::chrono::duration<double>(Clock::now() - start).count();
  const double used = cpu_seconds() - cpu;
  const double megabytes = static_cast<double>(bytes) * static_cast<double>(count) / 1e6;
  std::sort(flush_ms.begin(), flush_ms.end());
  std::sort(unit_ms.begin(), unit_ms.end());
  const auto at = [](const std::vector<double>& v, double f) {
    return v[std::min(v.size() - 1, static_cast<std::size_t>(f * static_cast<double>(v.size())))];
  };
  std::printf(
      "{\"flush_every\":%lld,\"bytes_each\":%lld,\"stored\":%lld,\"wall_s\":%.4f,\"instances_per_s\":%.1f,\"mb_per_s\":"
      "%.1f,"
      "\"flush_p50_ms\":%.3f,\"flush_p99_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"cpu_s_per_gb\":%.4f}\n",
      every, bytes, count, wall, static_cast<double>(count) / wall, megabytes / wall, at(flush_ms, .5),
      at(flush_ms, .99), at(unit_ms, .5), at(unit_ms, .99), used / megabytes * 1000);
  ::close(fd);
  return 0;
}
