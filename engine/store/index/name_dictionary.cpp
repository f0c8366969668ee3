#include "engine/store/index/name_dictionary.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/store/index/database.h"
#include "engine/store/index/fold.h"
#include "engine/store/index/keys.h"

namespace cairn::store {
namespace {

constexpr std::size_t kChunkBytes = 64u << 10;
constexpr std::size_t kHead = 5;

std::string_view name_at(const char* entry) noexcept {
  return {entry + kHead, static_cast<unsigned char>(entry[4])};
}

}  // namespace

static_assert(kMaxFoldedBytes < 256);

std::uint32_t letters_of(std::string_view folded) noexcept {
  std::uint32_t letters = 0;
  for (const char c : folded) {
    const auto b = static_cast<unsigned char>(c);
    letters |= b >= 'a' && b <= 'z' ? 1u << (b - 'a') : b >= 0x80 ? 1u << 26 : b >= '0' && b <= '9' ? 1u << 27 : 0u;
  }
  return letters;
}

void NameDictionary::load(const Database& database) {
  stop();
  {
    const std::lock_guard lock(mutex_);
    loading_ = true;
    stop_ = false;
    failed_.reset();
  }
  thread_ = std::thread([this, &database] { read(database); });
}

void NameDictionary::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void NameDictionary::clear() {
  stop();
  const std::lock_guard lock(mutex_);
  chunks_.clear();
  table_.clear();
  count_ = 0;
}

void NameDictionary::read(const Database& database) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::string begin = keys::name_prefix({}), end = keys::after_prefix(begin);
  const rocksdb::Slice upper = slice(end);
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(database.rocks().NewIterator(options, database.handle(Family::list)));
  std::string last;
  for (it->Seek(slice(begin)); it->Valid(); it->Next()) {
    const std::string_view name = keys::name_of_key(text_of(it->key()));
    if (name.empty() || name == last) continue;
    last = name;
    add(name);
    const std::lock_guard lock(mutex_);
    if (stop_) break;
  }
  const std::lock_guard lock(mutex_);
  if (!it->status().ok()) failed_ = translate(it->status(), "reading the index");
  loading_ = false;
  loaded_.notify_all();
}

bool NameDictionary::known(std::string_view folded, std::size_t& slot) const {
  const std::size_t mask = table_.size() - 1;
  for (slot = std::hash<std::string_view>()(folded) & mask; table_[slot] != nullptr; slot = (slot + 1) & mask) {
    if (name_at(table_[slot]) == folded) return true;
  }
  return false;
}

void NameDictionary::grow() {
  const std::vector<const char*> old =
      std::exchange(table_, std::vector<const char*>(std::max<std::size_t>(1024, table_.size() * 2)));
  for (const char* entry : old) {
    std::size_t slot = 0;
    if (entry != nullptr && !known(name_at(entry), slot)) table_[slot] = entry;
  }
}

void NameDictionary::add(std::string_view folded) {
  folded = folded.substr(0, kMaxFoldedBytes);
  const std::lock_guard lock(mutex_);
  if (count_ * 2 >= table_.size()) grow();
  std::size_t slot = 0;
  if (known(folded, slot)) return;
  if (chunks_.empty() || kChunkBytes - chunks_.back().used < kHead + folded.size()) {
    chunks_.push_back({std::unique_ptr<char[]>(new char[kChunkBytes]), 0});
  }
  Chunk& chunk = chunks_.back();
  char* entry = chunk.bytes.get() + chunk.used;
  const std::uint32_t letters = letters_of(folded);
  std::memcpy(entry, &letters, 4);
  entry[4] = static_cast<char>(folded.size());
  std::memcpy(entry + kHead, folded.data(), folded.size());
  chunk.used += kHead + folded.size();
  table_[slot] = entry;
  ++count_;
}

Result<> NameDictionary::each(const std::function<bool(std::string_view, std::uint32_t)>& visit) {
  std::vector<std::pair<const char*, std::size_t>> pieces;
  {
    std::unique_lock lock(mutex_);
    loaded_.wait(lock, [this] { return !loading_; });
    if (failed_) return *failed_;
    for (const Chunk& chunk : chunks_) pieces.emplace_back(chunk.bytes.get(), chunk.used);
  }
  // What is there stays as it is: chunks are only appended to, and clear() comes when nobody reads.
  for (const auto& [bytes, used] : pieces) {
    for (std::size_t at = 0; at < used;) {
      std::uint32_t letters = 0;
      std::memcpy(&letters, bytes + at, 4);
      const std::string_view name = name_at(bytes + at);
      at += kHead + name.size();
      if (!visit(name, letters)) return outcome::success();
    }
  }
  return outcome::success();
}

std::size_t NameDictionary::size() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

}  // namespace cairn::store
