// The DIMSE server: C-ECHO, C-STORE and C-FIND for all who may call. The one header that the application needs.
//
// One reactor (io_context with one thread) per core: connections are accepted on the first and each lives on the one
// with the fewest. The archive, the pool and the reactors outlive the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/core/result.h"
#include "engine/dimse/commitment.h"
#include "engine/dimse/options.h"
#include "engine/dimse/stats.h"

namespace boost::asio {
class io_context;
}
namespace cairn::archive {
class Archive;
}
namespace cairn::io {
class WorkerPool;
}

namespace cairn::dimse {

class Server {
 public:
  /// Listens. Errors: malformed (an address, a limit), missing (callers off loopback), io (the port is taken).
  static Result<std::unique_ptr<Server>> start(Options options, archive::Archive& archive, io::WorkerPool& pool,
                                               std::vector<boost::asio::io_context*> reactors);
  ~Server();  ///< stop() with no grace, if it was not called

  std::uint16_t port() const noexcept;

  /// Accepts no more, lets messages that are under way end within `grace`, then aborts what is left. Blocks; the
  /// reactors must be running, and this must not be one of their threads.
  void stop(std::chrono::milliseconds grace);

  Stats stats() const;
  /// Storage commitments asked for of late that name an instance of which `is_of` is true (recent_commitments.h).
  std::vector<CommitmentRequest> commitments_naming(
      const std::function<bool(std::string_view sop_instance_uid)>& is_of) const;

 private:
  struct State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cairn::dimse
