// A bounded pool of threads for blocking and CPU-bound work: index reads, segment reads, codecs, reconstruction.
// Two classes: interactive work always goes before background work. Never run such work on a reactor thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/task.h"

namespace cairn::io {

enum class WorkClass { interactive, background };

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads, const char* name);
  ~WorkerPool();  ///< finishes what runs, drops what waits

  void submit(WorkClass work_class, std::function<void()> work);
  /// Work items that wait, of one class.
  std::size_t queued(WorkClass work_class) const noexcept;
  std::size_t running() const noexcept;
  std::size_t threads() const noexcept;
  /// Waits until no work of the class waits or runs, at most for `patience`; true when none does. For shutdown: what
  /// such work uses may then go.
  bool settle(WorkClass work_class, std::chrono::milliseconds patience) const;

  /// Runs `work` on the pool and resumes the caller on its own executor with what it returned. `work` owns all it uses:
  /// it runs to its end even when the caller is gone.
  template <class Work, class T = std::invoke_result_t<Work&>>
  asio::awaitable<T> run(WorkClass work_class, Work work) {
    auto executor = co_await asio::this_coro::executor;
    auto initiate = [this, work_class, executor](auto handler, Work job) mutable {
      auto shared = std::make_shared<std::pair<decltype(handler), Work>>(std::move(handler), std::move(job));
      submit(work_class, [shared, executor] {
        auto value = std::make_shared<T>(shared->second());
        asio::post(executor, [shared, value] { std::move(shared->first)(std::move(*value)); });
      });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(T)>(
        std::move(initiate), asio::use_awaitable, std::move(work));
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::io
