#include "engine/dimse/retrieve_queue.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>

namespace cairn::dimse {

namespace {
// A group is what one visit to the pool prepares.
constexpr std::uint64_t kGroupBytes = 4u << 20;
constexpr std::size_t kGroupObjects = 64;
constexpr std::size_t kTranscodedAtOnce = 4;  // each may be held up to kHeldBytes

/// Calls `work(i)` for every i below `count`, on this thread and as many of the pool's as are free: nobody waits for
/// one that has not begun, so a full pool is no deadlock. `work` outlives only this call: what has begun is waited for.
void for_each_of(std::size_t count, io::WorkerPool& pool, const std::function<void(std::size_t)>& work) {
  struct Turns {
    std::mutex mutex;  // guards what follows
    std::condition_variable done;
    const std::function<void(std::size_t)>* work;
    std::size_t count, next = 0, under_way = 0;

    void run() {
      std::unique_lock lock(mutex);
      while (next < count) {
        const std::size_t i = next++;
        ++under_way;
        lock.unlock();
        (*work)(i);
        lock.lock();
        --under_way;
      }
      done.notify_all();
    }
  };
  const auto turns = std::make_shared<Turns>();
  turns->work = &work;
  turns->count = count;
  for (std::size_t helper = 1; helper < std::min(count, pool.threads()); ++helper) {
    pool.submit(io::WorkClass::interactive, [turns] { turns->run(); });
  }
  turns->run();
  std::unique_lock lock(turns->mutex);
  turns->done.wait(lock, [&] { return turns->under_way == 0; });
}
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
  io::WorkerPool& pool;
  std::shared_ptr<const ContextTable> contexts;
  std::atomic<bool> abandoned{false};

  std::shared_ptr<Group> prepare() {
    auto group = std::make_shared<Group>(queue);
    std::size_t at_once = 1;
    for (std::uint64_t bytes = 0; bytes < kGroupBytes && group->objects.size() < kGroupObjects && !abandoned.load();) {
      std::vector<Object> some;
      while (some.size() < at_once) {
        auto item = queue->take();
        if (!item) break;
        some.push_back({std::move(*item), {}});
      }
      if (some.empty()) break;
      for_each_of(some.size(), pool, [&](std::size_t i) {
        some[i].stored = StoredObject::prepare(archive, some[i].item.sop_instance_uid, *contexts);
      });
      for (Object& object : some) {
        bytes += object.stored.bytes;
        // Its neighbours will have to be made too: that takes CPU, of which there may be more.
        if (object.stored.transcoded) at_once = kTranscodedAtOnce;
        group->objects.push_back(std::move(object));
      }
    }
    return group;
  }
};

ObjectFeed::ObjectFeed(std::shared_ptr<RetrieveQueue> queue, archive::Archive& archive, io::WorkerPool& pool,
                       asio::any_io_executor executor, std::shared_ptr<const ContextTable> contexts)
    : shared_(new Shared{std::move(queue), archive, pool, std::move(contexts), {}}),
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
