// Cairn's own API at /api/v1: what the command line does through a running server, and its numbers. Who may call:
// processes of this machine, unless the configuration opens it; never a page of another site (cross-site requests are
// told by Origin, Sec-Fetch-Site, Host and Content-Type). Behind a reverse proxy on this machine every client looks
// local: the proxy must not pass /api/v1 on.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/archive/archive.h"
#include "engine/web/router.h"

namespace cairn::web {

struct AdminOptions {
  bool off_loopback = false;  ///< callers from other machines too
  std::uint64_t longest_instance_bytes = std::uint64_t{1} << 40;
  store::DuplicatePolicy duplicate_policy = store::DuplicatePolicy::keep;
};

/// Why a request may not use the admin API; nullopt when it may. Pure.
std::optional<Error> refusal_of(const Request& request, bool off_loopback);

/// `archive` and `pool` outlive the router.
void add_admin_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, AdminOptions options);

}  // namespace cairn::web
