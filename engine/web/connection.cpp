#include "engine/web/connection.h"

#include <boost/asio/io_context.hpp>

#include "engine/web/error_response.h"
#include "engine/web/http1.h"
#include "engine/web/http2.h"
#include "engine/web/http2_session.h"
#include "engine/web/peer.h"
#include "engine/web/response_head.h"

namespace cairn::web {
namespace {

/// SETTINGS, and GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 §6.5, §6.8).
constexpr std::string_view kBusyHttp2(
    "\0\0\0\4\0\0\0\0\0"
    "\0\0\x08\7\0\0\0\0\0"
    "\0\0\0\0\0\0\0\x0b",
    26);

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, bool refuse)
      : peer_(std::move(peer)), site_(std::move(site)), refuse_(refuse) {}

  asio::awaitable<void> run() override {
    const auto self = shared_from_this();
    if (peer_->is_secure()) {
      peer_->allow(site_->limits.header_timeout);
      auto outcome = co_await peer_->wire().async_handshake(Peer::kToken);
      if (std::get<0>(outcome)) {
        peer_->close();
        co_return;
      }
    }
    if (refuse_) {
      co_await refuse();
      co_return;
    }
    std::string begun;
    const bool speaks_http2 = co_await begins_http2(begun);
    if (begun.empty() || site_->draining.load(std::memory_order_relaxed)) {
      co_await peer_->part(false);
      co_return;
    }
    if (speaks_http2) {
      protocol_ = make_http2(peer_, site_, std::move(begun));
    } else {
      protocol_ = make_http1(peer_, site_, std::move(begun));
    }
    co_await protocol_->run();
  }

  void drain() override {
    asio::post(peer_->wire().get_executor(), [self = shared_from_this()] {
      if (self->protocol_) {
        self->protocol_->drain();
      } else {
        self->peer_->cancel();
      }
    });
  }
  void close() override {
    asio::post(peer_->wire().get_executor(), [self = shared_from_this()] { self->peer_->close(); });
  }
  std::int64_t waiting_since() const noexcept override { return peer_->waiting_since(); }

 private:
  /// Reads into `begun` until it shows which protocol the peer speaks: by ALPN, or by its first bytes (RFC 9113 §3.3).
  asio::awaitable<bool> begins_http2(std::string& begun) {
    const auto until = Peer::Clock::now() + site_->limits.header_timeout;
    const bool agreed = peer_->wire().speaks("h2");
    while (true) {
      constexpr std::size_t kStep = 8192;
      const std::size_t before = begun.size();
      begun.resize(before + kStep);
      const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(until - Peer::Clock::now());
      const std::size_t got = co_await peer_->read_some({reinterpret_cast<std::byte*>(begun.data() + before), kStep},
                                                        std::max(patience, std::chrono::milliseconds(1)));
      begun.resize(before + got);
      if (agreed || begun.starts_with(kHttp2Preface)) co_return true;
      if (got == 0 || !kHttp2Preface.starts_with(begun)) co_return false;
    }
  }

  asio::awaitable<void> refuse() {
    const Response busy = error_response(503, fail(Errc::limit_exceeded, "connections"));
    const bool speaks_http2 = peer_->wire().speaks("h2");
    const std::string text = speaks_http2 ? std::string(kBusyHttp2) : response_head(busy, {}) + busy.body;
    Pace pace(site_->limits);
    std::vector<asio::const_buffer> buffers{asio::buffer(text)};
    const bool written = co_await peer_->write(std::move(buffers), pace);
    (void)written;
    co_await peer_->part(false);
  }

  std::shared_ptr<Peer> peer_;
  std::shared_ptr<Site> site_;
  const bool refuse_;
  std::unique_ptr<Protocol> protocol_;  // null until it is known
};

}  // namespace

std::shared_ptr<Connection> make_connection(asio::io_context& reactor, int descriptor,
                                            std::shared_ptr<asio::ssl::context> tls, std::shared_ptr<Site> site,
                                            bool refuse) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length);
  using asio::ip::tcp;
  tcp::socket socket(reactor, name.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor);
  auto peer = std::make_shared<Peer>(std::move(socket), std::move(tls));
  return std::make_shared<HttpConnection>(std::move(peer), std::move(site), refuse);
}

}  // namespace cairn::web
