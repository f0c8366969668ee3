#include "engine/sandbox/decoder_processes.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "codec/encode.h"
#include "engine/core/log.h"
#include "engine/sandbox/sanitized.h"
#include "misbehaviour.h"

namespace cairn::sandbox {
namespace {

namespace fs = std::filesystem;
using codec::ForeignDecoder;
using codec::ForeignJob;

codec::PixelFormat grey(std::uint32_t rows, std::uint32_t columns, std::uint16_t allocated, std::uint16_t stored) {
  codec::PixelFormat f;
  f.rows = rows;
  f.columns = columns;
  f.bits_allocated = allocated;
  f.bits_stored = stored;
  f.high_bit = static_cast<std::uint16_t>(stored - 1);
  return f;
}

/// A job that makes the worker do something.
struct Deed {
  std::string text;
  ForeignJob job;
  explicit Deed(const std::string& what) : text(std::string(test::kDo) + what) {
    job.format = grey(8, 8, 8, 8);
    job.coded = as_bytes(text);
    job.name = {"1.2.3", 4};
  }
};

std::unique_ptr<DecoderProcesses> started(Options options = {}) {
  auto made = DecoderProcesses::start(options);
  if (!made) ADD_FAILURE() << to_string(made.error());
  return made ? std::move(made).value() : nullptr;
}

Error error_of(DecoderProcesses& processes, const std::string& deed) {
  const Deed d(deed);
  const auto result = processes.run(d.job);
  return result ? fail(Errc::conflict, "it worked") : result.error();
}

void expect_works(DecoderProcesses& processes) {
  const Deed d("good");
  const auto image = processes.run(d.job);
  ASSERT_TRUE(image.has_value()) << to_string(image.error());
  EXPECT_EQ(image.value().samples.size(), 64u);
}

/// Processes whose parent is `parent`, with their names.
std::map<pid_t, std::string> children_of(pid_t parent) {
  std::map<pid_t, std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "stat");
    std::string line;
    std::getline(in, line);
    const std::size_t open = line.find('('), close = line.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    std::istringstream rest(line.substr(close + 2));
    char state = 0;
    pid_t of = 0;
    rest >> state >> of;
    if (of == parent && state != 'Z') found[std::stoi(name)] = line.substr(open + 1, close - open - 1);
  }
  return found;
}

pid_t zygote() {
  for (const auto& [pid, name] : children_of(::getpid())) {
    if (name == "decoders") return pid;
  }
  return 0;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

/// A frame coded by a foreign library, and its samples.
struct Coded {
  const codec::TransferSyntax* syntax;
  codec::PixelFormat format;
  std::vector<std::byte> bytes, samples;
};

Coded coded_frame(std::string_view uid, std::uint32_t side, unsigned seed) {
  Coded out;
  out.syntax = codec::find_transfer_syntax(uid);
  const codec::PixelFormat format = grey(side, side, 16, 12);
  std::mt19937 random(seed);
  out.samples.resize(std::size_t{side} * side * 2);
  for (std::size_t i = 0; i < out.samples.size(); i += 2) {
    store_le<std::uint16_t>(out.samples.data() + i,
                            static_cast<std::uint16_t>((i / 64 + random() % 16 + seed) & 0xFFF));
  }
  const auto plan = codec::plan_encoding(*out.syntax, format);
  out.format = plan.value().format;
  out.bytes = codec::encode_frame(plan.value(), out.samples).value().bytes;
  return out;
}

/// Installs the processes for decode_frame().
class Installed {
 public:
  explicit Installed(DecoderProcesses& p) { codec::set_foreign_runner(&p); }
  ~Installed() { codec::set_foreign_runner(nullptr); }
};

class Quiet : public testing::Test {
 protected:
  void SetUp() override { log::set_level(log::Level::error); }
  void TearDown() override { log::set_level(log::Level::info); }
};

using DecoderProcessesTest = Quiet;

TEST_F(DecoderProcessesTest, a_crash_costs_its_frame_only) {
  const auto p = started();
  std::uint64_t crashed = 0;
  for (const char* deed : {"segv", "abort", "exit", "throw", "recurse"}) {
    SCOPED_TRACE(deed);
    EXPECT_EQ(error_of(*p, deed), Errc::malformed);
    EXPECT_EQ(p->stats().crashed, ++crashed);
    expect_works(*p);
  }
  EXPECT_EQ(p->stats().killed, 0u);
  EXPECT_EQ(p->stats().zygotes_started, 1u);
}

TEST_F(DecoderProcessesTest, system_calls_beyond_decoding_kill) {
  const auto p = started();
  if (!p->filters_system_calls()) GTEST_SKIP() << "SKIPPED: this system lets nobody filter system calls";
  std::uint64_t crashed = 0;
  for (const char* deed : {"open", "create", "socket", "pipe", "fork", "exec", "kill parent", "limits",
                           "executable memory", "make executable", "descriptor"}) {
    if (kSanitized && std::string_view(deed) == "pipe") continue;  // it makes pipes of its own
    SCOPED_TRACE(deed);
    EXPECT_EQ(error_of(*p, deed), Errc::malformed);
    EXPECT_EQ(p->stats().crashed, ++crashed);
  }
  EXPECT_FALSE(fs::exists("/tmp/cairn-sandbox-test"));
  expect_works(*p);
}

TEST_F(DecoderProcessesTest, limits_hold_without_a_filter) {
  if (kSanitized) GTEST_SKIP() << "SKIPPED: a sanitizer needs descriptors";
  const auto p = started({.filter_system_calls = false});
  EXPECT_FALSE(p->filters_system_calls());
  for (const char* deed : {"open", "create", "socket", "pipe", "descriptor"}) {
    SCOPED_TRACE(deed);
    EXPECT_EQ(error_of(*p, deed), Errc::refused);
  }
  EXPECT_FALSE(fs::exists("/tmp/cairn-sandbox-test"));
  EXPECT_EQ(p->stats().crashed, 0u);
  EXPECT_EQ(error_of(*p, "segv"), Errc::malformed);
  expect_works(*p);
}

TEST_F(DecoderProcessesTest, a_frame_that_takes_too_long_is_given_up) {
  const auto p = started({.cpu_time = std::chrono::milliseconds(200)});
  EXPECT_EQ(error_of(*p, "loop"), Errc::limit_exceeded);
  EXPECT_EQ(error_of(*p, "sleep"), Errc::limit_exceeded);
  EXPECT_EQ(p->stats().timed_out, 2u);
  expect_works(*p);
}

TEST_F(DecoderProcessesTest, memory_is_limited) {
  if (kSanitized) GTEST_SKIP() << "SKIPPED: a sanitizer's memory is beyond any limit";
  const auto p = started({.memory_bytes = 256u << 20});
  EXPECT_EQ(error_of(*p, "100 GiB"), Errc::out_of_memory);
  EXPECT_EQ(error_of(*p, "leak"), Errc::out_of_memory);
  expect_works(*p);
  EXPECT_EQ(p->stats().refused, 2u);
}

TEST_F(DecoderProcessesTest, nothing_that_a_worker_says_is_believed) {
  const auto p = started();
  for (const char* deed : {"few samples", "odd width", "zero width", "precision", "colour"}) {
    SCOPED_TRACE(deed);
    EXPECT_EQ(error_of(*p, deed), Errc::malformed);
  }
  EXPECT_EQ(error_of(*p, "too many samples"), Errc::limit_exceeded);
  EXPECT_STREQ(error_of(*p, "bad text").where, "decoder process");
  EXPECT_EQ(error_of(*p, "bad code"), Errc::internal);
  EXPECT_STREQ(error_of(*p, "unknown").where, "deed") << "the worker's own words, kept";
  expect_works(*p);
}

TEST_F(DecoderProcessesTest, no_process_is_left_and_no_descriptor) {
  const std::size_t before = open_descriptors();
  std::map<pid_t, std::string> all;
  pid_t of = 0;
  {
    const auto p = started({.processes = 3});
    of = zygote();
    ASSERT_NE(of, 0);
    for (int i = 0; i < 20; ++i) {
      error_of(*p, i % 2 == 0 ? "segv" : "bad text");
      expect_works(*p);
    }
    all = children_of(of);
    EXPECT_GE(all.size(), 1u);
    EXPECT_LE(all.size(), 3u);
  }
  EXPECT_NE(::kill(of, 0), 0);
  for (const auto& [pid, name] : all) EXPECT_NE(::kill(pid, 0), 0) << name;
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(DecoderProcessesTest, the_zygote_may_die) {
  const auto p = started({.processes = 2});
  const std::size_t before = open_descriptors();
  for (std::uint64_t round = 2; round < 5; ++round) {
    const pid_t first = zygote();
    ASSERT_NE(first, 0);
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    // Its workers follow at once, but not in the same instant: until then they go on serving.
    for (int i = 0; i < 1000 && p->stats().zygotes_started < round; ++i) expect_works(*p);
    EXPECT_EQ(p->stats().zygotes_started, round);
    EXPECT_NE(zygote(), first);
  }
  EXPECT_LE(open_descriptors(), before);
}

TEST_F(DecoderProcessesTest, standard_streams_may_be_closed) {
  const int in = ::dup(0), out = ::dup(1), error = ::dup(2);
  for (const int stream : {0, 1, 2}) ::close(stream);
  bool good = false;
  {
    const auto p = DecoderProcesses::start({});
    const Deed d("good");
    good = p.has_value() && p.value()->run(d.job).has_value();
  }
  ::dup2(in, 0), ::dup2(out, 1), ::dup2(error, 2);
  ::close(in), ::close(out), ::close(error);
  EXPECT_TRUE(good);
}

TEST_F(DecoderProcessesTest, a_frame_larger_than_the_usual_room_gets_its_own) {
  const auto p = started();
  const Installed installed(*p);
  codec::PixelFormat format = grey(8300, 8300, 8, 8);
  std::vector<std::byte> samples(std::size_t{8300} * 8300);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::byte>(i / 8300);
  const auto& syntax = *codec::find_transfer_syntax(codec::uids::kDeflatedImageFrame);
  const auto plan = codec::plan_encoding(syntax, format, {.limits = {}, .verify = false}).value();
  const auto coded = codec::encode_frame(plan, samples).value().bytes;
  const auto frame = codec::decode_frame(syntax, plan.format, coded);
  ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
  EXPECT_TRUE(frame.value().samples == samples);
  EXPECT_EQ(p->stats().processes, 0u) << "its memory is given back";
  expect_works(*p);
}

TEST_F(DecoderProcessesTest, holes_show_nothing_of_the_frame_before) {
  const auto p = started();
  const Installed installed(*p);
  const Coded before = coded_frame(codec::uids::kJPEG2000Lossless, 64, 1);
  ASSERT_TRUE(codec::decode_frame(*before.syntax, before.format, before.bytes).has_value());
  const Deed d("good");
  const auto image = p->run(d.job);
  ASSERT_TRUE(image.has_value());
  for (const std::byte b : image.value().samples) EXPECT_EQ(b, std::byte{0});
}

TEST_F(DecoderProcessesTest, frames_come_as_from_the_calling_thread) {
  const auto p = started({.processes = 2});
  for (const auto uid :
       {codec::uids::kJPEG2000Lossless, codec::uids::kHTJ2KLosslessRPCL, codec::uids::kDeflatedImageFrame,
        codec::uids::kJPEGLSLossless, codec::uids::kJPEGLosslessSV1, codec::uids::kRLELossless}) {
    const Coded c = coded_frame(uid, 200, 5);
    const auto here = codec::decode_frame(*c.syntax, c.format, c.bytes);
    const Installed installed(*p);
    const auto there = codec::decode_frame(*c.syntax, c.format, c.bytes);
    ASSERT_TRUE(here.has_value() && there.has_value()) << uid;
    EXPECT_EQ(here.value().samples, there.value().samples) << uid;
    EXPECT_EQ(here.value().samples, c.samples) << uid;
    EXPECT_EQ(here.value().photometric, there.value().photometric);
    EXPECT_EQ(here.value().oddities, there.value().oddities);
    EXPECT_EQ(here.value().lossy, there.value().lossy);
  }
  EXPECT_EQ(p->stats().decoded[static_cast<std::size_t>(ForeignDecoder::htj2k)], 1u);
  EXPECT_EQ(p->stats().decoded[static_cast<std::size_t>(ForeignDecoder::jpeg2000)], 1u);
  EXPECT_EQ(p->stats().decoded[static_cast<std::size_t>(ForeignDecoder::deflate)], 1u);
}

/// Threads decode and compare, streams crash their worker, somebody kills workers: a thousand deaths, no wrong answer.
TEST_F(DecoderProcessesTest, a_thousand_deaths_under_load) {
  constexpr std::uint64_t kDeaths = kSanitized ? 100 : 1000;
  const auto p = started({.processes = 3});
  const std::size_t descriptors = open_descriptors();
  const Installed installed(*p);
  std::vector<Coded> frames;
  for (unsigned i = 0; i < 4; ++i) {
    frames.push_back(coded_frame(codec::uids::kJPEG2000Lossless, 96, i));
    frames.push_back(coded_frame(codec::uids::kHTJ2KLosslessRPCL, 96, i));
  }
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> right = 0, wrong = 0, refused = 0, given_up = 0;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      while (!stop) {
        if (random() % 8 == 0) {
          ++(error_of(*p, "segv") == Errc::malformed ? refused : wrong);
          continue;
        }
        const Coded& c = frames[random() % frames.size()];
        const auto frame = codec::decode_frame(*c.syntax, c.format, c.bytes);
        if (frame) {
          ++(frame.value().samples == c.samples ? right : wrong);
        } else {
          ++(frame.error() == Errc::closed ? given_up : wrong);  // killed four times in a row
        }
      }
    });
  }
  std::mt19937 random(9);
  const auto died = [&] {
    const auto s = p->stats();
    return s.crashed + s.killed;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(4);
  while (died() < kDeaths && std::chrono::steady_clock::now() < deadline) {
    const pid_t of = zygote();
    if (of == 0) continue;
    const auto workers = children_of(of);
    if (!workers.empty())
      ::kill(std::next(workers.begin(), static_cast<long>(random() % workers.size()))->first, SIGKILL);
    if (random() % 200 == 0) ::kill(of, SIGKILL);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  const auto s = p->stats();
  std::printf("%llu died by streams, %llu killed, %llu zygotes; %llu right, %llu given up\n",
              static_cast<unsigned long long>(s.crashed), static_cast<unsigned long long>(s.killed),
              static_cast<unsigned long long>(s.zygotes_started), static_cast<unsigned long long>(right),
              static_cast<unsigned long long>(given_up));
  EXPECT_GE(s.crashed + s.killed, kDeaths);
  EXPECT_GT(s.killed, kDeaths / 20);
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(right, 100u);
  EXPECT_LE(given_up, right / 20);
  expect_works(*p);
  EXPECT_LE(open_descriptors(), descriptors + 3);
}

}  // namespace
}  // namespace cairn::sandbox
