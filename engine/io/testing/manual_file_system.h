// The test double of the file seam: files in memory, each with what a reader sees (volatile) and what a power cut
// leaves (durable). Operations of queues are parked until complete_one(), which takes them in an order that the seed
// decides. reboot() loses, keeps or tears what was not flushed, sector by sector, and directory changes that were not
// synced. Faults come from the same seed. Deterministic; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/io/file_system.h"

namespace cairn::io::testing {

class ManualFileSystem final : public FileSystem {
 public:
  /// Chances per operation, 0 to 1.
  struct Faults {
    double write_error = 0;
    double short_write = 0;
    double no_space = 0;
    double flush_error = 0;        ///< and some of what it should have made durable never will be
    bool swallow_flushes = false;  ///< success, and nothing done: the disk that lies
  };

  explicit ManualFileSystem(std::uint64_t seed, std::uint64_t capacity_bytes = 1ull << 30);
  ~ManualFileSystem() override;

  Result<std::shared_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) override;
  Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<> remove(const std::filesystem::path& path) override;
  Result<> create_directories(const std::filesystem::path& directory) override;
  Result<> sync_directory(const std::filesystem::path& directory) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
  Result<Space> space(const std::filesystem::path& directory) override;
  std::unique_ptr<Queue> make_queue(unsigned depth, bool ring) override;
  void random(MutableBytes bytes) override;
  std::int64_t now_unix_ns() override;

  Faults faults;

  /// Completes one parked operation (of write_through, one half); false when there is none or the power is off.
  bool complete_one();
  std::size_t parked() const noexcept;

  /// Power goes off at the n-th change from now: it and everything after it fail with EIO.
  void cut_power_after(std::uint64_t changes) noexcept { changes_left_ = changes; }
  void cut_power_now() { lose_power(); }
  bool power_is_off() const noexcept { return off_; }
  /// Power on again: what was not flushed is lost, kept or torn. All open files and queues must be gone.
  void reboot();
  /// The process dies: some of what was parked still happens. Then, when all files and queues are gone, restart().
  void kill_process();
  void restart();

  /// Contents as a reader sees them and a reboot keeps them, for tests that change or inspect bytes. Null: no such
  /// file.
  std::vector<std::byte>* contents(const std::filesystem::path& path);
  void put(const std::filesystem::path& path, std::vector<std::byte> bytes);
  void set_capacity(std::uint64_t bytes) noexcept { capacity_ = bytes; }

 private:
  friend class ManualFile;
  friend class ManualQueue;
  struct Inode;
  struct Parked;
  struct DirectoryChange;
  using Directory = std::map<std::string, std::shared_ptr<Inode>>;

  void lose_power();
  bool change();  ///< counts one; false when the power is off
  bool chance(double probability);
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }
  std::int64_t write_now(Inode& inode, std::uint64_t offset, Bytes bytes);
  std::int64_t flush_now(Inode& inode, std::uint64_t from, std::uint64_t up_to);
  std::int64_t execute(Parked& parked, bool& again);
  void tear_into(std::vector<std::byte>& image, std::uint64_t offset, Bytes bytes, double kept, std::size_t sector);
  std::uint64_t used_bytes() const;
  static void apply(Directory& directory, const DirectoryChange& change);

  std::mt19937_64 random_;
  std::uint64_t capacity_;
  std::uint64_t next_write_ = 1;
  std::uint64_t changes_left_ = ~0ull;
  bool off_ = false;
  std::int64_t clock_ns_ = 1'700'000'000'000'000'000;
  Directory now_, durable_;
  std::vector<DirectoryChange> changes_;
  std::list<Parked> parked_;
};

}  // namespace cairn::io::testing
