// One HTTP/2 stream (RFC 9113 §5): a request whose body is pulled, an answer that waits for the peer's window. Used by
// http2_session alone, on its reactor. The task that answers shares ownership: it may outlive the stream, which then
// is closed, its body broken and its output refused.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "engine/web/exchange.h"
#include "engine/web/pace.h"

namespace cairn::web {

/// What a stream asks of its session, while it is open.
class Http2Flow {
 public:
  virtual ~Http2Flow() = default;
  virtual void consumed(std::int32_t stream, std::size_t bytes) = 0;  ///< of the body: the peer may send as much again
  virtual void send_continue(std::int32_t stream) = 0;
  /// The body will be read: a wider window, if there is memory for it.
  virtual void widen(std::int32_t stream) = 0;
};

class Http2Stream final : public RequestBody {
 public:
  using Clock = std::chrono::steady_clock;

  Http2Stream(std::int32_t stream_id, Http2Flow& flow, Site& site, const asio::any_io_executor& executor)
      : id(stream_id),
        exchange(site, HttpVersion::two),
        send_pace(site.limits),
        flow_(&flow),
        wake_(executor),
        body_pace_(site.limits) {}

  // The body, from its reader's side.
  bool is_done() const noexcept override { return ended_ && queued_ == 0; }
  std::optional<std::uint64_t> announced_bytes() const noexcept override { return announced_; }
  void limit(std::uint64_t bytes) noexcept override { limit_ = bytes; }
  void expect_continue() noexcept override { continue_owed_ = true; }
  Task<std::size_t> read(MutableBytes into) override;

  // The body, from the session's side.
  void arrived(Bytes bytes);  ///< within the window that the session has granted
  void ended();               ///< END_STREAM
  std::size_t queued() const noexcept { return queued_; }
  void announce(std::uint64_t bytes) noexcept { announced_ = bytes; }

  /// No more goes in or out: `flow` is forgotten, the answer's bytes are dropped, whoever waits goes on.
  void close();
  bool is_closed() const noexcept { return flow_ == nullptr; }

  /// Waits until something happens to the stream, at most until `deadline`.
  asio::awaitable<void> wait(Clock::time_point deadline = Clock::time_point::max());
  void wake() { wake_.cancel(); }

  const std::int32_t id;
  Exchange exchange;

  // The request's header, while it is read.
  std::string target, authority;
  std::size_t hosts = 0;
  std::size_t header_bytes = 0;  ///< as SETTINGS_MAX_HEADER_LIST_SIZE counts
  bool header_is_too_large = false;

  // The answer.
  std::deque<Piece> pieces;       ///< not yet sent
  std::size_t waiting_bytes = 0;  ///< of them
  bool answered = false;          ///< the header of the answer is handed over
  bool all_given = false;         ///< nothing follows `pieces`
  bool all_sent = false;          ///< END_STREAM is
  std::uint64_t sent_bytes = 0;   ///< of the body
  bool deferred = false;          ///< nghttp2 waits for more pieces
  bool task_ended = false;
  bool discards = false;  ///< what still comes of the body is passed over, for a while
  std::uint64_t discarded_bytes = 0;
  std::size_t widened_bytes = 0;           ///< of the window, above the initial one
  Pace send_pace;                          ///< time spent with a shut window
  Clock::time_point moved = Clock::now();  ///< when bytes last went out, or the discarding began

 private:
  Error broken(Errc code) noexcept;

  Http2Flow* flow_;
  asio::steady_timer wake_;
  Pace body_pace_;
  std::deque<std::vector<std::byte>> arrived_;
  std::size_t front_ = 0;   // read of arrived_.front()
  std::size_t queued_ = 0;  // bytes not read of all
  std::optional<std::uint64_t> announced_;
  std::uint64_t limit_ = 0;
  std::uint64_t received_ = 0;
  bool continue_owed_ = false;
  bool begun_ = false;
  bool ended_ = false;
  bool failed_ = false;
};

}  // namespace cairn::web
