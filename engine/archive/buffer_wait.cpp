#include "engine/archive/buffer_wait.h"

#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cairn::archive {
namespace {

// A place in the queue. All but `ready` runs on the caller's executor.
template <class Handler>
struct Wait {
  Handler handler;
  asio::any_io_executor executor;  // counts as outstanding work, so that its context goes on running
  asio::cancellation_slot slot;
  std::uint64_t ticket = 0;

  void complete(Result<io::Buffer> result) {
    if (slot.is_connected()) slot.clear();
    executor = {};
    std::move(handler)(std::move(result));
  }
};

}  // namespace

Task<io::Buffer> acquire_buffer(io::BufferPool& pool) {
  if (auto buffer = pool.try_acquire()) co_return std::move(*buffer);
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto initiate = [&pool, executor](auto handler) {
    using Waiting = Wait<decltype(handler)>;
    const auto slot = asio::get_associated_cancellation_slot(handler);
    const auto wait = std::make_shared<Waiting>(
        Waiting{std::move(handler), asio::prefer(executor, asio::execution::outstanding_work.tracked), slot});
    if (wait->slot.is_connected()) {
      wait->slot.assign([weak = std::weak_ptr(wait), &pool](asio::cancellation_type) {
        const auto waiting = weak.lock();
        // Too late when it is being served: then the buffer comes.
        if (!waiting || !pool.cancel(waiting->ticket)) return;
        asio::post(waiting->executor, [waiting] { waiting->complete(fail(Errc::cancelled, "waiting for memory")); });
      });
    }
    wait->ticket = pool.acquire([wait](io::Buffer buffer) {
      // A std::function is copied: the buffer goes in a shared box.
      auto box = std::make_shared<io::Buffer>(std::move(buffer));
      asio::post(wait->executor, [wait, box] { wait->complete(std::move(*box)); });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<io::Buffer>)>(
      std::move(initiate), asio::use_awaitable);
}

}  // namespace cairn::archive
