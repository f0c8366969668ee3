// HTTP/1.1 and 1.0 on one connection (RFC 9112): requests one after another, in the order of arrival.
#pragma once

#include <memory>

#include "engine/web/connection.h"

namespace cairn::web {

class Peer;

/// `begun`: bytes of the first request that have been read.
std::unique_ptr<Protocol> make_http1(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, std::string begun);

}  // namespace cairn::web
