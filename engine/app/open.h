// Opens what a command works on: the archive itself, or the server that holds it.
#pragma once

#include <memory>
#include <optional>

#include "engine/app/config.h"
#include "engine/app/server_client.h"
#include "engine/archive/archive.h"

namespace cairn::app {

archive::Options archive_options(const Config& config);

/// Either the archive, opened by this process, or the server that holds the data directory.
struct Opened {
  std::unique_ptr<archive::Archive> archive;
  std::optional<Endpoint> server;
};

/// Throws std::runtime_error with a sentence for the user.
Opened open_archive_or_server(const Config& config, io::WorkerPool& pool);
/// As above, but a server that holds the data is an error.
std::unique_ptr<archive::Archive> open_archive_alone(const archive::Options& options, io::WorkerPool& pool);

}  // namespace cairn::app
