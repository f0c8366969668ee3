#include "engine/app/import_files.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <system_error>

#include "engine/dicom/data_set.h"
#include "engine/dicom/part10.h"
#include "engine/dicom/tags.h"

namespace cairn::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLongestDicomdirBytes = 256u << 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// `folder`/`name`, else the entry of `folder` whose name differs in case only or has ";1" or a trailing dot appended
/// (ISO 9660 level 1), else an empty path.
fs::path find_entry(const fs::path& folder, const std::string& name) {
  std::error_code error;
  if (fs::exists(folder / name, error)) return folder / name;
  const std::string wanted = lower(name);
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::string found = lower(entry.path().filename().string());
    if (const auto version = found.find(';'); version != std::string::npos) found.resize(version);
    while (!found.empty() && found.back() == '.') found.pop_back();
    if (found == wanted) return entry.path();
  }
  return {};
}

void add_folder(const fs::path& folder, std::set<fs::path>& seen_folders, std::vector<fs::path>& files) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  if (error || !seen_folders.insert(real).second) return;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    if (fs::is_directory(entry, error)) {
      add_folder(entry, seen_folders, files);
    } else if (fs::is_regular_file(entry, error)) {
      files.push_back(entry);
    }
  }
}

bool is_dicomdir_name(const fs::path& path) { return lower(path.filename().string()).starts_with("dicomdir"); }

}  // namespace

Result<std::vector<fs::path>> dicomdir_references(const fs::path& dicomdir) {
  std::error_code error;
  const auto size = fs::file_size(dicomdir, error);
  if (error) return fail(Errc::io, "DICOMDIR");
  if (size > kLongestDicomdirBytes) return fail(Errc::limit_exceeded, "DICOMDIR");
  std::ifstream in(dicomdir, std::ios::binary);
  std::string bytes(size, '\0');
  if (!in.read(bytes.data(), static_cast<std::streamsize>(size))) return fail(Errc::io, "DICOMDIR");
  CAIRN_TRY(const auto prefix, dicom::read_prefix(as_bytes(bytes)));
  if (!prefix.is_dicomdir) return fail(Errc::unsupported, "DICOMDIR");
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(as_bytes(bytes).subspan(prefix.data_set_offset),
                                                       dicom::encoding_of(prefix.transfer_syntax_uid)));
  std::vector<fs::path> references;
  const auto* records = data_set.find(dicom::tags::DirectoryRecordSequence);
  if (!records) return references;
  for (const auto& record : records->items) {
    fs::path path;
    for (std::size_t i = 0;; ++i) {
      const std::string component = record.text(dicom::tags::ReferencedFileID, i);
      if (component.empty() || component == ".." || component.find('/') != std::string::npos) break;
      path /= component;
    }
    if (!path.empty()) references.push_back(path);
  }
  return references;
}

ImportList list_import_files(const std::vector<fs::path>& arguments) {
  ImportList list;
  std::set<fs::path> seen_folders;
  std::set<fs::path> seen_files;
  const auto add = [&](const fs::path& path, bool named) {
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (!error && seen_files.insert(real).second) list.files.push_back({path, named});
  };
  const auto add_references = [&](const fs::path& dicomdir) {
    const auto references = dicomdir_references(dicomdir);
    if (!references) return false;
    for (const fs::path& reference : references.value()) {
      fs::path found = dicomdir.parent_path();
      for (const auto& component : reference) {
        found = find_entry(found, component.string());
        if (found.empty()) break;
      }
      if (found.empty()) {
        list.missing.push_back(dicomdir.parent_path() / reference);
      } else {
        add(found, true);
      }
    }
    return true;
  };
  for (const fs::path& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      std::vector<fs::path> files;
      add_folder(argument, seen_folders, files);
      for (const fs::path& file : files) {
        if (is_dicomdir_name(file)) add_references(file);
      }
      for (const fs::path& file : files) add(file, false);
    } else if (fs::exists(argument, error)) {
      if (!is_dicomdir_name(argument) || !add_references(argument)) add(argument, true);
    } else {
      list.missing.push_back(argument);
    }
  }
  std::sort(list.missing.begin(), list.missing.end());
  list.missing.erase(std::unique(list.missing.begin(), list.missing.end()), list.missing.end());
  return list;
}

ImportJournal::ImportJournal(fs::path file) : file_(std::move(file)) {
  if (file_.empty()) return;
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) known_.push_back(line);
  std::sort(known_.begin(), known_.end());
}

bool ImportJournal::has(const fs::path& path) const {
  return std::binary_search(known_.begin(), known_.end(), line_of(path));
}

void ImportJournal::add(const fs::path& path) {
  if (file_.empty()) return;
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  std::ofstream(file_, std::ios::app) << line_of(path) << '\n';
}

void ImportJournal::remove() {
  std::error_code error;
  if (!file_.empty()) fs::remove(file_, error);
}

std::string ImportJournal::line_of(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  const auto size = fs::file_size(path, error);
  const auto time = fs::last_write_time(path, error).time_since_epoch().count();
  return std::to_string(size) + ' ' + std::to_string(time) + ' ' + real.string();
}

}  // namespace cairn::app
