#include "engine/web/listener.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/web/connection.h"

namespace cairn::web {
namespace {
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kPause{20};
constexpr std::string_view kNoRoom =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
}  // namespace

struct Listener::State {
  State(std::shared_ptr<Site> shared_site, std::shared_ptr<Connections> shared_connections,
        std::vector<asio::io_context*> shared_reactors, std::unique_ptr<TlsCredentials> credentials)
      : site(std::move(shared_site)),
        connections(std::move(shared_connections)),
        reactors(std::move(shared_reactors)),
        tls(std::move(credentials)),
        acceptor(*reactors.front()) {}

  std::shared_ptr<Site> site;
  std::shared_ptr<Connections> connections;
  std::vector<asio::io_context*> reactors;
  std::unique_ptr<TlsCredentials> tls;  // null: plain HTTP
  tcp::acceptor acceptor;               // used on reactors.front() only, once started
  std::uint16_t port = 0;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  bool accepting = true;

  // Used by accept() alone.
  int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // given up to take, and refuse, one connection more
  Clock::time_point told;                                 // when want of room was last logged
  std::uint64_t untold = 0;

  ~State() {
    if (spare >= 0) ::close(spare);
  }

  static asio::awaitable<void> accept(std::shared_ptr<State> self) {
    for (std::size_t next = 0;; ++next) {
      asio::io_context& reactor = *self->reactors[next % self->reactors.size()];
      auto accepted = co_await self->acceptor.async_accept(reactor, kToken);
      auto& [error, socket] = accepted;
      if (error == asio::error::operation_aborted || !self->acceptor.is_open()) break;
      if (error) {
        const bool rest = self->make_room(error);
        if (!rest) continue;
        asio::steady_timer pause(*self->reactors.front(), kPause);
        co_await pause.async_wait(kToken);
        continue;
      }
      boost::system::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      const int descriptor = socket.release(ignored);
      if (!ignored) begin(self, reactor, descriptor);
    }
    const std::scoped_lock lock(self->mutex);
    self->accepting = false;
    self->changed.notify_all();
  }

  /// Accepting has failed, for want of descriptors or of memory as a rule. True: only time can help.
  bool make_room(const boost::system::error_code& error) {
    const int fault = error.value();
    tell("http accept failed", error.message());
    if (fault == ECONNABORTED) return false;
    if (connections->close_longest_waiting()) return true;  // its descriptor comes back when it has ended
    if ((fault != EMFILE && fault != ENFILE) || spare < 0) return true;
    // Nobody can go: the next in line is told at once, in place of waiting for an answer that never comes.
    ::close(spare);
    const int descriptor = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) {
      if (!tls) (void)::send(descriptor, kNoRoom.data(), kNoRoom.size(), MSG_NOSIGNAL);
      ::shutdown(descriptor, SHUT_RDWR);
      ::close(descriptor);
    }
    spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    return descriptor < 0;
  }

  /// At most once a second: a flood of connections must not become one of lines.
  void tell(const char* what, const std::string& reason) {
    ++untold;
    const auto now = Clock::now();
    if (now - told < std::chrono::seconds(1)) return;
    told = now;
    log::warning(what, {{"reason", reason}, {"times", std::exchange(untold, 0)}});
  }

  static void begin(const std::shared_ptr<State>& self, asio::io_context& reactor, int descriptor) {
    const auto place = self->connections->make_room();
    if (place != Connections::Place::given) self->tell("http connection refused", "as many as allowed are at work");
    if (place == Connections::Place::none) {
      ::close(descriptor);
      return;
    }
    const bool refuse = place == Connections::Place::refused;
    auto context = self->tls ? self->tls->current() : nullptr;
    auto connection = make_connection(reactor, descriptor, std::move(context), self->site, refuse);
    self->connections->add(connection, self.get(), refuse);
    self->site->stats.connections.fetch_add(1, std::memory_order_relaxed);
    auto run = [connection]() { return connection->run(); };
    asio::co_spawn(reactor, std::move(run), [self, connection](std::exception_ptr failure) {
      if (failure) log::error("http connection failed");
      self->site->stats.connections.fetch_sub(1, std::memory_order_relaxed);
      self->connections->remove(connection);
    });
  }
};

Result<std::unique_ptr<Listener>> Listener::start(const std::string& address, std::uint16_t port,
                                                  std::shared_ptr<Site> site, std::shared_ptr<Connections> connections,
                                                  std::vector<asio::io_context*> reactors,
                                                  std::unique_ptr<TlsCredentials> tls) {
  CAIRN_CHECK(!reactors.empty());
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return fail(Errc::malformed, "http address");
  auto state = std::make_shared<State>(std::move(site), std::move(connections), std::move(reactors), std::move(tls));
  const tcp::endpoint endpoint(parsed, port);
  const auto step = [&](auto operation, const char* where) -> Result<> {
    operation();
    if (error) return Error{std::error_code(error.value(), std::generic_category()), 0, where};
    return outcome::success();
  };
  CAIRN_TRYV(step([&] { state->acceptor.open(endpoint.protocol(), error); }, "http socket"));
  CAIRN_TRYV(step([&] { state->acceptor.set_option(tcp::acceptor::reuse_address(true), error); }, "http socket"));
  CAIRN_TRYV(step([&] { state->acceptor.bind(endpoint, error); }, "http address and port"));
  CAIRN_TRYV(step([&] { state->acceptor.listen(asio::socket_base::max_listen_connections, error); }, "http listen"));
  state->port = state->acceptor.local_endpoint(error).port();
  asio::co_spawn(*state->reactors.front(), State::accept(state), [](std::exception_ptr failure) {
    if (failure) log::error("http accept loop failed");
  });
  return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

Listener::~Listener() {
  drain(std::chrono::milliseconds(0));
}

std::uint16_t Listener::port() const noexcept {
  return state_->port;
}

std::size_t Listener::connections() const {
  return state_->connections->count(state_.get());
}

bool Listener::drain(std::chrono::milliseconds patience) {
  // Time for what was cut to unwind; a job of the worker pool that has begun runs to its end.
  constexpr std::chrono::seconds kUnwind{5};
  state_->site->draining.store(true, std::memory_order_relaxed);
  asio::post(*state_->reactors.front(), [state = state_] {
    boost::system::error_code ignored;
    state->acceptor.close(ignored);
  });
  const auto began = Clock::now();
  {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, kUnwind, [this] { return !state_->accepting; });
    if (state_->accepting) return false;
  }
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
  if (state_->connections->drain(state_.get(), std::max(patience - spent, std::chrono::milliseconds(0)))) return true;
  const bool running = std::none_of(state_->reactors.begin(), state_->reactors.end(),
                                    [](const asio::io_context* reactor) { return reactor->stopped(); });
  return state_->connections->close(state_.get(), running ? kUnwind : std::chrono::seconds(0));
}

}  // namespace cairn::web
