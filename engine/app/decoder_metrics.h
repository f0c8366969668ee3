// The numbers of the decoder processes as metrics. Here, because web and sandbox know nothing of each other.
#pragma once

#include "engine/sandbox/decoder_processes.h"
#include "engine/web/metrics.h"

namespace cairn::app {

void write_decoder_metrics(web::MetricsWriter& writer, const sandbox::Stats& stats);

}  // namespace cairn::app
