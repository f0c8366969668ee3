// The ordered set under RocksDB's memtables does what std::set does, beside readers too.
#include "engine/store/index/key_tree.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cairn::store {
namespace {

using rocksdb::MemTableRep;

struct Unused final : MemTableRep::KeyComparator {
  int operator()(const char*, const char*) const override { return 0; }
  int operator()(const char*, const rocksdb::Slice&) const override { return 0; }
};

std::string internal(const std::string& user, std::uint64_t tag) {
  return user + std::string(reinterpret_cast<const char*>(&tag), 8);
}

class KeyTreeTest : public ::testing::Test {
 protected:
  void insert(const std::string& user, std::uint64_t tag) {
    const std::string key = internal(user, tag);
    std::string entry;
    std::size_t n = key.size();
    for (; n >= 0x80; n >>= 7) entry.push_back(static_cast<char>(n | 0x80));
    entry.push_back(static_cast<char>(n));
    entries_.push_back(std::make_unique<std::string>(entry + key + "value"));
    tree_->Insert(entries_.back()->data());
  }
  static std::pair<std::string, std::uint64_t> read(const char* entry) {
    const auto* p = reinterpret_cast<const unsigned char*>(entry);
    std::size_t size = 0;
    unsigned shift = 0;
    do {
      size |= std::size_t{*p & 0x7fu} << shift;
      shift += 7;
    } while (*p++ >= 0x80);
    std::uint64_t tag = 0;
    std::memcpy(&tag, p + size - 8, 8);
    return {std::string(reinterpret_cast<const char*>(p), size - 8), ~tag};
  }

  const Unused unused_;
  std::unique_ptr<MemTableRep> tree_{key_tree_factory()->CreateMemTableRep(unused_, nullptr, nullptr, nullptr)};
  std::vector<std::unique_ptr<std::string>> entries_;
};

// Keys that share long beginnings, end in zeros, are prefixes of one another, ascend, descend and repeat.
std::string key_of(std::mt19937& random, unsigned kind, std::uint64_t i) {
  switch (kind) {
    case 0:
      return "1.2.826.0.1.3680043.8.498." + std::to_string(random() % 5000) + "." + std::to_string(random());
    case 1:
      return std::string(random() % 40, '\0') + std::string(random() % 3, 'x');
    case 2:
      return "1.2.3." + std::to_string(1'000'000 + i);
    case 3:
      return "1.2.3." + std::to_string(9'000'000 - i);
    case 4:
      return std::string(random() % 300, 'a');
    default: {
      std::string out;
      for (std::uint32_t n = random() % 12; n > 0; --n) out.push_back(static_cast<char>(random()));
      return out;
    }
  }
}

TEST_F(KeyTreeTest, HoldsWhatASetHolds) {
  for (unsigned mix = 0; mix < 8; ++mix) {
    tree_.reset(key_tree_factory()->CreateMemTableRep(unused_, nullptr, nullptr, nullptr));
    std::mt19937 random(mix);
    std::set<std::pair<std::string, std::uint64_t>> expected;  // tags complemented, as they descend
    for (std::uint64_t i = 1; i <= 20'000; ++i) {
      const std::string user = key_of(random, mix < 6 ? mix : static_cast<unsigned>(random() % 6), i);
      insert(user, i << 8 | 1);
      expected.emplace(user, ~(i << 8 | 1));
    }
    const std::unique_ptr<MemTableRep::Iterator> it(tree_->GetIterator());
    auto at = expected.begin();
    for (it->SeekToFirst(); it->Valid(); it->Next(), ++at) {
      ASSERT_NE(at, expected.end());
      ASSERT_EQ(read(it->key()), *at) << "mix " << mix;
    }
    ASSERT_EQ(at, expected.end());
    auto back = expected.rbegin();
    for (it->SeekToLast(); it->Valid(); it->Prev(), ++back) ASSERT_EQ(read(it->key()), *back);
    ASSERT_EQ(back, expected.rend());
    for (int i = 0; i < 2000; ++i) {
      const std::string user = key_of(random, mix % 6, random() % 25'000);
      const std::uint64_t tag = std::uint64_t{random() % 21'000} << 8 | 1;
      const auto after = expected.lower_bound({user, ~tag});
      it->Seek(internal(user, tag), nullptr);
      ASSERT_EQ(it->Valid(), after != expected.end());
      if (it->Valid()) ASSERT_EQ(read(it->key()), *after);
      const auto above = expected.upper_bound({user, ~tag});
      it->SeekForPrev(internal(user, tag), nullptr);
      ASSERT_EQ(it->Valid(), above != expected.begin());
      if (it->Valid()) ASSERT_EQ(read(it->key()), *std::prev(above));
    }
    for (const auto& entry : entries_) ASSERT_TRUE(tree_->Contains(entry->data()));
    entries_.clear();
  }
}

TEST_F(KeyTreeTest, AnEmptyOneHasNoPlaces) {
  const std::unique_ptr<MemTableRep::Iterator> it(tree_->GetIterator());
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  it->SeekToLast();
  EXPECT_FALSE(it->Valid());
  it->Seek(internal("a", 1), nullptr);
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev(internal("a", 1), nullptr);
  EXPECT_FALSE(it->Valid());
}

// A reader that begins after an insertion ended sees it, in order, both ways, while the writer goes on.
TEST_F(KeyTreeTest, ReadersBesideTheWriterMissNothingOlder) {
  constexpr std::uint64_t kKeys = 60'000;
  entries_.reserve(kKeys);
  std::atomic<std::uint64_t> published{0};
  std::atomic<bool> wrong{false};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      do {
        const std::uint64_t before = published.load(std::memory_order_acquire);
        const std::unique_ptr<MemTableRep::Iterator> it(tree_->GetIterator());
        std::uint64_t older = 0;
        std::pair<std::string, std::uint64_t> last;
        bool first = true;
        const auto look = [&] {
          auto now = read(it->key());
          if ((~now.second >> 8) <= before) ++older;
          if (!first && (r == 0 ? !(last < now) : !(now < last))) wrong = true;
          first = false;
          last = std::move(now);
        };
        if (r == 0) {
          for (it->SeekToFirst(); it->Valid(); it->Next()) look();
        } else {
          for (it->SeekToLast(); it->Valid(); it->Prev()) look();
        }
        if (older != before) wrong = true;
      } while (published.load(std::memory_order_acquire) < kKeys);
    });
  }
  std::mt19937 random(7);
  for (std::uint64_t i = 1; i <= kKeys; ++i) {
    insert(key_of(random, static_cast<unsigned>(random() % 6), i), i << 8 | 1);
    published.store(i, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace cairn::store
