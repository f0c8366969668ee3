#include "engine/web/connections.h"

#include <algorithm>

namespace cairn::web {
namespace {
/// Connections that are being told to go, at most; each takes a descriptor until it is gone.
constexpr std::size_t kMostLeaving = 64;
}  // namespace

Connections::Place Connections::make_room() {
  const std::scoped_lock lock(mutex_);
  if (counted() < most_) return Place::given;
  if (leaving_ >= kMostLeaving) return Place::none;
  return close_longest_waiting_locked() ? Place::given : Place::refused;
}

bool Connections::close_longest_waiting() {
  const std::scoped_lock lock(mutex_);
  return close_longest_waiting_locked();
}

bool Connections::close_longest_waiting_locked() {
  std::int64_t longest = INT64_MAX;
  auto found = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const std::int64_t since = it->second.leaves ? 0 : it->first->waiting_since();
    if (since == 0 || since >= longest) continue;
    longest = since;
    found = it;
  }
  if (found == entries_.end()) return false;
  found->second.leaves = true;
  ++leaving_;
  found->first->close();
  return true;
}

void Connections::add(std::shared_ptr<Connection> connection, Owner owner, bool is_refused) {
  const std::scoped_lock lock(mutex_);
  entries_.emplace(std::move(connection), Entry{owner, is_refused});
  if (is_refused) ++leaving_;
}

void Connections::remove(const std::shared_ptr<Connection>& connection) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(connection);
  if (found == entries_.end()) return;
  if (found->second.leaves) --leaving_;
  entries_.erase(found);
  changed_.notify_all();
}

std::size_t Connections::count(Owner owner) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& one) { return one.second.owner == owner; }));
}

bool Connections::wait_for_none(std::unique_lock<std::mutex>& lock, Owner owner, std::chrono::milliseconds patience) {
  return changed_.wait_for(lock, patience, [&] {
    return std::none_of(entries_.begin(), entries_.end(), [&](const auto& one) { return one.second.owner == owner; });
  });
}

bool Connections::drain(Owner owner, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  for (const auto& [connection, entry] : entries_) {
    if (entry.owner == owner) connection->drain();
  }
  return wait_for_none(lock, owner, patience);
}

bool Connections::close(Owner owner, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  for (const auto& [connection, entry] : entries_) {
    if (entry.owner == owner) connection->close();
  }
  return wait_for_none(lock, owner, patience);
}

}  // namespace cairn::web
