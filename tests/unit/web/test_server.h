// A web server on a free loopback port, with two reactors and a worker pool.
#pragma once

#include <memory>

#include "engine/web/server.h"
#include "tests/unit/web/fake_archive.h"

namespace cairn::web::testing {

class ServerHarness {
 public:
  /// `archive` outlives the harness.
  ServerHarness(archive::Archive& archive, ServerOptions options, bool with_volumes);
  ~ServerHarness();  ///< drains; a connection that cannot be drained fails a CHECK

  Server& server();
  std::uint16_t port();
  io::WorkerPool& pool();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The same over an archive in memory.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, bool with_volumes = false)
      : harness_(archive, std::move(options), with_volumes) {}

  FakeArchive archive;
  Server& server() { return harness_.server(); }
  std::uint16_t port() { return harness_.port(); }

 private:
  ServerHarness harness_;
};

}  // namespace cairn::web::testing
