#include "engine/volumes/fan_out.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "engine/io/worker_pool.h"

namespace cairn::volumes {
namespace {

struct Shared {
  std::size_t count = 0;
  const std::function<void(std::size_t)>* work = nullptr;  // alive while an item is taken: the caller waits for those
  std::atomic<std::size_t> next{0};                        // relaxed: only hands out numbers
  std::mutex mutex;                                        // guards finished
  std::condition_variable all_finished;
  std::size_t finished = 0;

  void take() {
    std::size_t done = 0;
    for (;;) {
      const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) break;
      (*work)(i);
      ++done;
    }
    if (done == 0) return;
    const std::lock_guard lock(mutex);
    finished += done;
    if (finished == count) all_finished.notify_all();
  }
};

}  // namespace

void fan_out(io::WorkerPool* pool, std::size_t count, const std::function<void(std::size_t)>& work) {
  if (count == 0) return;
  auto shared = std::make_shared<Shared>();
  shared->count = count;
  shared->work = &work;
  const std::size_t helpers = pool == nullptr ? 0 : std::min(pool->threads(), count) - 1;
  for (std::size_t i = 0; i < helpers; ++i) {
    pool->submit(io::WorkClass::interactive, [shared] { shared->take(); });
  }
  shared->take();
  std::unique_lock lock(shared->mutex);
  shared->all_finished.wait(lock, [&] { return shared->finished == count; });
}

}  // namespace cairn::volumes
