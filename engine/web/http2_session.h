// The server's side of HTTP/2 (RFC 9113) over nghttp2, without a socket: received bytes go in, bytes to be sent come
// out, requests run on `executor` in between. http2.cpp puts it on a connection; the fuzz target drives it alone.
//
// What a peer can make it hold is bounded (HttpLimits): streams, their headers, answers that wait for its window,
// bodies that wait for their reader (the windows granted). Belongs to one reactor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/web/message.h"
#include "engine/web/site.h"

namespace cairn::web {

struct Http2PeerFacts {
  std::string address;
  bool is_loopback = false;
  bool is_secure = false;
};

/// Bytes to be sent, in order: frame headers are copied, bodies are referred to and kept.
class Http2Output {
 public:
  void copy(const std::uint8_t* bytes, std::size_t length);
  void refer(Piece piece);
  std::vector<Bytes> runs() const;  ///< valid until the next call that is not const
  std::size_t bytes() const noexcept { return bytes_; }
  void clear();

 private:
  struct Run {
    Bytes referred;                // empty: copied
    std::size_t from = 0, to = 0;  // of copied_
  };
  std::string copied_;
  std::vector<Run> runs_;
  std::vector<std::shared_ptr<const void>> kept_;
  std::size_t bytes_ = 0;
};

class Http2Session {
 public:
  using Clock = std::chrono::steady_clock;

  /// `wake` is called when there may be more to send, or a task has ended; not once tasks() is 0 after abandon().
  static std::shared_ptr<Http2Session> make(asio::any_io_executor executor, std::shared_ptr<Site> site,
                                            Http2PeerFacts peer, std::function<void()> wake);
  virtual ~Http2Session() = default;

  /// Takes in what the peer sent. False: no more is wanted; what gather() gives says why.
  virtual bool receive(Bytes bytes) = 0;
  /// Appends what is to be sent now, about `wanted` bytes at most. False: memory ran out, the connection must end.
  virtual bool gather(Http2Output& out, std::size_t wanted) = 0;
  /// Nothing more will be received or sent.
  virtual bool is_over() const = 0;
  /// To be called every tick_period(): ends what has taken too long.
  virtual void tick(Clock::time_point now) = 0;
  static std::chrono::milliseconds tick_period(const HttpLimits& limits);
  /// Takes no new requests, ends after the answers to those it has (GOAWAY, RFC 9113 §6.8).
  virtual void shut_down() = 0;
  /// The connection is gone. Requests under way are told at their next step.
  virtual void abandon() = 0;
  /// Requests whose handlers have not yet returned; they use the site.
  virtual std::size_t tasks() const = 0;
  /// Since when no request is under way whose header is whole; the largest time: one is.
  virtual Clock::time_point idle_since() const = 0;
};

/// The first bytes of every HTTP/2 connection of a client (RFC 9113 §3.4).
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace cairn::web
