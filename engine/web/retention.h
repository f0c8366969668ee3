// GET /api/v1/retention: what the retention rules of the configuration would remove now, and why; it removes nothing.
// For those who may remove. The numbers of what they did remove, for /metrics.
#pragma once

#include "engine/archive/retention.h"
#include "engine/io/worker_pool.h"
#include "engine/web/metrics.h"
#include "engine/web/removal.h"
#include "engine/web/router.h"

namespace cairn::web {

/// `retention` may be null: there are no rules. All outlive the router.
void add_retention_routes(Router& router, archive::Retention* retention, io::WorkerPool& pool, RemovalOptions options);

void write_retention_metrics(MetricsWriter& writer, const archive::Retention& retention);

}  // namespace cairn::web
