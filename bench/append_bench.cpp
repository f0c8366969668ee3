// How fast does the log make instances durable, and how near is that to the disk? For each size and number of commits
// in flight: the log with an applier that does nothing, beside a bare loop of O_DIRECT writes into a prewritten file
// with one fdatasync per 1, 4 or 16 objects. CAIRN_BENCH_DIR says where (default: the temporary directory); a tmpfs
// measures nothing.
//
// Counters: instances/s, bytes/s, `commits_per_flush`, `cpu_s_per_GB` (of the whole process, both sides of the queue),
// `p50_us`, `p99_us` from commit to done.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/core/checksum.h"
#include "engine/core/log.h"
#include "engine/io/aligned_bytes.h"
#include "engine/io/file_system.h"
#include "engine/store/log.h"

namespace {

using namespace cairn;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kSegmentBytes = 256u << 20;
constexpr std::uint64_t kStockBytes = 1u << 30;
constexpr std::uint64_t kRunBytes = 768u << 20;  // of one measurement: inside the stock
constexpr std::uint64_t kMostInstances = 40'000;

std::filesystem::path directory() {
  const char* given = std::getenv("CAIRN_BENCH_DIR");
  return (given != nullptr ? std::filesystem::path(given) : std::filesystem::temp_directory_path()) /
         "cairn-append-bench";
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class NullApplier final : public store::Applier {
 public:
  Result<> apply(std::span<store::Committed>, std::string_view) override { return outcome::success(); }
};

void append(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto depth = static_cast<std::size_t>(state.range(1));
  const std::uint64_t count = std::min(kMostInstances, kRunBytes / bytes) / (depth == 1 ? 4 : 1);
  log::set_level(log::Level::warning);
  double cpu = 0, flushes = 0, batches = 0;
  std::vector<double> latencies_us;
  for (auto _ : state) {
    state.PauseTiming();
    std::filesystem::remove_all(directory());
    store::LogOptions options;
    options.volumes = {{0, directory()}};
    options.segment_bytes = kSegmentBytes;
    options.prewritten_bytes = kStockBytes;
    options.prewrite_bytes_per_s = 4ull << 30;
    options.reserve_bytes = 0;
    auto opened = store::Log::open(options, io::native_file_system());
    if (!opened) return state.SkipWithError(to_string(opened.error()).c_str());
    auto& log = *opened.value();
    NullApplier applier;
    if (!log.replay("", applier) || !log.start(applier)) return state.SkipWithError("the log does not start");
    while (log.stats().at(0).prewritten < kStockBytes / kSegmentBytes) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    io::BufferPool pool((depth + 4) << 20, 1u << 20);
    std::vector<std::byte> pattern(bytes, std::byte{0x5a});
    const std::uint32_t crc = crc32c(pattern);
    for (std::size_t i = 0; i < depth; ++i) {  // touch what will be used
      auto buffer = pool.try_acquire();
      std::memset(buffer->data(), 1, buffer->size());
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t in_flight = 0;
    std::atomic<std::uint64_t> refused{0};
    std::vector<double> latencies(count);
    const double cpu_before = cpu_seconds();
    state.ResumeTiming();
    for (std::uint64_t i = 0; i < count; ++i) {
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return in_flight < depth; });
        ++in_flight;
      }
      auto writer = log.begin();
      auto buffer = pool.try_acquire();
      std::memcpy(buffer->data() + store::kPartHeadRoom, pattern.data(), bytes);  // what receiving would have done
      store::InstanceRecord record;
      record.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
      record.sop_instance_uid = "1.2.826.0.1.3680043.2.1125.1." + std::to_string(i);
      record.study_instance_uid = record.series_instance_uid = "1.2.826.0.1.3680043.2.1125.1";
      record.transfer_syntax_uid = "1.2.840.10008.1.2.1";
      record.stream_length = bytes;
      const auto begun = Clock::now();
      writer.value()->commit(std::move(*buffer), bytes, crc, std::move(record), {},
                             [&, i, begun](Result<store::Outcome> o) {
                               latencies[i] = std::chrono::duration<double, std::micro>(Clock::now() - begun).count();
                               if (!o) ++refused;
                               const std::scoped_lock lock(mutex);
                               --in_flight;
                               changed.notify_one();
                             });
    }
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return in_flight == 0; });
    }
    state.PauseTiming();
    cpu += cpu_seconds() - cpu_before;
    const auto stats = log.stats().at(0);
    flushes += static_cast<double>(stats.batch_instances.sum);
    batches += static_cast<double>(stats.batch_instances.count);
    if (refused != 0) return state.SkipWithError("a commit was refused");
    latencies_us.insert(latencies_us.end(), latencies.begin(), latencies.end());
    log.stop();
    opened.value().reset();
    std::filesystem::remove_all(directory());
    state.ResumeTiming();
  }
  const auto all = static_cast<double>(count) * static_cast<double>(state.iterations());
  std::sort(latencies_us.begin(), latencies_us.end());
  state.SetItemsProcessed(static_cast<std::int64_t>(all));
  state.SetBytesProcessed(static_cast<std::int64_t>(all * static_cast<double>(bytes)));
  state.counters["commits_per_flush"] = batches > 0 ? flushes / batches : 0;
  state.counters["cpu_s_per_GB"] = cpu / (all * static_cast<double>(bytes) / 1e9);
  state.counters["p50_us"] = latencies_us[latencies_us.size() / 2];
  state.counters["p99_us"] = latencies_us[latencies_us.size() * 99 / 100];
}

void bare(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(io::block_up(static_cast<std::uint64_t>(state.range(0)) + 1024));
  const auto each = static_cast<std::uint64_t>(state.range(1));
  const std::uint64_t count = std::min(kMostInstances, kRunBytes / bytes) / (each == 1 ? 4 : 1);
  std::filesystem::create_directories(directory());
  const auto path = directory() / "bare";
  io::AlignedBytes memory(std::max<std::size_t>(bytes * each, 1u << 20));
  double cpu = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
    if (fd < 0) return state.SkipWithError("no direct I/O here");
    bool good = ::fallocate(fd, 0, 0, static_cast<off_t>(count * bytes + (1u << 20))) == 0;
    for (std::uint64_t at = 0; at < count * bytes && good; at += 1u << 20) {
      good = ::pwrite(fd, memory.data(), 1u << 20, static_cast<off_t>(at)) == (1 << 20);
    }
    good = good && ::fdatasync(fd) == 0;
    const double cpu_before = cpu_seconds();
    state.ResumeTiming();
    // Small objects are packed, as any log would.
    const std::size_t write = bytes < (64u << 10) ? bytes * each : bytes;
    for (std::uint64_t i = 0; i < count && good; i += each) {
      for (std::uint64_t at = i * bytes; at < (i + each) * bytes && good; at += write) {
        good = ::pwrite(fd, memory.data(), write, static_cast<off_t>(at)) == static_cast<ssize_t>(write);
      }
      good = good && ::fdatasync(fd) == 0;
    }
    state.PauseTiming();
    cpu += cpu_seconds() - cpu_before;
    ::close(fd);
    if (!good) return state.SkipWithError("write or flush failed");
    state.ResumeTiming();
  }
  std::filesystem::remove_all(directory());
  const auto all = static_cast<double>(count) * static_cast<double>(state.iterations());
  state.SetItemsProcessed(static_cast<std::int64_t>(all));
  state.SetBytesProcessed(static_cast<std::int64_t>(all * static_cast<double>(state.range(0))));
  state.counters["cpu_s_per_GB"] = cpu / (all * static_cast<double>(state.range(0)) / 1e9);
}

BENCHMARK(bare)
    ->ArgNames({"bytes", "each"})
    ->ArgsProduct({{4 << 10, 128 << 10, 514 << 10}, {1, 4, 16}})
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(append)
    ->ArgNames({"bytes", "depth"})
    ->ArgsProduct({{4 << 10, 128 << 10, 514 << 10}, {1, 8, 16, 64}})
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
