// HTTP/2 on one connection: its session (http2_session.h) between socket and routes.
#pragma once

#include <memory>

#include "engine/web/connection.h"

namespace cairn::web {

class Peer;

/// `begun`: what has been read, from the client's preface on.
std::unique_ptr<Protocol> make_http2(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, std::string begun);

}  // namespace cairn::web
