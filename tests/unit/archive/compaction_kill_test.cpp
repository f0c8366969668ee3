// A process that stores, removes and compacts is killed with SIGKILL at a random moment, again and again: what it
// acknowledged is there bit for bit, what it removed is not, and an index made anew says the same.
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/archive/archive_fixture.h"

extern char** environ;

namespace cairn::archive::test {
namespace {

constexpr const char* kDirectory = "CAIRN_COMPACTION_CHILD";

Options child_options(const fs::path& directory) {
  Options o = small_options(directory);
  o.log.segment_bytes = 1u << 20;
  o.log.reserve_bytes = 0;
  o.restore_days = 0;
  o.compaction_bytes_per_s = 1u << 30;
  o.unpersisted_records = 200;
  return o;
}

Sample sample(const std::string& study, std::uint64_t instance) {
  Sample s;
  s.study = study;
  s.series = study + ".1";
  s.sop = s.series + '.' + std::to_string(instance);
  std::mt19937_64 random(instance);
  s.pixels.resize((1 + random() % 10) * (random() % 16 == 0 ? 200'000 : 8'000));
  for (char& c : s.pixels) c = static_cast<char>(random());
  return s;
}

/// Lines of a file that several lives of the child append to.
class Journal {
 public:
  explicit Journal(const fs::path& path) : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)) {}
  ~Journal() { ::close(fd_); }
  void say(const std::string& line) {
    EXPECT_EQ(::write(fd_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }

 private:
  int fd_;
};

// Run by the test below, in a process of its own; does not return.
TEST(CompactionChild, Runs) {
  const char* directory = std::getenv(kDirectory);
  if (directory == nullptr) GTEST_SKIP() << "a part of CompactionKill.LosesNothing";
  Journal journal(fs::path(directory) / "journal");
  io::WorkerPool workers(2, "child");
  auto opened = Archive::open(child_options(fs::path(directory) / "data"), workers);
  ASSERT_TRUE(opened) << to_string(opened.error());
  Archive& archive = *opened.value();
  const auto begun = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  std::thread([&] {
    for (;;) (void)archive.compact(false, [](const store::Fault& f) { ADD_FAILURE() << to_string(f.error); });
  }).detach();
  for (std::uint64_t study = 0;; ++study) {
    const std::string uid = "1.2." + std::to_string(begun) + '.' + std::to_string(study);
    for (std::uint64_t i = 0; i < 30; ++i) {
      const Sample s = sample(uid, begun % 1000 * 1000 + study * 30 + i);
      const auto stored = run(receive(archive, s.stream()));
      ASSERT_TRUE(stored) << to_string(stored.error());
      journal.say("A " + uid + ' ' + std::to_string(begun % 1000 * 1000 + study * 30 + i) + '\n');
      if (i % 7 == 0) (void)run(receive(archive, s.stream()));  // comes twice
    }
    if (study % 3 == 2) continue;
    journal.say("r " + uid + '\n');  // from here on it may be gone
    ASSERT_TRUE(run(archive.remove({uid, "", ""}, {}, true)));
    journal.say("R " + uid + '\n');
  }
}

TEST(CompactionKill, LosesNothing) {
  std::string name = (fs::temp_directory_path() / "cairn-kill-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const fs::path directory = name;
  ASSERT_EQ(::setenv(kDirectory, directory.c_str(), 1), 0);
  std::mt19937_64 random(std::random_device{}());
  io::WorkerPool workers(2, "parent");
  std::size_t kept = 0, compacted = 0;
  for (int round = 0; round < 6 && !::testing::Test::HasFailure(); ++round) {
    std::string self = "/proc/self/exe", filter = "--gtest_filter=CompactionChild.Runs";
    char* arguments[] = {self.data(), filter.data(), nullptr};
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, self.c_str(), nullptr, nullptr, arguments, environ), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1000 + random() % 3000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";

    std::map<std::string, std::vector<std::uint64_t>> stored;
    std::set<std::string> maybe_gone, gone;
    std::ifstream journal(directory / "journal");
    for (std::string kind, study; journal >> kind >> study;) {
      std::uint64_t instance = 0;
      if (kind == "A") {
        journal >> instance;
        stored[study].push_back(instance);
      }
      if (kind == "r") maybe_gone.insert(study);
      if (kind == "R") gone.insert(study);
    }
    Options options = child_options(directory / "data");
    std::string before;
    for (const bool anew : {false, true}) {
      options.rebuild_index = anew;
      auto opened = Archive::open(options, workers);
      ASSERT_TRUE(opened) << to_string(opened.error());
      Archive& archive = *opened.value();
      for (const store::Fault& f : archive.opened_with().faults) ADD_FAILURE() << to_string(f.error);
      kept = 0;
      for (const auto& [study, instances] : stored) {
        for (const std::uint64_t i : instances) {
          const Sample s = sample(study, i);
          if (gone.contains(study)) {
            EXPECT_EQ(archive.instance(s.sop).error(), Errc::not_found);
          } else if (!maybe_gone.contains(study) || archive.instance(s.sop)) {
            ASSERT_EQ(stored_stream(archive, s.sop), s.stream()) << s.sop;
            ++kept;
          }
        }
      }
      EXPECT_TRUE(archive.scrub([](const store::Fault& f) { ADD_FAILURE() << to_string(f.error); }, {}));
      std::string dump;
      EXPECT_TRUE(archive.dump_index([&](std::string_view line) { (dump += line) += '\n'; }));
      if (anew) EXPECT_TRUE(dump == before) << "another index";
      before = std::move(dump);
    }
    for (const auto& entry : fs::directory_iterator(directory / "data" / "volume0")) {
      compacted += entry.path().filename().string().starts_with("cmp-");
    }
  }
  EXPECT_GT(kept, 0u);
  EXPECT_GT(compacted, 0u) << "it was always killed before it had compacted anything";
  ::unsetenv(kDirectory);
  if (!::testing::Test::HasFailure()) fs::remove_all(directory);
}

}  // namespace
}  // namespace cairn::archive::test
