// WADO-RS: instances (PS3.18 §10.4.1.1.1 to .3): as stored, streamed from the log part by part, byte for byte, or in
// another transfer syntax where Accept names one (made_instances.h).
#pragma once

#include <memory>

#include "engine/archive/archive.h"
#include "engine/web/resource.h"
#include "engine/web/router.h"
#include "engine/web/stored_stream.h"

namespace cairn::web {

/// `archive` and `pool` outlive the router.
void add_retrieve_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                         std::shared_ptr<StreamBudget> budget);

/// The instance that a path names. Blocking. Errors: not_found, also when it is in another study or series.
Result<archive::Instance> instance_of(archive::Archive& archive, const Resource& path,
                                      archive::Reach reach = archive::Reach::disk);

/// "abc": of an instance's stored bytes.
std::string etag_of(const archive::Instance& instance);

}  // namespace cairn::web
