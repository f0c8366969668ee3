// STOW-RS: the Store transaction (PS3.18 §10.5). The body's parts go into the archive as they arrive, without ever
// holding an instance; metadata and bulk data are put together first (store_apart.h). The response says of each
// instance what became of it, and success is told only of what is durable.
#pragma once

#include <filesystem>

#include "engine/archive/archive.h"
#include "engine/io/worker_pool.h"
#include "engine/web/router.h"

namespace cairn::web {

struct StoreOptions {
  bool off_loopback = false;  ///< senders on other machines too
  store::DuplicatePolicy duplicate_policy = store::DuplicatePolicy::keep;
  std::size_t commits_under_way = 16;     ///< of one request
  std::filesystem::path spool_directory;  ///< where bulk data wait for the rest of their instance; empty: the system's
};

inline constexpr std::size_t kMaxParts = 65'536;  ///< of one request

/// `archive` and `pool` outlive the router.
void add_store_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, StoreOptions options);

}  // namespace cairn::web
