#include "engine/io/testing/manual_file_system.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "engine/core/check.h"
#include "engine/io/buffer_pool.h"

namespace cairn::io::testing {
namespace {

constexpr std::size_t kSector = 512;

}  // namespace

struct ManualFileSystem::Inode {
  struct Write {
    std::uint64_t id;
    std::uint64_t offset;
    std::vector<std::byte> bytes;
  };
  std::vector<std::byte> now, durable;
  std::vector<Write> unflushed;  // in the order in which they completed
};

struct ManualFileSystem::DirectoryChange {
  enum class Kind { link, rename, remove } kind;
  std::string path, to;
  std::shared_ptr<Inode> inode;
};

struct ManualFileSystem::Parked {
  enum class Kind { read, write, write_through, flush } kind;
  class ManualQueue* queue;
  std::shared_ptr<Inode> inode;
  std::uint64_t offset;
  std::byte* data;
  std::size_t size;
  std::uint64_t token;
  std::uint64_t asked_at;    // a flush covers writes that completed before it was asked for
  std::uint64_t covers = 0;  // and the second half of a write_through nothing before its own
  std::int64_t result_of_write = 0;
};

class ManualFile final : public File {
 public:
  ManualFile(ManualFileSystem& files, std::shared_ptr<ManualFileSystem::Inode> inode)
      : files_(files), inode_(std::move(inode)) {}

  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    if (files_.off_) return fail(Errc::io, "read", offset);
    const auto& bytes = inode_->now;
    if (offset >= bytes.size()) return std::size_t{0};
    const std::size_t length = std::min<std::size_t>(into.size(), bytes.size() - offset);
    std::memcpy(into.data(), bytes.data() + offset, length);
    return length;
  }
  Result<> write(std::uint64_t offset, Bytes from) override {
    const std::int64_t result = files_.write_now(*inode_, offset, from);
    if (result == -ENOSPC) return fail(Errc::out_of_space, "write", offset);
    if (result != static_cast<std::int64_t>(from.size())) return fail(Errc::io, "write", offset);
    return outcome::success();
  }
  Result<> flush() override {
    if (files_.flush_now(*inode_, 0, files_.next_write_) < 0) return fail(Errc::io, "flush");
    return outcome::success();
  }
  Result<> allocate(std::uint64_t size) override {
    if (!files_.change()) return fail(Errc::io, "allocate");
    if (size > inode_->now.size() && files_.used_bytes() + size - inode_->now.size() > files_.capacity_) {
      return fail(Errc::out_of_space, "allocate");
    }
    inode_->now.resize(std::max<std::size_t>(inode_->now.size(), size));
    return outcome::success();
  }
  Result<> truncate(std::uint64_t size) override {
    if (!files_.change()) return fail(Errc::io, "truncate");
    inode_->now.resize(size);
    return outcome::success();
  }
  Result<std::uint64_t> size() override {
    if (files_.off_) return fail(Errc::io, "size");
    return static_cast<std::uint64_t>(inode_->now.size());
  }
  const std::shared_ptr<ManualFileSystem::Inode>& inode() const { return inode_; }

 private:
  ManualFileSystem& files_;
  std::shared_ptr<ManualFileSystem::Inode> inode_;
};

class ManualQueue final : public Queue {
 public:
  using Kind = ManualFileSystem::Parked::Kind;
  explicit ManualQueue(ManualFileSystem& files) : files_(files) {}
  ~ManualQueue() override {
    files_.parked_.remove_if([this](const auto& parked) { return parked.queue == this; });
  }

  void read(File& file, std::uint64_t offset, MutableBytes into, std::uint64_t token) override {
    park(Kind::read, file, offset, into.data(), into.size(), token);
  }
  void write(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
    park(Kind::write, file, offset, const_cast<std::byte*>(from.data()), from.size(), token);
  }
  void write_through(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
    park(Kind::write_through, file, offset, const_cast<std::byte*>(from.data()), from.size(), token);
  }
  void flush(File& file, std::uint64_t token) override { park(Kind::flush, file, 0, nullptr, 0, token); }

  void submit() override {}
  std::size_t wait(std::span<Completion> completions, bool block) override {
    CAIRN_CHECK(!block);
    std::size_t count = 0;
    for (; count < completions.size() && !done.empty(); done.pop_front()) completions[count++] = done.front();
    return count;
  }
  void wake() override {}
  const char* name() const noexcept override { return "manual"; }

  std::deque<Completion> done;

 private:
  void park(Kind kind, File& file, std::uint64_t offset, std::byte* data, std::size_t size, std::uint64_t token) {
    CAIRN_CHECK(offset % kBlockBytes == 0 && size % kBlockBytes == 0);
    CAIRN_CHECK(reinterpret_cast<std::uintptr_t>(data) % kBlockBytes == 0);
    files_.parked_.push_back(
        {kind, this, static_cast<ManualFile&>(file).inode(), offset, data, size, token, files_.next_write_});
  }
  ManualFileSystem& files_;
};

ManualFileSystem::ManualFileSystem(std::uint64_t seed, std::uint64_t capacity_bytes)
    : random_(seed), capacity_(capacity_bytes) {}
ManualFileSystem::~ManualFileSystem() = default;

bool ManualFileSystem::change() {
  if (off_) return false;
  if (changes_left_ == ~0ull || changes_left_-- > 0) return true;
  lose_power();
  return false;
}

bool ManualFileSystem::chance(double probability) {
  return probability > 0 && static_cast<double>(below(1u << 30)) < probability * (1u << 30);
}

std::uint64_t ManualFileSystem::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [path, inode] : now_) used += inode->now.size();
  return used;
}

Result<std::shared_ptr<File>> ManualFileSystem::open(const std::filesystem::path& path, OpenMode mode) {
  if (off_) return fail(Errc::io, "open");
  const auto it = now_.find(path.string());
  if (mode == OpenMode::create) {
    if (it != now_.end()) return fail(Errc::conflict, "open");
    if (!change()) return fail(Errc::io, "open");
    const DirectoryChange link{DirectoryChange::Kind::link, path.string(), "", std::make_shared<Inode>()};
    apply(now_, link);
    changes_.push_back(link);
    return std::shared_ptr<File>(std::make_shared<ManualFile>(*this, link.inode));
  }
  if (it == now_.end()) return fail(Errc::not_found, "open");
  return std::shared_ptr<File>(std::make_shared<ManualFile>(*this, it->second));
}

void ManualFileSystem::apply(Directory& directory, const DirectoryChange& change) {
  switch (change.kind) {
    case DirectoryChange::Kind::link:
      directory[change.path] = change.inode;
      break;
    case DirectoryChange::Kind::rename:
      if (const auto it = directory.find(change.path); it != directory.end()) {
        auto inode = it->second;
        directory.erase(it);
        directory[change.to] = std::move(inode);
      }
      break;
    case DirectoryChange::Kind::remove:
      directory.erase(change.path);
      break;
  }
}

Result<> ManualFileSystem::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (!change()) return fail(Errc::io, "rename");
  if (!now_.contains(from.string())) return fail(Errc::not_found, "rename");
  changes_.push_back({DirectoryChange::Kind::rename, from.string(), to.string(), nullptr});
  apply(now_, changes_.back());
  return outcome::success();
}

Result<> ManualFileSystem::remove(const std::filesystem::path& path) {
  if (!change()) return fail(Errc::io, "remove");
  if (!now_.contains(path.string())) return fail(Errc::not_found, "remove");
  changes_.push_back({DirectoryChange::Kind::remove, path.string(), "", nullptr});
  apply(now_, changes_.back());
  return outcome::success();
}

Result<> ManualFileSystem::create_directories(const std::filesystem::path&) {
  if (off_) return fail(Errc::io, "create directory");
  return outcome::success();
}

Result<> ManualFileSystem::sync_directory(const std::filesystem::path& directory) {
  if (!change()) return fail(Errc::io, "sync directory");
  if (faults.swallow_flushes) return outcome::success();
  std::erase_if(changes_, [&](const DirectoryChange& change) {
    if (std::filesystem::path(change.path).parent_path() != directory) return false;
    apply(durable_, change);
    return true;
  });
  return outcome::success();
}

Result<std::vector<std::string>> ManualFileSystem::list(const std::filesystem::path& directory) {
  if (off_) return fail(Errc::io, "list directory");
  std::vector<std::string> names;
  for (const auto& [path, inode] : now_) {
    if (std::filesystem::path(path).parent_path() == directory) {
      names.push_back(std::filesystem::path(path).filename().string());
    }
  }
  return names;
}

Result<Space> ManualFileSystem::space(const std::filesystem::path&) {
  if (off_) return fail(Errc::io, "free space");
  const std::uint64_t used = used_bytes();
  return Space{used > capacity_ ? 0 : capacity_ - used, capacity_};
}

std::unique_ptr<Queue> ManualFileSystem::make_queue(unsigned, bool) {
  return std::make_unique<ManualQueue>(*this);
}

void ManualFileSystem::random(MutableBytes bytes) {
  for (std::byte& b : bytes) b = static_cast<std::byte>(random_());
}

std::int64_t ManualFileSystem::now_unix_ns() {
  return clock_ns_ += 1'000'000;
}

std::int64_t ManualFileSystem::write_now(Inode& inode, std::uint64_t offset, Bytes bytes) {
  if (!change() || chance(faults.write_error)) return -EIO;
  const std::uint64_t end = offset + bytes.size();
  const std::uint64_t growth = end > inode.now.size() ? end - inode.now.size() : 0;
  if (chance(faults.no_space) || (growth > 0 && used_bytes() + growth > capacity_)) return -ENOSPC;
  if (chance(faults.short_write)) bytes = bytes.first(below(bytes.size() / kSector + 1) * kSector);
  if (bytes.empty()) return 0;
  if (offset + bytes.size() > inode.now.size()) inode.now.resize(offset + bytes.size());
  std::memcpy(inode.now.data() + offset, bytes.data(), bytes.size());
  inode.unflushed.push_back({next_write_++, offset, {bytes.begin(), bytes.end()}});
  return static_cast<std::int64_t>(bytes.size());
}

std::int64_t ManualFileSystem::flush_now(Inode& inode, std::uint64_t from, std::uint64_t up_to) {
  if (!change()) return -EIO;
  if (faults.swallow_flushes) return 0;
  const bool failing = chance(faults.flush_error);
  std::vector<Inode::Write> kept;
  inode.durable.resize(inode.now.size());
  for (Inode::Write& write : inode.unflushed) {
    if (write.id < from || write.id >= up_to) {
      kept.push_back(std::move(write));
    } else if (!failing) {
      if (write.offset + write.bytes.size() <= inode.durable.size()) {
        std::memcpy(inode.durable.data() + write.offset, write.bytes.data(), write.bytes.size());
      } else if (write.offset < inode.durable.size()) {
        std::memcpy(inode.durable.data() + write.offset, write.bytes.data(), inode.durable.size() - write.offset);
      }
    } else if (chance(0.5)) {
      kept.push_back(std::move(write));  // the others are marked clean and forgotten
    }
  }
  inode.unflushed = std::move(kept);
  return failing ? -EIO : 0;
}

std::int64_t ManualFileSystem::execute(Parked& parked, bool& again) {
  switch (parked.kind) {
    case Parked::Kind::read: {
      const auto& bytes = parked.inode->now;
      if (parked.offset >= bytes.size()) return 0;
      const std::size_t length = std::min<std::size_t>(parked.size, bytes.size() - parked.offset);
      std::memcpy(parked.data, bytes.data() + parked.offset, length);
      return static_cast<std::int64_t>(length);
    }
    case Parked::Kind::write:
      return write_now(*parked.inode, parked.offset, {parked.data, parked.size});
    case Parked::Kind::write_through:
      parked.result_of_write = write_now(*parked.inode, parked.offset, {parked.data, parked.size});
      if (parked.result_of_write != static_cast<std::int64_t>(parked.size)) return parked.result_of_write;
      parked.kind = Parked::Kind::flush;
      parked.asked_at = next_write_;
      parked.covers = next_write_ - 1;
      again = true;
      return 0;
    case Parked::Kind::flush: {
      const std::int64_t result = flush_now(*parked.inode, parked.covers, parked.asked_at);
      return result < 0 ? result : parked.result_of_write;
    }
  }
  return -EINVAL;
}

bool ManualFileSystem::complete_one() {
  if (off_ || parked_.empty()) return false;
  auto it = parked_.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(below(parked_.size())));
  bool again = false;
  Parked operation = *it;  // losing power forgets what is parked
  const std::int64_t result = execute(operation, again);
  if (off_) return false;
  *it = operation;
  if (!again) {
    it->queue->done.push_back({it->token, result});
    parked_.erase(it);
  }
  return true;
}

std::size_t ManualFileSystem::parked() const noexcept {
  return parked_.size();
}

void ManualFileSystem::tear_into(std::vector<std::byte>& image, std::uint64_t offset, Bytes bytes, double kept,
                                 std::size_t sector) {
  for (std::size_t at = 0; at < bytes.size(); at += sector) {
    if (!chance(kept)) continue;
    const std::size_t length = std::min(sector, bytes.size() - at);
    if (offset + at + length > image.size()) continue;
    std::memcpy(image.data() + offset + at, bytes.data() + at, length);
  }
}

void ManualFileSystem::reboot() {
  // One cut loses nearly all, another nearly nothing; some devices tear at 512 bytes, some at 4 KiB.
  const double kept = std::array{0.0, 0.2, 0.5, 0.9, 1.0}[below(5)];
  const std::size_t sector = below(2) == 0 ? kSector : kBlockBytes;
  const std::size_t synced_anyway = below(changes_.size() + 1);
  for (std::size_t i = 0; i < synced_anyway; ++i) apply(durable_, changes_[i]);
  changes_.clear();
  now_ = durable_;
  for (auto& [path, inode] : now_) {
    std::vector<std::byte> image = std::move(inode->durable);
    if (chance(0.5)) image.resize(inode->now.size());  // the size may have reached the journal
    for (const auto& write : inode->unflushed) tear_into(image, write.offset, write.bytes, kept, sector);
    inode->unflushed.clear();
    inode->durable = image;
    inode->now = std::move(image);
  }
  restart();
}

void ManualFileSystem::lose_power() {
  off_ = true;
  // What the device was working on may be on it, in part.
  for (const Parked& parked : parked_) {
    if (parked.kind == Parked::Kind::write || parked.kind == Parked::Kind::write_through) {
      parked.inode->unflushed.push_back({next_write_++, parked.offset, {parked.data, parked.data + parked.size}});
    }
  }
  parked_.clear();
}

void ManualFileSystem::kill_process() {
  changes_left_ = ~0ull;
  for (Parked& parked : parked_) {
    bool again = false;
    if (chance(0.5)) execute(parked, again);
  }
  parked_.clear();
  off_ = true;
}

void ManualFileSystem::restart() {
  off_ = false;
  changes_left_ = ~0ull;
}

std::vector<std::byte>* ManualFileSystem::contents(const std::filesystem::path& path) {
  const auto it = now_.find(path.string());
  return it == now_.end() ? nullptr : &it->second->now;
}

void ManualFileSystem::put(const std::filesystem::path& path, std::vector<std::byte> bytes) {
  auto inode = std::make_shared<Inode>();
  inode->durable = bytes;
  inode->now = std::move(bytes);
  now_[path.string()] = inode;
  durable_[path.string()] = inode;
}

}  // namespace cairn::io::testing
