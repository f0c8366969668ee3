// The instances of one retrieve that are still to be sent: taken by one or more associations, in order, prepared a group
// at a time on the pool, one group ahead of the sending.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/dimse/ahead.h"
#include "engine/dimse/stored_object.h"

namespace cairn::dimse {

/// Thread-safe.
class RetrieveQueue {
 public:
  struct Item {
    std::string sop_instance_uid;
    unsigned attempts = 0;  ///< that failed
  };

  explicit RetrieveQueue(std::vector<std::string> instance_uids);
  std::optional<Item> take();
  void give_back(Item item);  ///< to the end
  bool empty() const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::string> first_;
  std::size_t next_ = 0;
  std::deque<Item> again_;
};

/// Gives one association its prepared objects. Belongs to the association's executor.
class ObjectFeed {
 public:
  struct Object {
    RetrieveQueue::Item item;
    StoredObject stored;
  };
  /// `archive` and `pool` outlive the server's work.
  ObjectFeed(std::shared_ptr<RetrieveQueue> queue, archive::Archive& archive, io::WorkerPool& pool,
             asio::any_io_executor executor, std::shared_ptr<const ContextTable> contexts);
  ~ObjectFeed();  ///< what was prepared and not taken goes back into the queue

  /// Gives back what was prepared and is not sent, also what is still being prepared; the last call.
  asio::awaitable<void> close();
  /// Empty: nothing is left just now.
  asio::awaitable<std::optional<Object>> next();

 private:
  struct Group;
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::deque<Object> group_;
  Ahead<std::shared_ptr<Group>> groups_;
};

}  // namespace cairn::dimse
