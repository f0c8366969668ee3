#include "engine/web/http2_stream.h"

#include <algorithm>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cairn::web {
namespace {
/// Small frames are gathered, so that a queue of single bytes costs no more than its bytes.
constexpr std::size_t kGather = 16u << 10;
}  // namespace

Error Http2Stream::broken(Errc code) noexcept {
  failed_ = true;
  return fail(code, "request body", received_);
}

Task<std::size_t> Http2Stream::read(MutableBytes into) {
  if (failed_) co_return fail(Errc::closed, "request body");
  while (queued_ == 0) {
    if (ended_) co_return std::size_t{0};
    if (is_closed()) co_return broken(Errc::truncated);
    if (std::exchange(continue_owed_, false)) flow_->send_continue(id);
    if (!std::exchange(begun_, true)) flow_->widen(id);
    const auto began = Clock::now();
    const auto deadline = began + body_pace_.next();
    co_await wait(deadline);
    body_pace_.step(began, 0);
    if (queued_ == 0 && !ended_ && !is_closed() && Clock::now() >= deadline) co_return broken(Errc::timeout);
  }
  continue_owed_ = false;
  std::size_t got = 0;
  while (got < into.size() && queued_ > 0) {
    auto& front = arrived_.front();
    const std::size_t step = std::min(into.size() - got, front.size() - front_);
    std::memcpy(into.data() + got, front.data() + front_, step);
    got += step;
    front_ += step;
    queued_ -= step;
    if (front_ == front.size()) {
      arrived_.pop_front();
      front_ = 0;
    }
  }
  body_pace_.step(Clock::now(), got);
  received_ += got;
  if (!is_closed()) flow_->consumed(id, got);
  if (received_ > limit_) co_return broken(Errc::limit_exceeded);
  co_return got;
}

void Http2Stream::arrived(Bytes bytes) {
  if (arrived_.empty() || arrived_.back().size() >= kGather) arrived_.emplace_back();
  arrived_.back().insert(arrived_.back().end(), bytes.begin(), bytes.end());
  queued_ += bytes.size();
  wake();
}

void Http2Stream::ended() {
  ended_ = true;
  wake();
}

void Http2Stream::close() {
  flow_ = nullptr;
  pieces.clear();
  waiting_bytes = 0;
  if (!ended_) {
    // A part of a body is none: what is queued of it would only be stored in vain.
    arrived_.clear();
    queued_ = front_ = 0;
  }
  wake();
}

asio::awaitable<void> Http2Stream::wait(Clock::time_point deadline) {
  wake_.expires_at(deadline);
  auto waited = co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  (void)waited;
}

}  // namespace cairn::web
