#include "engine/archive/applied_signal.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cairn::archive {

struct AppliedSignal::Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

void AppliedSignal::wake(Waiters waiters) {
  if (waiters.empty()) return;
  const auto first = waiters.front()->timer.get_executor();
  asio::post(first, [woken = std::move(waiters)] {
    // The coroutine has begun its wait, or ended it: its executor runs one handler at a time.
    for (const auto& waiter : woken) {
      asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
    }
  });
}

void AppliedSignal::applied(store::Sequence sequence) {
  applied_.store(sequence);
  if (waiting_.load() == 0) return;
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    woken = std::exchange(waiters_, {});
    waiting_.store(0);
  }
  wake(std::move(woken));
}

Task<> AppliedSignal::wait(store::Sequence position, std::chrono::milliseconds patience) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto waiter = std::make_shared<Waiter>(executor);
  waiter->timer.expires_after(patience);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) co_return outcome::success();
    if (waiters_.size() >= most_waiting_) co_return fail(Errc::limit_exceeded, "clients that wait for changes");
    waiters_.push_back(waiter);
    waiting_.store(waiters_.size());
    if (applied_.load() > position) {
      waiters_.pop_back();
      waiting_.store(waiters_.size());
      co_return outcome::success();
    }
  }
  auto ended = co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  (void)ended;  // over, or woken: either way the caller looks again
  const std::lock_guard lock(mutex_);
  std::erase(waiters_, waiter);
  waiting_.store(waiters_.size());
  co_return outcome::success();
}

void AppliedSignal::close() {
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    woken = std::exchange(waiters_, {});
    waiting_.store(0);
  }
  wake(std::move(woken));
}

bool AppliedSignal::is_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace cairn::archive
