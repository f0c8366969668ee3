// The distinct folded names (component groups of Patient's Name) in memory, for patterns without a beginning and for
// fuzzy matching: some 30 bytes each, so 30 MB for a million. Names are added and never taken out: what is no longer in
// the index is found to be so by whoever looks it up. Any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/core/result.h"

namespace cairn::store {

class Database;

/// One bit for each letter or other character that occurs, to pass over most names without reading them.
std::uint32_t letters_of(std::string_view folded) noexcept;

class NameDictionary {
 public:
  ~NameDictionary() { stop(); }

  /// Begins to read the names that the database has, on a thread of its own; it outlives that thread (stop()).
  void load(const Database& database);
  /// Ends the thread.
  void stop();
  /// stop(), and forgets all names.
  void clear();
  void add(std::string_view folded);

  /// Visits every name that was added before the call, with its letters, in no order; first waits until all are read.
  /// `visit` returns false to stop. Errors: those of reading the index.
  Result<> each(const std::function<bool(std::string_view folded, std::uint32_t letters)>& visit);
  std::size_t size() const;

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;  // letters(4), length(1), name; again
    std::size_t used = 0;
  };
  void read(const Database& database);
  bool known(std::string_view folded, std::size_t& slot) const;
  void grow();

  mutable std::mutex mutex_;  // guards all below but the thread
  std::condition_variable loaded_;
  std::vector<Chunk> chunks_;
  std::vector<const char*> table_;  // open addressing, by hash of the name; points at a name's letters
  std::size_t count_ = 0;
  bool loading_ = false, stop_ = false;
  std::optional<Error> failed_;
  std::thread thread_;
};

}  // namespace cairn::store
