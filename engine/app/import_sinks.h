// The two places to which `cairn import` sends files.
#pragma once

#include "engine/app/import.h"
#include "engine/app/server_client.h"
#include "engine/archive/archive.h"

namespace cairn::app {

/// Into an archive that this process has opened; it outlives the sinks.
ImportSinkFactory archive_sinks(archive::Archive& archive);
/// To a server, by POST /api/v1/instances.
ImportSinkFactory server_sinks(const Endpoint& server);

}  // namespace cairn::app
