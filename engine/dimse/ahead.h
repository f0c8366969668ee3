// Work on the pool that keeps one step ahead of the coroutine that uses it: while a result is consumed, the next is
// being made. Internal to the DIMSE server; includes Asio.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/io/worker_pool.h"

namespace cairn::dimse {

/// Belongs to one executor. `make` runs on the pool, one call after the other, and owns what it uses: one call may
/// still run when this is gone.
template <class T>
class Ahead {
 public:
  Ahead(io::WorkerPool& pool, boost::asio::any_io_executor executor, std::function<T()> make)
      : state_(std::make_shared<State>(pool, std::move(executor), std::move(make))) {}

  /// The next result, in order. `more`: begin with the one after it at once.
  boost::asio::awaitable<T> next(bool more = true) {
    const auto s = state_;
    if (!s->running && !s->made) start(s);
    while (!s->made) {
      s->signal.expires_at(boost::asio::steady_timer::time_point::max());
      co_await s->signal.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    T result = std::move(*s->made);
    s->made.reset();
    if (more) start(s);
    co_return result;
  }

  /// Nothing has been made, and nothing is being made.
  bool idle() const noexcept { return !state_->running && !state_->made; }

 private:
  struct State {
    State(io::WorkerPool& p, boost::asio::any_io_executor e, std::function<T()> m)
        : pool(p), executor(std::move(e)), make(std::move(m)), signal(executor) {}
    io::WorkerPool& pool;
    boost::asio::any_io_executor executor;
    std::function<T()> make;
    boost::asio::steady_timer signal;
    std::optional<T> made;
    bool running = false;
  };

  static void start(const std::shared_ptr<State>& s) {
    s->running = true;
    s->pool.submit(io::WorkClass::interactive, [s]() mutable {
      auto made = std::make_shared<T>(s->make());
      // The timer goes with the last owner, and must go on its executor: the pool keeps nothing.
      auto executor = s->executor;
      boost::asio::post(executor, [s = std::move(s), made] {
        s->made = std::move(*made);
        s->running = false;
        s->signal.cancel();
      });
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace cairn::dimse
