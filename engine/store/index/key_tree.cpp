#include "engine/store/index/key_tree.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/check.h"

namespace cairn::store {
namespace {

constexpr std::uint32_t kLeafKeys = 16;
constexpr std::uint32_t kInnerKeys = 64;
constexpr int kMaxHeight = 12;  // 2^32 entries need less, even with nodes at their emptiest
constexpr std::size_t kChunkBytes = 128u << 10;

// A RocksDB internal key: user key ascending, then sequence number and type (the tag) descending.
struct Key {
  const char* user = nullptr;
  std::uint32_t size = 0;
  std::uint64_t tag = 0;

  static Key internal(const char* bytes, std::size_t size) {
    Key key{bytes, static_cast<std::uint32_t>(size - 8), 0};
    std::memcpy(&key.tag, bytes + key.size, 8);
    return key;
  }
  // An entry of a memtable: the internal key behind its length as a varint.
  static Key of(const char* entry) {
    std::uint32_t size = 0;
    unsigned shift = 0;
    unsigned char b;
    do {
      b = static_cast<unsigned char>(*entry++);
      size |= static_cast<std::uint32_t>(b & 0x7f) << shift;
      shift += 7;
    } while (b >= 0x80);
    return internal(entry, size);
  }
};
static_assert(std::endian::native == std::endian::little, "RocksDB's tags are read as they lie");

int compare(const Key& a, const Key& b, std::uint32_t equal = 0) {
  const std::uint32_t common = std::min(a.size, b.size);
  if (common > equal) {
    if (const int order = std::memcmp(a.user + equal, b.user + equal, common - equal); order != 0) return order;
  }
  if (a.size != b.size) return a.size < b.size ? -1 : 1;
  return a.tag > b.tag ? -1 : a.tag < b.tag ? 1 : 0;
}

std::uint32_t common_prefix(const Key& a, const Key& b) {
  const std::uint32_t end = std::min(a.size, b.size);
  std::uint32_t n = 0;
  while (n < end && a.user[n] == b.user[n]) ++n;
  return n;
}

// The eight bytes after `prefix`, so that they compare as the key does; ends of keys read as zeros, hence equal hints
// say nothing.
std::uint64_t hint_of(const Key& key, std::uint32_t prefix) {
  if (key.size >= prefix + 8) return load_be<std::uint64_t>(reinterpret_cast<const std::byte*>(key.user + prefix));
  std::byte bytes[8] = {};
  if (key.size > prefix) std::memcpy(bytes, key.user + prefix, key.size - prefix);
  return load_be<std::uint64_t>(bytes);
}

// Behind the node lie `capacity` hints, as many entries and, in an inner node, as many children. The entry of a child
// is one not greater than its keys; the first child takes whatever is less, too.
struct Node {
  std::atomic<std::uint32_t> count{0};
  std::uint32_t capacity = 0;
  std::uint32_t prefix = 0;  // bytes that all keys share
  bool leaf = true;

  std::uint64_t* hints() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const char** entries() { return reinterpret_cast<const char**>(hints() + capacity); }
  std::atomic<Node*>* children() { return reinterpret_cast<std::atomic<Node*>*>(entries() + capacity); }
  std::uint32_t size() const { return count.load(std::memory_order_acquire); }
  static std::size_t bytes(bool leaf, std::uint32_t capacity) {
    return sizeof(Node) + std::size_t{capacity} * (leaf ? 16 : 24);
  }
};
static_assert(sizeof(Node) == 16 && sizeof(std::atomic<Node*>) == 8);

// How many of the node's keys are less than `key` (`or_equal`: not greater).
std::uint32_t rank(Node& node, const Key& key, bool or_equal) {
  const std::uint32_t size = node.size();
  if (size == 0) return 0;
  if (node.prefix > 0) {
    const Key first = Key::of(node.entries()[0]);
    const std::uint32_t shared = std::min(node.prefix, key.size);
    const int order = std::memcmp(key.user, first.user, shared);
    if (order < 0 || (order == 0 && key.size < node.prefix)) return 0;
    if (order > 0) return size;
  }
  const std::uint64_t hint = hint_of(key, node.prefix);
  const std::uint64_t* hints = node.hints();
  std::uint32_t low = 0, high = 0;
  for (std::uint32_t i = 0; i < size; ++i) {
    low += hints[i] < hint ? 1 : 0;
    high += hints[i] <= hint ? 1 : 0;
  }
  while (low < high) {
    const std::uint32_t middle = (low + high) / 2;
    const int order = compare(Key::of(node.entries()[middle]), key, node.prefix);
    if (order < 0 || (or_equal && order == 0)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::uint32_t child_for(Node& node, const Key& key) {
  const std::uint32_t n = rank(node, key, true);
  return n == 0 ? 0 : n - 1;
}

class KeyTree final : public rocksdb::MemTableRep {
 public:
  explicit KeyTree(rocksdb::Allocator* allocator) : MemTableRep(allocator) {}

  void Insert(rocksdb::KeyHandle handle) override { insert(static_cast<const char*>(handle)); }

  bool Contains(const char* entry) const override {
    const Key key = Key::of(entry);
    Node* node = leaf_for(key);
    if (node == nullptr) return false;
    const std::uint32_t at = rank(*node, key, false);
    return at < node->size() && compare(Key::of(node->entries()[at]), key) == 0;
  }
  std::size_t ApproximateMemoryUsage() override { return used_.load(std::memory_order_relaxed); }

  class Walk;
  Iterator* GetIterator(rocksdb::Arena* arena) override;
  // RocksDB asks for this without an arena only in MemTableRep::Get(), which lets go of it without deleting it.
  Iterator* GetDynamicPrefixIterator(rocksdb::Arena* arena) override;

 private:
  struct Step {
    Node* node;
    std::uint32_t child;
  };

  void insert(const char* entry);
  void replace(const Step* path, int depth, Node* with, const char* right_entry, Node* right);
  Node* make(bool leaf, std::uint32_t capacity);
  void* take(std::size_t bytes);
  static void set(Node& node, std::uint32_t at, const char* entry, Node* child);
  static void finish(Node& node, std::uint32_t count);
  Node* leaf_for(const Key& key) const {
    Node* node = root_.load(std::memory_order_acquire);
    while (node != nullptr && !node->leaf) {
      node = node->children()[child_for(*node, key)].load(std::memory_order_acquire);
    }
    return node;
  }

  std::atomic<Node*> root_{nullptr};
  std::atomic<std::size_t> used_{0};
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::size_t free_ = 0;
};

void* KeyTree::take(std::size_t bytes) {
  if (free_ < bytes) {
    chunks_.emplace_back(new std::byte[kChunkBytes]);  // aligned for any node, left unwritten
    free_ = kChunkBytes;
    used_.fetch_add(kChunkBytes, std::memory_order_relaxed);
  }
  void* out = chunks_.back().get() + (kChunkBytes - free_);
  free_ -= bytes;
  return out;
}

Node* KeyTree::make(bool leaf, std::uint32_t capacity) {
  Node* node = new (take(Node::bytes(leaf, capacity))) Node;
  node->leaf = leaf;
  node->capacity = capacity;
  return node;
}

void KeyTree::set(Node& node, std::uint32_t at, const char* entry, Node* child) {
  node.entries()[at] = entry;
  if (!node.leaf) new (&node.children()[at]) std::atomic<Node*>(child);
}

// Fills in what follows from the entries and makes the node ready to be seen.
void KeyTree::finish(Node& node, std::uint32_t count) {
  node.prefix = common_prefix(Key::of(node.entries()[0]), Key::of(node.entries()[count - 1]));
  for (std::uint32_t i = 0; i < count; ++i) node.hints()[i] = hint_of(Key::of(node.entries()[i]), node.prefix);
  node.count.store(count, std::memory_order_release);
}

void KeyTree::insert(const char* entry) {
  const Key key = Key::of(entry);
  Step path[kMaxHeight];
  int depth = 0;
  Node* leaf = root_.load(std::memory_order_relaxed);
  if (leaf == nullptr) {
    Node* first = make(true, kLeafKeys);
    set(*first, 0, entry, nullptr);
    finish(*first, 1);
    root_.store(first, std::memory_order_release);
    return;
  }
  while (!leaf->leaf) {
    CAIRN_CHECK(depth < kMaxHeight);
    path[depth] = {leaf, child_for(*leaf, key)};
    leaf = leaf->children()[path[depth].child].load(std::memory_order_relaxed);
    ++depth;
  }
  const std::uint32_t size = leaf->count.load(std::memory_order_relaxed);
  const std::uint32_t at = rank(*leaf, key, false);

  if (at == size && size < leaf->capacity && common_prefix(Key::of(leaf->entries()[0]), key) >= leaf->prefix) {
    leaf->entries()[size] = entry;
    leaf->hints()[size] = hint_of(key, leaf->prefix);
    leaf->count.store(size + 1, std::memory_order_release);
    return;
  }
  if (size == kLeafKeys && at == size) {  // ascending keys leave full leaves behind
    Node* right = make(true, kLeafKeys);
    set(*right, 0, entry, nullptr);
    finish(*right, 1);
    return replace(path, depth, leaf, entry, right);
  }
  const char* all[kLeafKeys + 1];
  std::copy_n(leaf->entries(), at, all);
  all[at] = entry;
  std::copy_n(leaf->entries() + at, size - at, all + at + 1);
  const std::uint32_t total = size + 1;
  const std::uint32_t left_size = total <= kLeafKeys ? total : total / 2;
  const auto node_of = [&](std::uint32_t begin, std::uint32_t count) {
    Node* node = make(true, std::max(std::min(kLeafKeys, count + 2), count));
    std::copy_n(all + begin, count, node->entries());
    const bool same = begin == 0 && at > 0 && at < size && count == total;  // then prefix and hints stay as they are
    if (!same) {
      finish(*node, count);
      return node;
    }
    node->prefix = leaf->prefix;
    std::copy_n(leaf->hints(), at, node->hints());
    node->hints()[at] = hint_of(key, node->prefix);
    std::copy_n(leaf->hints() + at, size - at, node->hints() + at + 1);
    node->count.store(count, std::memory_order_release);
    return node;
  };
  Node* left = node_of(0, left_size);
  if (left_size == total) return replace(path, depth, left, nullptr, nullptr);
  Node* right = node_of(left_size, total - left_size);
  replace(path, depth, left, all[left_size], right);
}

// Puts `with` where path[0..depth) leads to, and `right`, when there is one, behind it.
void KeyTree::replace(const Step* path, int depth, Node* with, const char* right_entry, Node* right) {
  if (depth == 0) {
    if (right != nullptr) {
      Node* above = make(false, kInnerKeys);
      set(*above, 0, with->entries()[0], with);
      set(*above, 1, right_entry, right);
      finish(*above, 2);
      with = above;
    }
    root_.store(with, std::memory_order_release);
    return;
  }
  const auto [parent, child] = path[depth - 1];
  if (right == nullptr) {
    parent->children()[child].store(with, std::memory_order_release);
    return;
  }
  const std::uint32_t size = parent->count.load(std::memory_order_relaxed);
  const std::uint32_t total = size + 1;
  const char* entries[kInnerKeys + 1];
  Node* nodes[kInnerKeys + 1];
  for (std::uint32_t i = 0, to = 0; i < size; ++i) {
    // The first child may hold less than its entry said, and so may what is split off from it.
    entries[to] = i == child ? with->entries()[0] : parent->entries()[i];
    nodes[to++] = i == child ? with : parent->children()[i].load(std::memory_order_relaxed);
    if (i != child) continue;
    entries[to] = right_entry;
    nodes[to++] = right;
  }
  const std::uint32_t left_size = total <= kInnerKeys ? total : child + 1 == size ? total - 1 : total / 2;
  const auto node_of = [&](std::uint32_t begin, std::uint32_t count) {
    Node* node = make(false, std::max<std::uint32_t>(count, 2));
    for (std::uint32_t i = 0; i < count; ++i) set(*node, i, entries[begin + i], nodes[begin + i]);
    finish(*node, count);
    return node;
  };
  Node* left = node_of(0, left_size);
  if (left_size == total) return replace(path, depth - 1, left, nullptr, nullptr);
  Node* rest = node_of(left_size, total - left_size);
  replace(path, depth - 1, left, entries[left_size], rest);
}

// A place in the tree. It may stand in a node that has been replaced: what was inserted since is newer than the
// sequence number that its user reads at.
class KeyTree::Walk final : public rocksdb::MemTableRep::Iterator {
 public:
  explicit Walk(const KeyTree* tree, bool in_arena = false) : tree_(tree), in_arena_(in_arena) {}
  ~Walk() override {
    if (in_arena_) spare().keep(this);
  }
  void reset(const KeyTree* tree) { tree_ = tree, leaf_ = nullptr; }

  bool Valid() const override { return leaf_ != nullptr; }
  const char* key() const override { return leaf_->entries()[at_]; }
  void Next() override {
    if (++at_ < leaf_->size()) return;
    const Key last = Key::of(leaf_->entries()[at_ - 1]);
    seek(last, true);
  }
  void Prev() override {
    if (at_ > 0) {
      --at_;
      return;
    }
    before(Key::of(leaf_->entries()[0]), false);
  }
  void Seek(const rocksdb::Slice& internal_key, const char*) override {
    seek(Key::internal(internal_key.data(), internal_key.size()), false);
  }
  void SeekForPrev(const rocksdb::Slice& internal_key, const char*) override {
    before(Key::internal(internal_key.data(), internal_key.size()), true);
  }
  void SeekToFirst() override { edge(false); }
  void SeekToLast() override { edge(true); }

  // RocksDB's arenas are not ours to use: memory of iterators that live "in" one comes back here.
  class Spare {
   public:
    ~Spare() {
      for (void* memory : kept_) ::operator delete(memory);
    }
    void* take() {
      if (kept_.empty()) return ::operator new(sizeof(Walk));
      void* memory = kept_.back();
      kept_.pop_back();
      return memory;
    }
    void keep(void* memory) { kept_.push_back(memory); }

   private:
    std::vector<void*> kept_;
  };
  static Spare& spare() {
    static thread_local Spare spare;
    return spare;
  }

 private:
  // To the first key not less than `key` (`beyond`: greater).
  void seek(const Key& key, bool beyond) {
    Node* node = tree_->root_.load(std::memory_order_acquire);
    Node* next = nullptr;  // the subtree behind the path
    while (node != nullptr && !node->leaf) {
      const std::uint32_t child = child_for(*node, key);
      if (child + 1 < node->size()) next = node->children()[child + 1].load(std::memory_order_acquire);
      node = node->children()[child].load(std::memory_order_acquire);
    }
    leaf_ = node;
    if (node == nullptr) return;
    at_ = rank(*node, key, beyond);
    if (at_ < node->size()) return;
    leaf_ = first_leaf(next);
    at_ = 0;
  }
  // To the last key less than `key` (`or_equal`: not greater).
  void before(const Key& key, bool or_equal) {
    Node* node = tree_->root_.load(std::memory_order_acquire);
    Node* previous = nullptr;
    while (node != nullptr && !node->leaf) {
      // A separator that equals the key stands on the right of what is less.
      const std::uint32_t n = rank(*node, key, or_equal);
      const std::uint32_t child = n == 0 ? 0 : n - 1;
      if (child > 0) previous = node->children()[child - 1].load(std::memory_order_acquire);
      node = node->children()[child].load(std::memory_order_acquire);
    }
    leaf_ = node;
    if (node == nullptr) return;
    at_ = rank(*node, key, or_equal);
    if (at_ > 0) {
      --at_;
      return;
    }
    descend_last(previous);
  }
  void edge(bool last) {
    Node* root = tree_->root_.load(std::memory_order_acquire);
    if (last) return descend_last(root);
    leaf_ = first_leaf(root);
    at_ = 0;
  }
  void descend_last(Node* node) {
    while (node != nullptr && !node->leaf) node = node->children()[node->size() - 1].load(std::memory_order_acquire);
    leaf_ = node;
    if (node != nullptr) at_ = node->size() - 1;
  }
  static Node* first_leaf(Node* node) {
    while (node != nullptr && !node->leaf) node = node->children()[0].load(std::memory_order_acquire);
    return node;
  }

  const KeyTree* tree_;
  Node* leaf_ = nullptr;
  std::uint32_t at_ = 0;
  bool in_arena_;
};

rocksdb::MemTableRep::Iterator* KeyTree::GetIterator(rocksdb::Arena* arena) {
  if (arena == nullptr) return new Walk(this);
  return new (Walk::spare().take()) Walk(this, true);
}

rocksdb::MemTableRep::Iterator* KeyTree::GetDynamicPrefixIterator(rocksdb::Arena* arena) {
  if (arena != nullptr) return GetIterator(arena);
  static thread_local Walk walk(nullptr);
  walk.reset(this);
  return &walk;
}

class Factory final : public rocksdb::MemTableRepFactory {
 public:
  using MemTableRepFactory::CreateMemTableRep;
  rocksdb::MemTableRep* CreateMemTableRep(const rocksdb::MemTableRep::KeyComparator&, rocksdb::Allocator* allocator,
                                          const rocksdb::SliceTransform*, rocksdb::Logger*) override {
    return new KeyTree(allocator);
  }
  const char* Name() const override { return "cairn.KeyTree"; }
};

}  // namespace

std::shared_ptr<rocksdb::MemTableRepFactory> key_tree_factory() {
  return std::make_shared<Factory>();
}

}  // namespace cairn::store
