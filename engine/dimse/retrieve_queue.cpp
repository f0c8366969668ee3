#include "engine/dimse/retrieve_queue.h"

#include <atomic>

namespace cairn::dimse {

namespace {
// A group is what one visit to the pool prepares.
constexpr std::uint64_t kGroupBytes = 4u << 20;
constexpr std::size_t kGroupObjects = 64;
}  // namespace

RetrieveQueue::RetrieveQueue(std::vector<std::string> instance_uids) : first_(std::move(instance_uids)) {}

std::optional<RetrieveQueue::Item> RetrieveQueue::take() {
  const std::lock_guard lock(mutex_);
  if (next_ < first_.size()) return Item{std::move(first_[next_++]), 0};
  if (again_.empty()) return std::nullopt;
  Item item = std::move(again_.front());
  again_.pop_front();
  return item;
}

void RetrieveQueue::give_back(Item item) {
  const std::lock_guard lock(mutex_);
  again_.push_back(std::move(item));
}

bool RetrieveQueue::empty() const {
  const std::lock_guard lock(mutex_);
  return next_ == first_.size() && again_.empty();
}

/// Returns its objects to the queue when nobody takes it.
struct ObjectFeed::Group {
  explicit Group(std::shared_ptr<RetrieveQueue> q) : queue(std::move(q)) {}
  ~Group() {
    for (Object& object : objects) queue->give_back(std::move(object.item));
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  std::shared_ptr<RetrieveQueue> queue;
  std::deque<Object> objects;
};

struct ObjectFeed::Shared {
  std::shared_ptr<RetrieveQueue> queue;
  archive::Archive& archive;
  std::shared_ptr<const ContextTable> contexts;
  std::atomic<bool> abandoned{false};

  std::shared_ptr<Group> prepare() {
    auto group = std::make_shared<Group>(queue);
    for (std::uint64_t bytes = 0; bytes < kGroupBytes && group->objects.size() < kGroupObjects && !abandoned.load();) {
      auto item = queue->take();
      if (!item) break;
      StoredObject stored = StoredObject::prepare(archive, item->sop_instance_uid, *contexts);
      bytes += stored.bytes;
      group->objects.push_back({std::move(*item), std::move(stored)});
    }
    return group;
  }
};

ObjectFeed::ObjectFeed(std::shared_ptr<RetrieveQueue> queue, archive::Archive& archive, io::WorkerPool& pool,
                       asio::any_io_executor executor, std::shared_ptr<const ContextTable> contexts)
    : shared_(new Shared{std::move(queue), archive, std::move(contexts), {}}),
      groups_(pool, std::move(executor), [shared = shared_] { return shared->prepare(); }) {}

ObjectFeed::~ObjectFeed() {
  shared_->abandoned.store(true);
  for (Object& object : group_) shared_->queue->give_back(std::move(object.item));
}

asio::awaitable<void> ObjectFeed::close() {
  shared_->abandoned.store(true);
  if (groups_.idle()) co_return;
  (void)co_await groups_.next(false);  // goes back as it is destroyed
}

asio::awaitable<std::optional<ObjectFeed::Object>> ObjectFeed::next() {
  if (group_.empty()) {
    const auto group = co_await groups_.next(!shared_->queue->empty());
    group_ = std::move(group->objects);
    group->objects.clear();
  }
  if (group_.empty()) co_return std::nullopt;
  std::optional<Object> object = std::move(group_.front());
  group_.pop_front();
  co_return object;
}

}  // namespace cairn::dimse
