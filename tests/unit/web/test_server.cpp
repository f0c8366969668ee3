#include "tests/unit/web/test_server.h"

#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/volumes/service.h"

namespace cairn::web::testing {

struct ServerHarness::State {
  io::WorkerPool pool{2, "test"};
  std::vector<std::unique_ptr<asio::io_context>> reactors;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::vector<std::thread> threads;
  std::unique_ptr<volumes::Service> volumes;
  std::unique_ptr<Server> server;
};

ServerHarness::ServerHarness(archive::Archive& archive, ServerOptions options, bool with_volumes)
    : state_(std::make_unique<State>()) {
  log::set_level(log::Level::error);
  std::vector<asio::io_context*> reactors;
  for (int i = 0; i < 2; ++i) {
    auto reactor = std::make_unique<asio::io_context>(1);
    reactors.push_back(reactor.get());
    state_->work.emplace_back(reactor->get_executor());
    state_->threads.emplace_back([context = reactor.get()] { context->run(); });
    state_->reactors.push_back(std::move(reactor));
  }
  if (with_volumes) state_->volumes = std::make_unique<volumes::Service>(archive, state_->pool, volumes::Options{});
  options.port = 0;
  auto started = Server::start(std::move(options), archive, state_->volumes.get(), state_->pool, reactors);
  CAIRN_CHECK(started.has_value());
  state_->server = std::move(started).value();
}

ServerHarness::~ServerHarness() {
  CAIRN_CHECK(state_->server->drain(std::chrono::seconds(2)));
  state_->server.reset();
  state_->volumes.reset();
  state_->work.clear();
  for (auto& thread : state_->threads) thread.join();
}

Server& ServerHarness::server() {
  return *state_->server;
}
std::uint16_t ServerHarness::port() {
  return state_->server->port();
}
io::WorkerPool& ServerHarness::pool() {
  return state_->pool;
}

}  // namespace cairn::web::testing
