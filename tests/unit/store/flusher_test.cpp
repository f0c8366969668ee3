// A full disk under the index: stores wait or go on, and nothing is given up that more space would mend.
#include "engine/store/index/flusher.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mount.h>

#include "engine/store/index/database.h"

namespace cairn::store {
namespace {

class SmallDisk {
 public:
  explicit SmallDisk(const char* size) {
    std::string name = (std::filesystem::temp_directory_path() / "cairn-small-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    mounted_ = ::mount("none", path_.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
};

TEST(Flusher, GoesOnWhenThereIsSpaceAgain) {
  SmallDisk disk("size=40m");
  if (!disk.mounted()) GTEST_SKIP() << "SKIPPED: mounting a file system needs root";
  const auto ballast = disk.path() / "ballast";
  auto database = Database::open({disk.path() / "index", 1u << 20}).value();
  {
    std::ofstream out(ballast, std::ios::binary);
    const std::string chunk(1u << 20, 'x');
    while (std::filesystem::space(disk.path()).available > (9u << 20)) {
      out.write(chunk.data(), static_cast<std::streamsize>(chunk.size())).flush();
    }
  }
  std::optional<Flusher> flusher(std::in_place, *database, Flusher::Tail{1000, 512u << 10}, std::chrono::milliseconds(20));
  std::uint64_t mark = 0;
  const auto put = [&]() -> Result<> {
    rocksdb::WriteBatch batch;
    ++mark;
    std::string noise(3000, '\0');
    for (std::size_t i = 0; i < noise.size(); ++i)
      noise[i] = static_cast<char>((mark * 2654435761u + i * i * 40503u) >> 7);
    batch.Put(database->handle(Family::meta), "key" + std::to_string(mark), "m");
    batch.Put(database->handle(Family::header), "key" + std::to_string(mark), noise);
    CAIRN_TRYV(database->write(batch, mark));
    return flusher->wrote({1, batch.GetDataSize()});
  };
  std::atomic<int> written{0};
  std::atomic<bool> failed{false};
  std::thread writer([&] {
    for (int i = 0; i < 4000 && !failed; ++i) {
      if (const auto put_one = put(); !put_one) {
        failed = true;
        ADD_FAILURE() << to_string(put_one.error());
      }
      ++written;
    }
  });
  const auto until = [](const auto& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return condition();
  };
  EXPECT_TRUE(until([&] { return flusher->stalled().has_value() || failed; }));
  if (flusher->stalled()) {
    EXPECT_EQ(*flusher->stalled(), Errc::out_of_space);
  }
  std::filesystem::remove(ballast);
  EXPECT_TRUE(until([&] { return written == 4000 || failed; })) << written;
  writer.join();
  EXPECT_TRUE(until([&] { return !flusher->stalled(); }));
  EXPECT_TRUE(database->flush());
  EXPECT_EQ(database->persisted(), mark);
  flusher.reset();  // it flushes by itself
  database.reset();
  database = Database::open({disk.path() / "index", 1u << 20}).value();
  rocksdb::PinnableSlice value;
  for (std::uint64_t i = 1; i <= mark; ++i) {
    EXPECT_TRUE(database->get(Family::header, "key" + std::to_string(i), value, nullptr).value()) << i;
  }
}

}  // namespace
}  // namespace cairn::store
