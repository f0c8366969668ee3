#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <set>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/load/object.h"

namespace cairn::load {
namespace {

// What of a file goes over the wire, and under which names.
struct FileObject {
  std::string sop_class_uid, sop_instance_uid, transfer_syntax_uid;
  Bytes data_set;
};

std::string uid_value(Bytes value) {
  std::string s(as_text(value));
  while (!s.empty() && (s.back() == '\0' || s.back() == ' ')) s.pop_back();
  return s;
}

// The File Meta Information (PS3.10 §7.1) is explicit VR little endian; it ends where the group changes.
std::optional<FileObject> read_meta(Bytes file) {
  if (file.size() < 132 || as_text(file.subspan(128, 4)) != "DICM") return std::nullopt;
  FileObject o;
  std::size_t at = 132;
  while (file.size() - at >= 8 && load_le<std::uint16_t>(&file[at]) == 0x0002) {
    const auto element = load_le<std::uint16_t>(&file[at + 2]);
    const std::string_view vr = as_text(file.subspan(at + 4, 2));
    std::size_t head = 8;
    std::uint64_t length = load_le<std::uint16_t>(&file[at + 6]);
    if (vr == "OB" || vr == "OW" || vr == "UN" || vr == "UT" || vr == "SQ") {
      if (file.size() - at < 12) return std::nullopt;
      head = 12;
      length = load_le<std::uint32_t>(&file[at + 8]);
    }
    if (length > file.size() - at - head) return std::nullopt;
    const Bytes value = file.subspan(at + head, length);
    if (element == 0x0002) o.sop_class_uid = uid_value(value);
    if (element == 0x0003) o.sop_instance_uid = uid_value(value);
    if (element == 0x0010) o.transfer_syntax_uid = uid_value(value);
    at += head + length;
  }
  o.data_set = file.subspan(at);
  if (o.sop_class_uid.empty() || o.sop_instance_uid.empty() || o.transfer_syntax_uid.empty() || o.data_set.empty()) {
    return std::nullopt;
  }
  return o;
}

class FileCorpus final : public Corpus {
 public:
  ~FileCorpus() override {
    for (const auto& m : mappings_) ::munmap(m.data(), m.size());
  }

  Result<> add(const std::filesystem::path& path, std::uint64_t& skipped) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(errno, "open file");
    struct stat status{};
    if (::fstat(fd, &status) != 0 || status.st_size <= 0) {
      ::close(fd);
      ++skipped;
      return outcome::success();
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED) return fail_errno(errno, "map file");
    const MutableBytes bytes(static_cast<std::byte*>(memory), size);
    if (auto object = read_meta(bytes)) {
      objects_.push_back(*std::move(object));
      mappings_.push_back(bytes);
    } else {
      ::munmap(memory, size);
      ++skipped;
    }
    return outcome::success();
  }

  std::uint64_t size() const noexcept override { return objects_.size(); }

  void make(std::uint64_t, std::uint64_t index, Object& o) const override {
    const FileObject& f = objects_[index];
    o.sop_class_uid = f.sop_class_uid;
    o.sop_instance_uid = f.sop_instance_uid;
    o.transfer_syntax_uid = f.transfer_syntax_uid;
    o.study_instance_uid.clear();
    o.series_instance_uid.clear();
    o.header.clear();
    o.body.assign(1, f.data_set);
    o.body_bytes = f.data_set.size();
  }

  std::vector<std::pair<std::string, std::string>> contexts() const override {
    std::set<std::pair<std::string, std::string>> all;
    for (const auto& o : objects_) all.emplace(o.sop_class_uid, o.transfer_syntax_uid);
    return {all.begin(), all.end()};
  }

 private:
  std::vector<FileObject> objects_;
  std::vector<MutableBytes> mappings_;
};

}  // namespace

Result<std::unique_ptr<Corpus>> file_corpus(const std::vector<std::string>& paths, std::uint64_t& skipped) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  for (const auto& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.emplace_back(path);
      continue;
    }
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored)) files.push_back(it->path());
    }
    if (error) return Error{error, 0, "list folder"};
    std::sort(files.begin() + first, files.end());
  }
  auto corpus = std::make_unique<FileCorpus>();
  for (const auto& file : files) {
    CAIRN_TRYV(corpus->add(file, skipped));
  }
  if (corpus->size() == 0) return fail(Errc::not_found, "no Part 10 file");
  return std::unique_ptr<Corpus>(std::move(corpus));
}

}  // namespace cairn::load
