// `cairn import`: takes files through the same ingest as the network, several at once so that flushes are shared.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "engine/app/import_files.h"

namespace cairn::app {

struct ImportOutcome {
  enum class Kind { taken, replaced, already_there, not_dicom, refused, stopped };
  Kind kind = Kind::taken;
  std::string why;          ///< for refused and stopped
  std::uint64_t bytes = 0;  ///< of the stored stream
};

/// Where files go: an archive opened by this process, or a server that holds it. One sink per thread.
class ImportSink {
 public:
  virtual ~ImportSink() = default;
  virtual ImportOutcome store(const std::filesystem::path& file) = 0;
};
using ImportSinkFactory = std::function<std::unique_ptr<ImportSink>()>;

struct ImportOptions {
  std::vector<std::filesystem::path> paths;
  std::filesystem::path journal;  ///< empty: none
  std::size_t threads = 4;
  bool show_progress = false;     ///< a bar on `progress`, redrawn in place
};

/// Returns the exit status: 0 when every file that should be DICOM is in the archive. Writes one line per fault and the
/// closing table to `out`. A stopped import leaves its journal, so that the same command goes on where it ended.
int run_import(const ImportOptions& options, const ImportSinkFactory& make_sink, std::ostream& out,
               std::ostream& progress);

}  // namespace cairn::app
