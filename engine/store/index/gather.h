// The puts and deletes of one batch on their way into a RocksDB write, sorted by key within each family: RocksDB's skip
// list then finds most places from the one before, and the memory that it touches is still in the cache.
// Internal to engine/store/index; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/index/database.h"

namespace cairn::store {

class Gather {
 public:
  void put(Family family, std::string_view key, std::initializer_list<std::string_view> value) {
    Step step = begin(key);
    for (const std::string_view piece : value) bytes_.append(piece);
    step.value_length = bytes_.size() - step.key_begin - step.key_length;
    of(family).push_back(step);
  }
  void erase(Family family, std::string_view key) {
    Step step = begin(key);
    step.erase = true;
    of(family).push_back(step);
  }

  /// Moves everything into `batch`. Steps of one key keep their order.
  void drain(const Database& database, rocksdb::WriteBatch& batch) {
    for (std::size_t f = 0; f < kFamilies; ++f) {
      std::vector<Step>& steps = steps_[f];
      if (steps.size() > 1) {
        std::sort(steps.begin(), steps.end(), [this](const Step& a, const Step& b) {
          const int order = key_of(a).compare(key_of(b));
          return order != 0 ? order < 0 : a.key_begin < b.key_begin;
        });
      }
      rocksdb::ColumnFamilyHandle* handle = database.handle(static_cast<Family>(f));
      for (const Step& step : steps) {
        if (step.erase) {
          batch.Delete(handle, slice(key_of(step)));
        } else {
          batch.Put(handle, slice(key_of(step)),
                    rocksdb::Slice(bytes_.data() + step.key_begin + step.key_length, step.value_length));
        }
      }
      steps.clear();
    }
    if (bytes_.capacity() > kKeptBytes) bytes_ = std::string();
    bytes_.clear();
  }

 private:
  static constexpr std::size_t kKeptBytes = 8u << 20;
  struct Step {
    std::size_t key_begin = 0, key_length = 0, value_length = 0;
    bool erase = false;
  };

  std::vector<Step>& of(Family family) { return steps_[static_cast<std::size_t>(family)]; }
  Step begin(std::string_view key) {
    const Step step{bytes_.size(), key.size(), 0, false};
    bytes_.append(key);
    return step;
  }
  std::string_view key_of(const Step& step) const { return {bytes_.data() + step.key_begin, step.key_length}; }

  std::string bytes_;
  std::array<std::vector<Step>, kFamilies> steps_;
};

}  // namespace cairn::store
