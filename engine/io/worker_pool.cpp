#include "engine/io/worker_pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

namespace cairn::io {

struct WorkerPool::State {
  mutable std::mutex mutex;  // guards all below but threads
  std::condition_variable wake;
  std::condition_variable settled;  // no work of some class waits or runs
  std::deque<std::function<void()>> interactive, background;
  std::size_t running = 0;
  std::size_t running_background = 0;
  std::size_t background_limit = 1;
  bool stopping = false;
  std::vector<std::thread> threads;

  // One thread is kept free of background work where there are two or more: a long background job on every thread would
  // make "interactive first" an empty promise.
  bool background_ready() const { return !background.empty() && running_background < background_limit; }

  bool is_settled(WorkClass work_class) const {
    return work_class == WorkClass::interactive ? interactive.empty() && running == running_background
                                                : background.empty() && running_background == 0;
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return stopping || !interactive.empty() || background_ready(); });
      if (stopping) return;
      const bool is_background = interactive.empty();
      auto& queue = is_background ? background : interactive;
      std::function<void()> job = std::move(queue.front());
      queue.pop_front();
      ++running;
      if (is_background) ++running_background;
      lock.unlock();
      job();
      job = nullptr;  // what it owns is destroyed without the lock
      lock.lock();
      --running;
      if (is_background) {
        --running_background;
        if (background_ready()) wake.notify_one();
      }
      if (is_settled(is_background ? WorkClass::background : WorkClass::interactive)) settled.notify_all();
    }
  }
};

WorkerPool::WorkerPool(std::size_t threads, const char* name) : state_(std::make_unique<State>()) {
  threads = std::max<std::size_t>(1, threads);
  state_->background_limit = std::max<std::size_t>(1, threads - 1);
  for (std::size_t i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
    const std::string thread_name = (std::string(name) + "-" + std::to_string(i)).substr(0, 15);
    ::pthread_setname_np(state_->threads.back().native_handle(), thread_name.c_str());
  }
}

WorkerPool::~WorkerPool() {
  std::deque<std::function<void()>> dropped_interactive, dropped_background;
  {
    const std::scoped_lock lock(state_->mutex);
    state_->stopping = true;
    dropped_interactive.swap(state_->interactive);
    dropped_background.swap(state_->background);
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

void WorkerPool::submit(WorkClass work_class, std::function<void()> work) {
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->stopping) return;
    (work_class == WorkClass::interactive ? state_->interactive : state_->background).push_back(std::move(work));
  }
  state_->wake.notify_one();
}

std::size_t WorkerPool::queued(WorkClass work_class) const noexcept {
  const std::scoped_lock lock(state_->mutex);
  return (work_class == WorkClass::interactive ? state_->interactive : state_->background).size();
}

std::size_t WorkerPool::running() const noexcept {
  const std::scoped_lock lock(state_->mutex);
  return state_->running;
}

bool WorkerPool::settle(WorkClass work_class, std::chrono::milliseconds patience) const {
  std::unique_lock lock(state_->mutex);
  return state_->settled.wait_for(lock, patience, [&] { return state_->is_settled(work_class); });
}

std::size_t WorkerPool::threads() const noexcept {
  return state_->threads.size();
}

}  // namespace cairn::io
