// The tests of codec with foreign decoders in processes of their own.
#include <cstdio>

#include <gtest/gtest.h>

#include "engine/core/log.h"
#include "engine/sandbox/decoder_processes.h"
#include "engine/sandbox/sanitized.h"
#include "engine/sandbox/zygote.h"

int main(int argc, char** argv) {
  if (const auto status = cairn::sandbox::run_if_zygote(argc, argv)) return *status;
  testing::InitGoogleTest(&argc, argv);
  // Mostly of our own encoders, minutes long under a sanitizer, and run there without processes.
  if (cairn::sandbox::kSanitized && GTEST_FLAG_GET(filter) == "*")
    GTEST_FLAG_SET(filter, "-*survives_every*:EncodeForeign*");
  cairn::log::set_level(cairn::log::Level::warning);
  auto processes = cairn::sandbox::DecoderProcesses::start({.processes = 2});
  if (!processes) {
    std::fprintf(stderr, "%s\n", to_string(processes.error()).c_str());
    return 1;
  }
  cairn::codec::set_foreign_runner(processes.value().get());
  const int failed = RUN_ALL_TESTS();
  cairn::codec::set_foreign_runner(nullptr);
  const auto stats = processes.value()->stats();
  std::uint64_t decoded = 0;
  for (const auto count : stats.decoded) decoded += count;
  std::printf("%llu frames decoded elsewhere, %llu refused\n", static_cast<unsigned long long>(decoded),
              static_cast<unsigned long long>(stats.refused));
  if (stats.crashed + stats.killed + stats.timed_out != 0) {
    std::fprintf(stderr, "decoder processes died\n");
    return 1;
  }
  return decoded == 0 && testing::UnitTest::GetInstance()->test_to_run_count() > 20 ? 1 : failed;
}
