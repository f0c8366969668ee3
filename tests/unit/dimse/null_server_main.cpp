// A DIMSE server whose archive forgets everything at once: what the network side alone costs and reaches.
//   dimse_null_server PORT [reactors]     until SIGINT or SIGTERM; prints its CPU time at the end
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <sys/resource.h>

#include "engine/dimse/server.h"
#include "tests/unit/dimse/memory_archive.h"

int main(int argc, char** argv) {
  using namespace cairn;
  const int reactor_count = argc > 2 ? std::atoi(argv[2]) : 2;
  test::MemoryArchive archive;
  archive.keep_streams = false;
  io::WorkerPool pool(2, "worker");
  std::vector<std::unique_ptr<asio::io_context>> reactors;
  std::vector<asio::io_context*> pointers;
  for (int i = 0; i < reactor_count; ++i) {
    reactors.push_back(std::make_unique<asio::io_context>(1));
    pointers.push_back(reactors.back().get());
  }
  dimse::Options options;
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 11112);
  if (const char* pdu = std::getenv("MAX_PDU")) options.max_pdu_bytes = static_cast<std::uint32_t>(std::atoi(pdu));
  auto server = dimse::Server::start(options, archive, pool, pointers);
  if (!server) {
    std::fprintf(stderr, "%s\n", to_string(server.error()).c_str());
    return 1;
  }
  std::vector<std::thread> threads;
  for (auto& reactor : reactors) {
    threads.emplace_back([&reactor] {
      const auto work = asio::make_work_guard(*reactor);
      reactor->run();
    });
  }
  std::printf("listening on %u\n", server.value()->port());
  std::fflush(stdout);
  asio::io_context main_context;
  asio::signal_set signals(main_context, SIGINT, SIGTERM);
  signals.async_wait([](const boost::system::error_code&, int) {});
  main_context.run();
  server.value()->stop(std::chrono::seconds(1));
  for (auto& reactor : reactors) reactor->stop();
  for (auto& thread : threads) thread.join();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::printf("%llu instances, %.3f GB, %.3f CPU s, %.3f s/GB\n",
              static_cast<unsigned long long>(archive.commits.load()), static_cast<double>(archive.bytes.load()) / 1e9,
              cpu, cpu / (static_cast<double>(archive.bytes.load()) / 1e9));
  return 0;
}
