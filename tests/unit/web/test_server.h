// A web server on a free loopback port, with two reactors, a worker pool and an archive in memory.
#pragma once

#include <memory>

#include "engine/web/server.h"
#include "tests/unit/web/fake_archive.h"

namespace cairn::web::testing {

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, bool with_volumes = false);
  ~TestServer();

  FakeArchive archive;
  Server& server();
  io::WorkerPool& pool();
  std::uint16_t port();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::web::testing
