// STOW-RS: the Store transaction (PS3.18 §10.5). The body's parts go into the archive as they arrive, without ever
// holding an instance; the response says of each instance what became of it, and success is told only of what is
// durable.
#pragma once

#include "engine/archive/archive.h"
#include "engine/web/router.h"

namespace cairn::web {

struct StoreOptions {
  bool off_loopback = false;  ///< senders on other machines too
  store::DuplicatePolicy duplicate_policy = store::DuplicatePolicy::keep;
  std::size_t commits_under_way = 16;  ///< of one request
};

/// `archive` outlives the router.
void add_store_routes(Router& router, archive::Archive& archive, StoreOptions options);

}  // namespace cairn::web
