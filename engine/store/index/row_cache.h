// Rows of studies, series and patients that the applier works on: read once, changed in place, written once a batch.
// Internal to engine/store/index; one thread.
//
// Two generations bound it without a list: when the young one is full the old one is dropped. A row that a batch uses
// stays, since generations change only between batches.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/core/result.h"

namespace cairn::store {

template <class Row>
class RowCache {
 public:
  struct Entry {
    Row row;
    bool exists = false;
    bool dirty = false;
  };
  using Map = std::unordered_map<std::string, Entry>;
  using Slot = typename Map::value_type;

  explicit RowCache(std::size_t capacity) : half_(capacity / 2) {}

  /// The row under `key`; `load(key, row)` answers whether there is one when it is not cached.
  template <class Load>
  Result<Slot*> find(const std::string& key, Load&& load) {
    if (const auto at = young_.find(key); at != young_.end()) return &*at;
    if (const auto at = old_.find(key); at != old_.end()) {
      return &*young_.insert(old_.extract(at)).position;
    }
    Entry entry;
    CAIRN_TRY(entry.exists, load(key, entry.row));
    return &*young_.emplace(key, std::move(entry)).first;
  }

  void touch(Slot& slot) {
    if (slot.second.dirty) return;
    slot.second.dirty = true;
    dirty_.push_back(&slot);
  }

  /// Calls `each` with what changed since the last call.
  template <class Each>
  void drain(Each&& each) {
    for (Slot* slot : dirty_) {
      slot->second.dirty = false;
      each(slot->first, slot->second);
    }
    dirty_.clear();
  }

  /// Between batches only: entries may go.
  void trim() {
    if (young_.size() < half_) return;
    old_ = std::move(young_);
    young_ = Map();
    young_.reserve(half_);
  }

  void clear() {
    dirty_.clear();
    young_.clear();
    old_.clear();
  }

 private:
  std::size_t half_;
  Map young_, old_;
  std::vector<Slot*> dirty_;
};

}  // namespace cairn::store
