// The commands of `cairn`. Each returns the process's exit status: 0 only when all went well.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "engine/app/config.h"

namespace cairn::app {

/// Serves until SIGTERM or SIGINT, then drains: stops accepting, finishes what was committed, seals.
int serve(const Config& config);

struct ImportArguments {
  std::vector<std::filesystem::path> paths;
  std::optional<std::filesystem::path> journal;  ///< default: one below `data`, named by the paths
  std::size_t threads = 4;
};
int import_files(const Config& config, const ImportArguments& arguments);

/// Checks every stored byte against its checksums; one line per fault.
int verify(const Config& config);
/// Builds the index anew from the log. Refuses while a server holds the data.
int reindex(const Config& config);
/// Gives back the space of what nobody can ask for any more; with `survey_only`, tells how much that would be.
int compact(const Config& config, bool survey_only);
int stats(const Config& config, bool as_json);
/// Writes every key and value of the index as text, to compare two. Refuses while a server holds the data.
int dump_index(const Config& config);
/// Sends the built-in phantom study to the running server over C-STORE and prints where to look at it.
int demo(const Config& config);

}  // namespace cairn::app
