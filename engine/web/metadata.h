// WADO-RS metadata and bulk data (PS3.18 §10.4.1.1.5, .6): the data sets of a study, series or instance as DICOM JSON
// from the index alone, and the values that the index leaves out, from the log.
#pragma once

#include <memory>

#include "engine/archive/archive.h"
#include "engine/web/router.h"
#include "engine/web/stored_stream.h"

namespace cairn::web {

/// `archive` and `pool` outlive the router. `cache_bytes`: of JSON kept for series that do not change.
void add_metadata_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool, std::size_t cache_bytes);
void add_bulk_data_routes(Router& router, archive::Archive& archive, io::WorkerPool& pool,
                          std::shared_ptr<StreamBudget> budget);

}  // namespace cairn::web
