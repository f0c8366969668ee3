#include "engine/web/connection.h"

#include <boost/asio/io_context.hpp>

#include "engine/web/error_response.h"
#include "engine/web/http1.h"
#include "engine/web/peer.h"
#include "engine/web/response_head.h"

namespace cairn::web {
namespace {

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
    std::string begun(8192, '\0');
    const std::size_t got = co_await peer_->read_some({reinterpret_cast<std::byte*>(begun.data()), begun.size()},
                                                      site_->limits.header_timeout);
    begun.resize(got);
    if (got == 0 || site_->draining.load(std::memory_order_relaxed)) {
      co_await peer_->part(false);
      co_return;
    }
    protocol_ = make_http1(peer_, site_, std::move(begun));
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

 private:
  asio::awaitable<void> refuse() {
    const Response busy = error_response(503, fail(Errc::limit_exceeded, "connections"));
    const std::string text = response_head(busy, {}) + busy.body;
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
