#include "engine/web/listener.h"

#include <condition_variable>
#include <mutex>
#include <set>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/web/connection.h"

namespace cairn::web {
namespace {
using asio::ip::tcp;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
}  // namespace

struct Listener::State {
  State(std::shared_ptr<Site> shared_site, std::vector<asio::io_context*> shared_reactors,
        std::unique_ptr<TlsCredentials> credentials)
      : site(std::move(shared_site)),
        reactors(std::move(shared_reactors)),
        tls(std::move(credentials)),
        acceptor(*reactors.front()) {}

  std::shared_ptr<Site> site;
  std::vector<asio::io_context*> reactors;
  std::unique_ptr<TlsCredentials> tls;  // null: plain HTTP
  tcp::acceptor acceptor;               // used on reactors.front() only, once started
  std::uint16_t port = 0;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::set<std::shared_ptr<Connection>> connections;
  bool accepting = true;

  static asio::awaitable<void> accept(std::shared_ptr<State> self) {
    for (std::size_t next = 0;; ++next) {
      asio::io_context& reactor = *self->reactors[next % self->reactors.size()];
      auto accepted = co_await self->acceptor.async_accept(reactor, kToken);
      auto& [error, socket] = accepted;
      if (error == asio::error::operation_aborted || !self->acceptor.is_open()) break;
      if (error) {
        // Out of descriptors or of memory: connections that end give some back.
        log::warning("http accept failed", {{"reason", error.message()}});
        asio::steady_timer pause(*self->reactors.front(), std::chrono::milliseconds(100));
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

  static void begin(const std::shared_ptr<State>& self, asio::io_context& reactor, int descriptor) {
    std::shared_ptr<Connection> connection;
    auto context = self->tls ? self->tls->current() : nullptr;
    {
      const std::scoped_lock lock(self->mutex);
      const bool full = self->connections.size() >= self->site->limits.connections;
      if (full) log::warning("http connections at their limit", {{"limit", self->site->limits.connections}});
      connection = make_connection(reactor, descriptor, std::move(context), self->site, full);
      self->connections.insert(connection);
    }
    auto run = [connection]() { return connection->run(); };
    asio::co_spawn(reactor, std::move(run), [self, connection](std::exception_ptr failure) {
      if (failure) log::error("http connection failed");
      const std::scoped_lock lock(self->mutex);
      self->connections.erase(connection);
      self->changed.notify_all();
    });
  }
};

Result<std::unique_ptr<Listener>> Listener::start(const std::string& address, std::uint16_t port,
                                                  std::shared_ptr<Site> site, std::vector<asio::io_context*> reactors,
                                                  std::unique_ptr<TlsCredentials> tls) {
  CAIRN_CHECK(!reactors.empty());
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return fail(Errc::malformed, "http address");
  auto state = std::make_shared<State>(std::move(site), std::move(reactors), std::move(tls));
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
  const std::scoped_lock lock(state_->mutex);
  return state_->connections.size();
}

bool Listener::drain(std::chrono::milliseconds patience) {
  // Time for what was cut to unwind; a job of the worker pool that has begun runs to its end.
  constexpr std::chrono::seconds kUnwind{5};
  state_->site->draining.store(true, std::memory_order_relaxed);
  asio::post(*state_->reactors.front(), [state = state_] {
    boost::system::error_code ignored;
    state->acceptor.close(ignored);
  });
  std::unique_lock lock(state_->mutex);
  const auto done = [this] { return !state_->accepting && state_->connections.empty(); };
  const auto running = [this] {
    for (const asio::io_context* reactor : state_->reactors) {
      if (reactor->stopped()) return false;
    }
    return true;
  };
  for (const auto& connection : state_->connections) connection->drain();
  if (!state_->changed.wait_for(lock, patience, done)) {
    for (const auto& connection : state_->connections) connection->close();
    if (running()) state_->changed.wait_for(lock, kUnwind, done);
  }
  return done();
}

}  // namespace cairn::web
