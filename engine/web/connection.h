// One HTTP connection, from its handshake to its end; which protocol is spoken on it is decided here. Runs on one
// reactor.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/core/task.h"
#include "engine/web/site.h"

namespace boost::asio::ssl {
class context;
}

namespace cairn::web {

/// What is spoken on a connection. Belongs to its reactor.
class Protocol {
 public:
  virtual ~Protocol() = default;
  /// Serves until the peer leaves or a limit is passed, then closes the connection. Call once.
  virtual asio::awaitable<void> run() = 0;
  /// Ends the connection now if it waits for a request, else after its answers.
  virtual void drain() = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  /// Serves until the peer leaves, a limit is passed, or close(). Call once, on the socket's executor.
  virtual asio::awaitable<void> run() = 0;
  /// Any thread: ends the connection now if it waits for a request, else after its answer.
  virtual void drain() = 0;
  /// Any thread: ends it now.
  virtual void close() = 0;
  /// Any thread: since when it waits for its peer to ask for something, its header whole, in nanoseconds of the steady
  /// clock; 0: a request is under way.
  virtual std::int64_t waiting_since() const noexcept = 0;
};

/// `descriptor` is a connected, non-blocking TCP socket of `reactor`'s process, owned from here on; -1 is not allowed.
/// `tls` null: plain TCP. Tells the peer 503 and ends when `refuse`.
std::shared_ptr<Connection> make_connection(asio::io_context& reactor, int descriptor,
                                            std::shared_ptr<asio::ssl::context> tls, std::shared_ptr<Site> site,
                                            bool refuse);

}  // namespace cairn::web
