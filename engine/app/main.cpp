#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "engine/app/commands.h"
#include "engine/app/conformance.h"
#include "engine/app/standard_streams.h"
#include "engine/sandbox/zygote.h"

namespace {

using cairn::app::Config;

/// What may be said on the command line; it wins over the configuration file.
struct CommonArguments {
  std::string config_file;
  std::string data;
  std::optional<std::uint16_t> dicom_port, http_port;

  void add_to(CLI::App& command) {
    command.add_option("--config", config_file, "configuration file (TOML)")->envname("CAIRN_CONFIG");
    command.add_option("--data", data, "data directory");
  }
  Config read() const {
    Config config = config_file.empty() ? Config{} : cairn::app::read_config(config_file);
    if (!data.empty()) config.archive.data = data;
    if (dicom_port) config.dicom.port = *dicom_port;
    if (http_port) config.http.port = *http_port;
    cairn::log::set_level(config.archive.log_level);
    return config;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (const auto status = cairn::sandbox::run_if_zygote(argc, argv)) return *status;
  cairn::app::open_standard_streams();
  CLI::App cairn("Cairn: a DICOM archive and reconstruction server");
  cairn.require_subcommand(1);
  cairn.set_version_flag("--version", CAIRN_VERSION);
  CommonArguments common;

  auto* serve = cairn.add_subcommand("serve", "serve DICOM and HTTP until SIGTERM");
  common.add_to(*serve);
  serve->add_option("--dicom-port", common.dicom_port, "DICOM port; 0 takes a free one");
  serve->add_option("--http-port", common.http_port, "HTTP port; 0 takes a free one");

  auto* import = cairn.add_subcommand("import", "take files, folders and DICOMDIR media into the archive");
  common.add_to(*import);
  cairn::app::ImportArguments import_arguments;
  import->add_option("PATH", import_arguments.paths, "files, folders, DICOMDIRs")->required();
  import->add_option("--journal", import_arguments.journal, "remembers what is done, for resuming");
  import->add_option("--threads", import_arguments.threads, "files taken at once")->check(CLI::Range(1, 64));

  auto* verify = cairn.add_subcommand("verify", "check every stored byte against its checksums");
  common.add_to(*verify);
  auto* compact = cairn.add_subcommand("compact", "give back the space of what nobody can ask for any more");
  common.add_to(*compact);
  bool survey_only = false;
  compact->add_flag("--survey", survey_only, "only tell how much that would be");
  auto* reindex = cairn.add_subcommand("reindex", "build the index anew from the log");
  common.add_to(*reindex);
  auto* dump = cairn.add_subcommand("dump-index", "print every key of the index, to compare two");
  common.add_to(*dump);
  auto* stats = cairn.add_subcommand("stats", "what the archive holds and how it is doing");
  common.add_to(*stats);
  bool as_json = false;
  stats->add_flag("--json", as_json, "as JSON");
  auto* conformance = cairn.add_subcommand("conformance", "print the DICOM conformance statement, as configured");
  common.add_to(*conformance);
  auto* demo = cairn.add_subcommand("demo", "send a phantom CT study to the running server and print links to it");
  common.add_to(*demo);

  CLI11_PARSE(cairn, argc, argv);
  try {
    const Config config = common.read();
    if (*serve) return cairn::app::serve(config);
    if (*import) return cairn::app::import_files(config, import_arguments);
    if (*verify) return cairn::app::verify(config);
    if (*compact) return cairn::app::compact(config, survey_only);
    if (*reindex) return cairn::app::reindex(config);
    if (*dump) return cairn::app::dump_index(config);
    if (*stats) return cairn::app::stats(config, as_json);
    if (*conformance) return std::cout << cairn::app::conformance_statement(config, {}), 0;
    if (*demo) return cairn::app::demo(config);
  } catch (const std::exception& e) {
    std::cerr << "cairn: " << e.what() << '\n';
  }
  return 1;
}
