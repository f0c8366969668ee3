// The numbers of the DIMSE server as metrics. Here, because web and dimse know nothing of each other.
#pragma once

#include "engine/dimse/stats.h"
#include "engine/web/metrics.h"

namespace cairn::app {

void write_dimse_metrics(web::MetricsWriter& writer, const dimse::Stats& stats);

}  // namespace cairn::app
