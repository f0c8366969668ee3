// Accepts HTTP connections and shares them out among the reactors.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/task.h"
#include "engine/web/connections.h"
#include "engine/web/site.h"
#include "engine/web/tls.h"

namespace cairn::web {

class Listener {
 public:
  /// Binds and begins to accept into `connections`. `reactors` (at least one) are run by others and outlive the
  /// listener's drain(). Port 0 takes a free one; with `tls` it speaks HTTPS. Errors: malformed (address), io (with the
  /// system's reason).
  static Result<std::unique_ptr<Listener>> start(const std::string& address, std::uint16_t port,
                                                 std::shared_ptr<Site> site, std::shared_ptr<Connections> connections,
                                                 std::vector<asio::io_context*> reactors,
                                                 std::unique_ptr<TlsCredentials> tls = nullptr);
  ~Listener();  ///< drain(0)

  std::uint16_t port() const noexcept;
  std::size_t connections() const;

  /// Stops accepting, lets requests that have begun finish until `patience` is over, then cuts the rest. Blocks; never
  /// call it on a reactor, which must still run. True when no connection is left.
  bool drain(std::chrono::milliseconds patience);

 private:
  struct State;
  explicit Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace cairn::web
