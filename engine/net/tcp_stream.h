// Streams over TCP. Includes Asio's sockets: for .cpp files that open or accept connections only.
#pragma once

#include <memory>

#include <boost/asio/ip/tcp.hpp>

#include "engine/net/stream.h"

namespace cairn::net {

/// Takes a connected socket. Sets TCP_NODELAY; sets TCP_QUICKACK again before each wait for input, so that a peer whose
/// Nagle algorithm waits for our acknowledgement is not held up by its delay (40 ms an operation otherwise).
std::unique_ptr<Stream> make_tcp_stream(asio::ip::tcp::socket socket);

/// Connects on the current executor. Errors: not_found (the name), timeout, io, refused.
Task<std::unique_ptr<Stream>> connect_tcp(std::string host, std::uint16_t port, Deadline deadline);

}  // namespace cairn::net
