#include "engine/net/tcp_stream.h"

#include <array>
#include <cerrno>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace cairn::net {
namespace {

using asio::ip::tcp;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMostBuffers = 192;

class TcpStream final : public Stream {
 public:
  explicit TcpStream(tcp::socket socket) : shared_(std::make_shared<Shared>(std::move(socket))) {
    boost::system::error_code ec;
    const auto peer = shared_->socket.remote_endpoint(ec);
    if (!ec) peer_address_ = peer.address().to_string(ec);
    shared_->socket.set_option(tcp::no_delay(true), ec);
    shared_->socket.non_blocking(true, ec);
  }
  ~TcpStream() override { close(); }

  Result<std::optional<std::size_t>> try_read(std::span<const MutableBytes> into) override {
    std::array<iovec, kMostBuffers> vectors;
    std::size_t n = 0;
    for (const MutableBytes& b : into) {
      if (n == kMostBuffers) break;
      if (!b.empty()) vectors[n++] = {b.data(), b.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = n;
    return outcome_of(::recvmsg(shared_->socket.native_handle(), &message, MSG_DONTWAIT), "receive");
  }

  Result<std::optional<std::size_t>> try_write(std::span<const Bytes> from) override {
    std::array<iovec, kMostBuffers> vectors;
    std::size_t n = 0;
    for (const Bytes& b : from) {
      if (n == kMostBuffers) break;
      if (!b.empty()) vectors[n++] = {const_cast<std::byte*>(b.data()), b.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = n;
    return outcome_of(::sendmsg(shared_->socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL), "send");
  }

  Task<> wait_readable(Deadline deadline) override {
    const int one = 1;
    ::setsockopt(shared_->socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    return wait(shared_, Wait::read, deadline);
  }
  Task<> wait_writable(Deadline deadline) override { return wait(shared_, Wait::write, deadline); }

  void close() noexcept override {
    shared_->closed = true;
    boost::system::error_code ec;
    shared_->socket.close(ec);
    shared_->timer.cancel();
  }
  asio::any_io_executor executor() override { return shared_->socket.get_executor(); }
  const std::string& peer_address() const noexcept override { return peer_address_; }

 private:
  enum Wait { read = 0, write = 1 };

  // Outlives the stream while a timer's handler is on its way.
  struct Shared : std::enable_shared_from_this<Shared> {
    explicit Shared(tcp::socket s) : socket(std::move(s)), timer(socket.get_executor()) {}
    tcp::socket socket;
    asio::steady_timer timer;
    std::array<Deadline, 2> waiting_until{Deadline::max(), Deadline::max()};  ///< max: nobody waits
    Deadline armed_for = Deadline::max();
    bool closed = false;

    // One timer for both directions, armed lazily: a wait that ends in time leaves it armed, and it finds out by
    // itself that nobody is late. So a fast connection sets a timer a few times a second, not at each wait.
    void arm() {
      const Deadline next = std::min(waiting_until[read], waiting_until[write]);
      if (next >= armed_for) return;
      armed_for = next;
      timer.expires_at(next);
      timer.async_wait([self = this->shared_from_this()](const boost::system::error_code& ec) {
        if (ec) return;
        self->armed_for = Deadline::max();
        if (self->closed) return;
        const Deadline earliest = std::min(self->waiting_until[read], self->waiting_until[write]);
        if (earliest <= Clock::now()) {
          boost::system::error_code ignored;
          self->socket.cancel(ignored);
        } else if (earliest != Deadline::max()) {
          self->arm();
        }
      });
    }
  };

  static Task<> wait(std::shared_ptr<Shared> shared, Wait direction, Deadline deadline) {
    for (;;) {
      if (shared->closed) co_return fail(Errc::closed, "connection");
      shared->waiting_until[direction] = deadline;
      shared->arm();
      auto [ec] = co_await shared->socket.async_wait(
          direction == read ? tcp::socket::wait_read : tcp::socket::wait_write, kToken);
      shared->waiting_until[direction] = Deadline::max();
      if (!ec) co_return outcome::success();
      if (shared->closed) co_return fail(Errc::closed, "connection");
      if (ec != asio::error::operation_aborted) co_return fail(Errc::io, "wait for the connection");
      if (Clock::now() >= deadline)
        co_return fail(Errc::timeout, direction == read ? "peer sends nothing" : "peer takes nothing");
      // The other direction's deadline cancelled both waits: go on.
    }
  }

  static Result<std::optional<std::size_t>> outcome_of(ssize_t n, const char* where) {
    if (n >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(n));
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return std::optional<std::size_t>();
    if (errno == ECONNRESET || errno == EPIPE || errno == EBADF || errno == ENOTCONN) return fail(Errc::closed, where);
    return fail_errno(errno, where);
  }

  std::shared_ptr<Shared> shared_;
  std::string peer_address_;
};

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(tcp::socket socket) {
  return std::make_unique<TcpStream>(std::move(socket));
}

Task<std::unique_ptr<Stream>> connect_tcp(std::string host, std::uint16_t port, Deadline deadline) {
  using namespace asio::experimental::awaitable_operators;
  auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  tcp::socket socket(executor);
  asio::steady_timer timer(executor, deadline);
  const std::string service = std::to_string(port);
  auto resolved = co_await (resolver.async_resolve(host, service, kToken) || timer.async_wait(kToken));
  if (resolved.index() == 1) co_return fail(Errc::timeout, "resolve the peer's name");
  auto& [resolve_error, endpoints] = std::get<0>(resolved);
  if (resolve_error) co_return fail(Errc::not_found, "resolve the peer's name");
  auto connected = co_await (asio::async_connect(socket, endpoints, kToken) || timer.async_wait(kToken));
  if (connected.index() == 1) co_return fail(Errc::timeout, "connect");
  const auto connect_error = std::get<0>(std::get<0>(connected));
  if (connect_error == asio::error::connection_refused) co_return fail(Errc::refused, "connect");
  if (connect_error) co_return fail(Errc::io, "connect");
  co_return make_tcp_stream(std::move(socket));
}

}  // namespace cairn::net
