// A byte stream to a peer: what the upper layer and others see of a socket, plain or TLS. Kept free of Asio's heavy
// headers, so that few files pay for them.
//
// A stream belongs to one executor; at most one reader and one writer wait at a time. Destroying it closes it; nobody
// may be waiting then.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "engine/core/bytes.h"
#include "engine/core/task.h"

namespace cairn::net {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

class Stream {
 public:
  virtual ~Stream() = default;

  /// Reads what is there into the buffers, in order, without waiting: the number of bytes, 0 at the end of the stream,
  /// nullopt when nothing is there now. Errors: closed (reset by the peer too), io.
  virtual Result<std::optional<std::size_t>> try_read(std::span<const MutableBytes> into) = 0;
  /// Writes what fits without waiting: the number of bytes, nullopt when nothing fits. Errors: closed, io.
  virtual Result<std::optional<std::size_t>> try_write(std::span<const Bytes> from) = 0;

  /// Errors: timeout at the deadline (the stream stays usable), closed.
  virtual Task<> wait_readable(Deadline deadline) = 0;
  virtual Task<> wait_writable(Deadline deadline) = 0;

  /// Ends all waits with `closed`. Only from the stream's executor.
  virtual void close() noexcept = 0;

  virtual asio::any_io_executor executor() = 0;
  /// "127.0.0.1", without the port.
  virtual const std::string& peer_address() const noexcept = 0;
};

}  // namespace cairn::net
