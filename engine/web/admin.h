// Cairn's own API at /api/v1: what the command line does through a running server, and its numbers. Who may call:
// processes of this machine, unless the configuration opens it; never a page of another site (cross-site requests are
// told by Origin, Sec-Fetch-Site, Host and Content-Type). What a proxy on this machine passes on is from elsewhere when
// the proxy says so (Forwarded, X-Forwarded-For); one that does not must not pass on /api/v1.
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

/// Of a process here, not passed on by a proxy. Pure.
bool is_from_this_machine(const Request& request) noexcept;

/// Why a request may not use the admin API; nullopt when it may. Pure.
std::optional<Error> refusal_of(const Request& request, bool off_loopback);

/// Why it may not be a page of another site that sends it. `any_host`: Host may be a name, which a foreign one that was
/// made to point here could also be. Pure.
std::optional<Error> page_refusal_of(const Request& request, bool any_host);

/// `archive` and `pool` outlive the router.
void add_admin_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, AdminOptions options);

}  // namespace cairn::web
