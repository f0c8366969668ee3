// All HTTP connections of a server, over its listeners, and who makes room when there are as many as allowed: the one
// that has waited longest for its peer to ask for something. So peers that open connections and say nothing, or say it
// byte by byte, never shut out those who ask. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "engine/web/connection.h"

namespace cairn::web {

class Connections {
 public:
  using Owner = const void*;  ///< a listener; compared, never followed

  explicit Connections(std::size_t most) : most_(most) {}

  enum class Place {
    given,    ///< may serve
    refused,  ///< may tell its peer so, and end
    none,     ///< there is not even room for that
  };
  /// Makes room for one more, by closing another if need be.
  Place make_room();
  /// Closes the connection that has waited longest; false: all are at work.
  bool close_longest_waiting();

  void add(std::shared_ptr<Connection> connection, Owner owner, bool is_refused);
  void remove(const std::shared_ptr<Connection>& connection);
  std::size_t count(Owner owner) const;

  /// drain(), for `owner`'s; then waits until none of them is left, at most for `patience`.
  bool drain(Owner owner, std::chrono::milliseconds patience);
  /// The same with close().
  bool close(Owner owner, std::chrono::milliseconds patience);

 private:
  struct Entry {
    Owner owner;
    bool leaves;  // refused, or closed to make room: does not count
  };
  std::size_t counted() const { return entries_.size() - leaving_; }
  bool wait_for_none(std::unique_lock<std::mutex>& lock, Owner owner, std::chrono::milliseconds patience);
  bool close_longest_waiting_locked();

  const std::size_t most_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<std::shared_ptr<Connection>, Entry> entries_;
  std::size_t leaving_ = 0;
};

}  // namespace cairn::web
