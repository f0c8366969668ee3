#include "engine/web/peer.h"

namespace cairn::web {
namespace {
constexpr std::chrono::seconds kLinger{2};
}  // namespace

Peer::Peer(Wire::Socket socket, std::shared_ptr<asio::ssl::context> tls)
    : wire_(std::move(socket), std::move(tls)), socket_(wire_.socket()), timer_(socket_.get_executor()) {
  boost::system::error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  if (error) return;
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  address_ = address.to_string();
  is_loopback_ = address.is_loopback();
}

void Peer::allow(std::chrono::milliseconds patience) {
  timed_out_ = false;
  deadline_ = Clock::now() + patience;
  arm();
}

// Armed lazily: a wait that ends in time leaves the timer as it is, and it finds out by itself that nobody is late. So
// a busy connection sets a timer every few seconds, not at each wait.
void Peer::arm() {
  if (deadline_ >= armed_for_) return;
  armed_for_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->armed_for_ = Clock::time_point::max();
    if (self->deadline_ > Clock::now()) {
      self->arm();
    } else {
      self->over();
      self->timed_out_ = true;
      self->cancel();
    }
  });
}

asio::awaitable<std::size_t> Peer::read_some(MutableBytes into, std::chrono::milliseconds patience) {
  allow(patience);
  auto outcome = co_await wire_.async_read_some(asio::buffer(into.data(), into.size()), kToken);
  over();
  co_return std::get<0>(outcome) ? 0 : std::get<1>(outcome);
}

asio::awaitable<bool> Peer::write(std::vector<asio::const_buffer> buffers, Pace& pace) {
  std::size_t first = 0;
  while (true) {
    while (first < buffers.size() && buffers[first].size() == 0) ++first;
    if (first == buffers.size()) co_return true;
    // A view of what is left: the vector is only moved along once its front has been written.
    const std::vector<asio::const_buffer> rest(
        buffers.begin() + static_cast<std::ptrdiff_t>(first),
        buffers.begin() + static_cast<std::ptrdiff_t>(std::min(buffers.size(), first + 64)));
    allow(pace.next());
    const auto began = Clock::now();
    auto outcome = co_await wire_.async_write_some(rest, kToken);
    over();  // its timer must not end what is read meanwhile
    std::size_t written = std::get<1>(outcome);
    pace.step(began, written);
    if (std::get<0>(outcome)) co_return false;
    while (written > 0) {
      const std::size_t step = std::min(written, buffers[first].size());
      buffers[first] += step;
      written -= step;
      if (buffers[first].size() == 0) ++first;
    }
  }
}

asio::awaitable<void> Peer::part(bool unread) {
  if (!closed_ && socket_.is_open()) co_await linger(unread);
  close();
}

asio::awaitable<void> Peer::linger(bool unread) {
  boost::system::error_code ignored;
  if (wire_.secure()) {
    allow(kLinger);
    auto outcome = co_await wire_.async_shutdown(kToken);
    (void)outcome;
  }
  socket_.shutdown(Wire::Socket::shutdown_send, ignored);
  if (!unread) co_return;
  allow(kLinger);
  std::vector<std::byte> discard(64u << 10);
  for (std::size_t total = 0; total < (64u << 20);) {
    auto outcome = co_await socket_.async_read_some(asio::buffer(discard), kToken);
    if (std::get<0>(outcome)) co_return;
    total += std::get<1>(outcome);
  }
}

void Peer::cancel() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Peer::close() {
  closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace cairn::web
