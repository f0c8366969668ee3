// The byte stream of a connection: TCP, or TLS over it. A stream in the sense of Asio, so that Beast reads from it.
// Heavy (Asio, OpenSSL): included through peer.h alone.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>

namespace cairn::web {

class Wire {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Socket::executor_type;

  /// `context` null: plain TCP.
  Wire(Socket socket, std::shared_ptr<boost::asio::ssl::context> context)
      : socket_(std::move(socket)), context_(std::move(context)) {
    if (context_) tls_.emplace(socket_, *context_);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() noexcept { return socket_; }
  bool secure() const noexcept { return tls_.has_value(); }
  /// After the handshake: ALPN (RFC 7301) has chosen `protocol`.
  bool speaks(std::string_view protocol) {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    if (tls_) SSL_get0_alpn_selected(tls_->native_handle(), &name, &length);
    return protocol == std::string_view(reinterpret_cast<const char*>(name), length);
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return socket_.async_write_some(buffers, std::forward<Token>(token));
  }
  /// Precondition: secure().
  template <class Token>
  auto async_handshake(Token&& token) {
    return tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Token>(token));
  }
  /// Precondition: secure(). Says that the answer is whole (close_notify).
  template <class Token>
  auto async_shutdown(Token&& token) {
    return tls_->async_shutdown(std::forward<Token>(token));
  }

 private:
  Socket socket_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace cairn::web
