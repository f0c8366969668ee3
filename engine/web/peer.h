// The other side of a connection: its socket (wire.h), its address, and a deadline for every wait on it. Heavy (Asio,
// OpenSSL): included by the protocols' sources alone. Belongs to one reactor but for what says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/task.h"
#include "engine/web/pace.h"
#include "engine/web/wire.h"

namespace cairn::web {

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

  Peer(Wire::Socket socket, std::shared_ptr<asio::ssl::context> tls);

  Wire& wire() noexcept { return wire_; }
  const std::string& address() const noexcept { return address_; }
  bool is_loopback() const noexcept { return is_loopback_; }
  bool is_secure() const noexcept { return wire_.secure(); }

  /// Gives the next operation of the socket this long; then it ends as cancelled, and timed_out() says why. The
  /// connection stays open, so that the peer can be told.
  void allow(std::chrono::milliseconds patience);
  bool timed_out() const noexcept { return timed_out_; }

  /// Reads what there is. 0: nothing more comes, or not in time.
  asio::awaitable<std::size_t> read_some(MutableBytes into, std::chrono::milliseconds patience);
  /// Writes all, at `pace`; false when the peer is gone or too slow. The bytes outlive the call.
  asio::awaitable<bool> write(std::vector<asio::const_buffer> buffers, Pace& pace);

  /// Lets the peer read the answer before what it still sends (`unread`) makes the kernel reset the connection
  /// (RFC 9112 §9.6), then closes.
  asio::awaitable<void> part(bool unread);

  /// Whether it is this peer's turn to ask for something: from the start, until works().
  void waits(Clock::time_point since = Clock::now()) noexcept {
    waiting_since_.store(since.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void works() noexcept { waiting_since_.store(0, std::memory_order_relaxed); }
  std::int64_t waiting_since() const noexcept {  ///< any thread; 0: it works
    return waiting_since_.load(std::memory_order_relaxed);
  }

  void cancel();  ///< what waits for the peer ends
  void close();   ///< at once
  bool is_closed() const noexcept { return closed_; }

 private:
  asio::awaitable<void> linger(bool unread);
  void arm();
  void over() noexcept { deadline_ = Clock::time_point::max(); }  ///< the wait that allow() began

  Wire wire_;
  Wire::Socket& socket_;  // of wire_
  asio::steady_timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();  // max: nobody waits
  Clock::time_point armed_for_ = Clock::time_point::max();
  bool timed_out_ = false;  // the last wait was ended by its timer
  bool closed_ = false;
  std::atomic<std::int64_t> waiting_since_{Clock::now().time_since_epoch().count()};  // relaxed: a hint
  std::string address_;
  bool is_loopback_ = false;
};

}  // namespace cairn::web
