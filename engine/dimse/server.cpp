#include "engine/dimse/server.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/log.h"
#include "engine/dimse/commitments.h"
#include "engine/dimse/session.h"
#include "engine/net/tcp_stream.h"

namespace cairn::dimse {

using asio::ip::tcp;

namespace {
constexpr int kBacklog = 1024;
constexpr auto kAcceptRetry = std::chrono::milliseconds(50);
constexpr std::chrono::seconds kAbortGrace{5}, kWorkGrace{5};
constexpr auto kEvictionLogInterval = std::chrono::seconds(1);
}  // namespace

struct Server::State : std::enable_shared_from_this<State> {
  struct Connection {
    std::weak_ptr<Session> session;
    std::size_t reactor = 0;
    bool evicted = false;
  };

  State(std::shared_ptr<SessionEnvironment> environment, std::vector<asio::io_context*> all)
      : env(std::move(environment)), reactors(std::move(all)), loads(reactors.size()), acceptor(*reactors.front()) {}

  std::shared_ptr<SessionEnvironment> env;
  std::vector<asio::io_context*> reactors;
  std::uint16_t port = 0;

  std::mutex mutex;  // of the next six
  std::condition_variable changed;
  std::map<std::uint64_t, Connection> connections;  ///< by age, the oldest first
  std::vector<std::size_t> loads;                   ///< connections of each reactor
  std::uint64_t next_id = 0;
  bool accepting = true;
  bool acceptor_ended = false;  ///< no accept is pending that would own a socket of another reactor

  tcp::acceptor acceptor;  ///< used on the first reactor only
  net::Clock::time_point evictions_logged{};
  std::uint64_t evictions_unlogged = 0;

  Result<> listen(const Options& options);
  asio::awaitable<void> accept_loop();
  void adopt(tcp::socket socket, std::size_t reactor);
  void evict_beyond_limit();
  void forget(std::uint64_t id);
  void stop_sessions(bool at_once);
};

Result<> Server::State::listen(const Options& options) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(options.address, ec);
  if (ec) return fail(Errc::malformed, "address to listen on");
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(kBacklog, ec);
  if (ec) return fail_errno(ec.value(), "listen on the DICOM port");
  port = acceptor.local_endpoint(ec).port();
  return outcome::success();
}

asio::awaitable<void> Server::State::accept_loop() {
  const auto keep = shared_from_this();
  asio::steady_timer pause(*reactors.front());
  for (;;) {
    std::size_t reactor = 0;
    {
      const std::lock_guard lock(mutex);
      reactor = static_cast<std::size_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    }
    auto accepted = co_await acceptor.async_accept(*reactors[reactor], asio::as_tuple(asio::use_awaitable));
    auto& [ec, socket] = accepted;
    if (!acceptor.is_open()) break;
    if (ec) {
      // Out of descriptors or memory: wait until some come back.
      log::warning("accept failed", {{"error", ec.message()}});
      pause.expires_after(kAcceptRetry);
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    adopt(std::move(socket), reactor);
    evict_beyond_limit();
  }
}

void Server::State::adopt(tcp::socket socket, std::size_t reactor) {
  auto session = std::make_shared<Session>(net::make_tcp_stream(std::move(socket)), env);
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex);
    if (!accepting) return;
    id = next_id++;
    connections[id] = {session, reactor, false};
    ++loads[reactor];
  }
  env->counters.connections_open.fetch_add(1, std::memory_order_relaxed);
  auto life = [](std::shared_ptr<Session> s) -> asio::awaitable<void> { co_await s->run(); };
  asio::co_spawn(*reactors[reactor], life(std::move(session)), [self = shared_from_this(), id](std::exception_ptr e) {
    if (e) log::error("an association's coroutine threw");
    self->forget(id);
  });
}

void Server::State::evict_beyond_limit() {
  std::shared_ptr<Session> victim;
  {
    const std::lock_guard lock(mutex);
    const auto setups = std::count_if(connections.begin(), connections.end(), [](const auto& entry) {
      const auto session = entry.second.session.lock();
      return session && !entry.second.evicted && session->in_setup();
    });
    if (static_cast<std::size_t>(setups) <= env->options.max_setups) return;
    for (auto& [id, connection] : connections) {
      auto session = connection.session.lock();
      if (!session || connection.evicted || !session->in_setup()) continue;
      connection.evicted = true;
      victim = std::move(session);
      break;
    }
  }
  if (!victim) return;
  env->counters.evicted.fetch_add(1, std::memory_order_relaxed);
  ++evictions_unlogged;
  if (net::Clock::now() - evictions_logged >= kEvictionLogInterval) {
    log::warning("half-open connections evicted", {{"count", evictions_unlogged}, {"limit", env->options.max_setups}});
    evictions_logged = net::Clock::now();
    evictions_unlogged = 0;
  }
  const auto executor = victim->executor();
  asio::post(executor, [victim = std::move(victim)] {
    if (victim->in_setup()) victim->stop(true);
  });
}

void Server::State::forget(std::uint64_t id) {
  env->counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex);
  const auto at = connections.find(id);
  --loads[at->second.reactor];
  connections.erase(at);
  changed.notify_all();
}

void Server::State::stop_sessions(bool at_once) {
  const std::lock_guard lock(mutex);
  for (auto& [id, connection] : connections) {
    auto session = connection.session.lock();
    if (!session) continue;
    const auto executor = session->executor();
    asio::post(executor, [session = std::move(session), at_once] { session->stop(at_once); });
  }
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  stop(std::chrono::milliseconds(0));
}

Result<std::unique_ptr<Server>> Server::start(Options options, archive::Archive& archive, io::WorkerPool& pool,
                                              std::vector<asio::io_context*> reactors) {
  if (reactors.empty()) return fail(Errc::missing, "reactors");
  if (options.max_pdu_bytes < 4096 || options.max_pdu_bytes > (16u << 20)) {
    return fail(Errc::malformed, "max_pdu_bytes: 4096 to 16777216");
  }
  options.max_pdu_bytes &= ~1u;
  if (options.ae_title.empty() || options.ae_title.size() > 16) return fail(Errc::malformed, "ae_title");
  CAIRN_TRY(auto access, AccessList::make(options));
  std::shared_ptr<SessionEnvironment> environment(
      new SessionEnvironment{options, std::move(access), Remotes(options.remotes), archive, pool, {}, {}});
  auto state = std::make_shared<State>(environment, std::move(reactors));
  CAIRN_TRYV(state->listen(environment->options));
  if (!options.commitment_journal.empty()) {
    CAIRN_TRY(auto journal, CommitmentJournal::open(options.commitment_journal));
    environment->commitments = std::make_shared<Commitments>(
        std::move(journal), Commitments::Settings{options.commitment_wait, options.commitment_give_up}, archive, pool,
        environment->remotes, environment->counters, state->reactors.front()->get_executor());
    environment->commitments->resume();
  }
  asio::co_spawn(*state->reactors.front(), state->accept_loop(), [state](std::exception_ptr e) {
    if (e) log::error("the acceptor threw");
    const std::lock_guard lock(state->mutex);
    state->acceptor_ended = true;
    state->changed.notify_all();
  });
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

std::uint16_t Server::port() const noexcept {
  return state_->port;
}

void Server::stop(std::chrono::milliseconds grace) {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (!s.accepting) return;
    s.accepting = false;
  }
  s.env->draining.store(true, std::memory_order_relaxed);
  asio::post(*s.reactors.front(), [state = state_] {
    boost::system::error_code ec;
    state->acceptor.close(ec);
  });
  s.stop_sessions(false);
  {
    std::unique_lock lock(s.mutex);
    const auto gone = [&s] { return s.connections.empty() && s.acceptor_ended; };
    if (!s.changed.wait_for(lock, grace, gone)) {
      lock.unlock();
      s.stop_sessions(true);
      lock.lock();
      if (!s.changed.wait_for(lock, kAbortGrace, gone)) {
        log::error("associations did not end", {{"count", s.connections.size()}});
      }
    }
  }
  if (s.env->commitments) s.env->commitments->stop();
  // What was read ahead for associations that ended uses the archive and the reactors, which may go after this.
  if (!s.env->pool.settle(io::WorkClass::interactive, kWorkGrace)) log::error("work of associations did not end");
}

std::vector<CommitmentRequest> Server::commitments_naming(
    const std::function<bool(std::string_view sop_instance_uid)>& is_of) const {
  const auto& commitments = state_->env->commitments;
  return commitments ? commitments->recent().naming(is_of) : std::vector<CommitmentRequest>();
}

Stats Server::stats() const {
  return state_->env->counters.snapshot();
}

}  // namespace cairn::dimse
