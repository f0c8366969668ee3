// Removal and its undoing over HTTP. The standard's core has no delete over DICOMweb; this has the form that archives
// and their clients use: DELETE on the resource.
//
//   DELETE /dicom-web/studies/{study}[/series/{series}[/instances/{instance}]]?only-copy=true[&reason=TEXT]
//   GET    /api/v1/removed[?study=UID][&limit=N][&before=REMOVAL]     what is removed, newest first
//   POST   /api/v1/removed/{removal}/restore[?reason=TEXT]
//
// Who may: processes of this machine, and the peers that http.manage_from names; never a page of another site. Without
// only-copy=true a removal is refused (409), since no other copy is known.
#pragma once

#include <optional>
#include <vector>

#include "engine/archive/archive.h"
#include "engine/core/network.h"
#include "engine/io/worker_pool.h"
#include "engine/web/router.h"

namespace cairn::web {

struct RemovalOptions {
  std::vector<Network> from;  ///< who may beside this machine. What a proxy here passes on is from here only if named
};

/// Why a request may not change what is stored; nullopt when it may. Pure.
std::optional<Error> removal_refusal_of(const Request& request, const RemovalOptions& options);

/// `handler`, for those who may.
Handler guarded_removal(RemovalOptions options, Handler handler);

/// `archive` and `pool` outlive the router.
void add_removal_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, RemovalOptions options);

}  // namespace cairn::web
