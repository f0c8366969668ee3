// Which files an import takes: folders are walked in a stable order, DICOMDIRs (PS3.10 §8, PS3.3 Annex F) tell which
// files their medium must have.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/core/result.h"

namespace cairn::app {

struct ImportFile {
  std::filesystem::path path;
  bool named = false;  ///< given on the command line or by a DICOMDIR: it must be DICOM
};

struct ImportList {
  std::vector<ImportFile> files;               ///< each once, in path order per argument
  std::vector<std::filesystem::path> missing;  ///< arguments and DICOMDIR references that are not there
};

/// Expands files, folders and DICOMDIRs. Hidden files and symbolic links to folders are followed like any other; a
/// folder is visited once.
ImportList list_import_files(const std::vector<std::filesystem::path>& arguments);

/// The files that a DICOMDIR refers to, as paths below its folder. References are matched without regard to case, since
/// media mounted elsewhere often have lower-case names.
Result<std::vector<std::filesystem::path>> dicomdir_references(const std::filesystem::path& dicomdir);

/// Remembers which files have been dealt with, so that an interrupted import goes on where it stopped. A line per file:
/// size, modification time, path. Not flushed: at worst a file is sent again and found to be there already.
class ImportJournal {
 public:
  /// An empty path keeps no journal.
  explicit ImportJournal(std::filesystem::path file);
  bool has(const std::filesystem::path& path) const;
  void add(const std::filesystem::path& path);
  void remove();  ///< the import is complete
  std::size_t size() const { return known_.size(); }

 private:
  static std::string line_of(const std::filesystem::path& path);
  std::filesystem::path file_;
  std::vector<std::string> known_;  ///< sorted
};

}  // namespace cairn::app
