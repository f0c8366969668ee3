// The numbers of the volume service as metrics.
#pragma once

#include "engine/web/metrics.h"

namespace cairn::volumes {
class Service;
}

namespace cairn::web {
void write_volume_metrics(MetricsWriter& writer, const volumes::Service& service);
}  // namespace cairn::web
