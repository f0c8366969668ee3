#include "engine/dimse/commitment_journal.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/core/checksum.h"
#include "engine/core/log.h"
#include "engine/core/uid.h"

namespace cairn::dimse {
namespace {

constexpr std::uint64_t kRewriteBytes = 4u << 20;  // and twice what is pending
// Far above what is pending at most (some 70 MB), so that a file of another kind is not taken for one.
constexpr std::uint64_t kMaxFileBytes = 1u << 30;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
    if (plain) {
      out += c;
    } else {
      char code[4];
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += code;
    }
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string line_of(const std::string& fields) {
  char head[16];
  std::snprintf(head, sizeof head, "%08x ", crc32c(as_bytes(std::string_view(fields))));
  return head + fields + '\n';
}

std::string fields_of(const CommitmentRequest& r) {
  std::string out = "request " + std::to_string(r.id) + ' ' + std::to_string(r.received_s) + ' ' +
                    escaped(r.requester_ae) + ' ' + escaped(r.our_ae) + ' ' + r.transaction_uid;
  for (const auto& reference : r.references) {
    out.append(" ").append(reference.sop_class_uid).append(" ").append(reference.sop_instance_uid);
  }
  return out;
}

template <class T>
bool number(std::string_view text, T& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "journal of commitments");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return outcome::success();
}

Result<> sync_directory(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "folder of the journal of commitments");
  const bool synced = ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!synced) return fail_errno(error, "folder of the journal of commitments");
  return outcome::success();
}

}  // namespace

Result<std::unique_ptr<CommitmentJournal>> CommitmentJournal::open(std::filesystem::path file) {
  std::unique_ptr<CommitmentJournal> journal(new CommitmentJournal(std::move(file)));
  CAIRN_TRYV(journal->read());
  if (journal->damaged_ > 0) {
    std::error_code ec;
    std::filesystem::copy_file(journal->file_, journal->file_.string() + ".damaged",
                               std::filesystem::copy_options::overwrite_existing, ec);
    if (ec) return fail_errno(ec.value(), "copy of the damaged journal of commitments");
  }
  // A disk that is full now must not stop the server: then the first request finds out.
  if (const auto done = journal->rewrite(); !done) {
    log::warning("journal of commitments", {{"error", done.error()}});
  }
  return journal;
}

CommitmentJournal::~CommitmentJournal() {
  if (fd_ >= 0) ::close(fd_);
}

Result<> CommitmentJournal::read() {
  const int fd = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return outcome::success();
  if (fd < 0) return fail_errno(errno, "journal of commitments");
  std::string text;
  char chunk[64u << 10];
  for (;;) {
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    const int error = n < 0 ? errno : text.size() > kMaxFileBytes ? EFBIG : 0;
    if (error != 0) {
      ::close(fd);
      return fail_errno(error, "journal of commitments");
    }
    if (n == 0) break;
    text.append(chunk, static_cast<std::size_t>(n));
  }
  ::close(fd);
  std::uint64_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    take(std::string_view(text).substr(begin, end - begin), ++line);
    begin = end + 1;
  }
  return outcome::success();
}

void CommitmentJournal::take(std::string_view line, std::uint64_t at) {
  std::uint32_t crc = 0;
  const bool whole = line.size() > 9 && number(line.substr(0, 8), crc, 16) && line[8] == ' ' &&
                     crc == crc32c(as_bytes(line.substr(9)));
  const auto fields = whole ? split(line.substr(9)) : std::vector<std::string_view>();
  std::uint64_t id = 0;
  if (fields.size() < 2 || !number(fields[1], id)) {
    log::warning("a line of the journal of commitments is damaged", {{"line", at}});
    ++damaged_;
    return;
  }
  last_id_ = std::max(last_id_, id);
  if (fields[0] == "done") {
    pending_.erase(id);
    return;
  }
  CommitmentRequest request;
  request.id = id;
  if (fields[0] != "request" || fields.size() < 8 || fields.size() % 2 != 0 || !number(fields[2], request.received_s)) {
    log::warning("a line of the journal of commitments is not understood", {{"line", at}});
    ++damaged_;
    return;
  }
  request.requester_ae = unescaped(fields[3]);
  request.our_ae = unescaped(fields[4]);
  request.transaction_uid = fields[5];
  for (std::size_t i = 6; i < fields.size(); i += 2) {
    request.references.push_back({std::string(fields[i]), std::string(fields[i + 1])});
  }
  pending_[id] = std::move(request);
}

Result<> CommitmentJournal::rewrite() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  const std::filesystem::path anew = file_.string() + ".new";
  const int fd = ::open(anew.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return fail_errno(errno, "journal of commitments");
  std::string text;
  std::uint64_t references = 0;
  for (const auto& [id, request] : pending_) {
    text += line_of(fields_of(request));
    references += request.references.size();
  }
  const auto put = [&]() -> Result<> {
    CAIRN_TRYV(write_all(fd, text));
    if (::fsync(fd) != 0) return fail_errno(errno, "journal of commitments");
    if (::rename(anew.c_str(), file_.c_str()) != 0) return fail_errno(errno, "journal of commitments");
    return sync_directory(file_.parent_path());
  };
  if (const auto done = put(); !done) {
    ::close(fd);
    return done.error();
  }
  fd_ = fd;
  bytes_ = pending_bytes_ = text.size();
  references_ = references;
  return outcome::success();
}

Result<> CommitmentJournal::append(const std::string& fields) {
  if (fd_ < 0) {
    CAIRN_TRYV(rewrite());
  }
  const std::string line = line_of(fields);
  auto done = write_all(fd_, line);
  if (done && ::fdatasync(fd_) != 0) done = fail_errno(errno, "journal of commitments");
  if (!done) {
    ::close(std::exchange(fd_, -1));
    return done.error();
  }
  bytes_ += line.size();
  return outcome::success();
}

std::vector<CommitmentRequest> CommitmentJournal::pending() const {
  const std::lock_guard lock(mutex_);
  std::vector<CommitmentRequest> all;
  for (const auto& [id, request] : pending_) all.push_back(request);
  return all;
}

Result<> CommitmentJournal::add(CommitmentRequest& request) {
  const std::lock_guard lock(mutex_);
  const bool known = std::any_of(pending_.begin(), pending_.end(), [&](const auto& entry) {
    return entry.second.requester_ae == request.requester_ae && entry.second.transaction_uid == request.transaction_uid;
  });
  if (known) return fail(Errc::conflict, "Transaction UID");
  std::size_t of_one = 0, references_of_one = request.references.size();
  for (const auto& [id, other] : pending_) {
    if (other.requester_ae != request.requester_ae) continue;
    ++of_one;
    references_of_one += other.references.size();
  }
  if (pending_.size() >= kMaxCommitments || references_ + request.references.size() > kMaxPendingReferences ||
      of_one >= kMaxCommitmentsOfOne || references_of_one > kMaxReferencesOfOne) {
    return fail(Errc::limit_exceeded, "commitments pending");
  }
  request.id = last_id_ + 1;
  const std::string fields = fields_of(request);
  CAIRN_TRYV(append(fields));
  pending_bytes_ += fields.size();
  last_id_ = request.id;
  references_ += request.references.size();
  pending_[request.id] = request;
  return outcome::success();
}

void CommitmentJournal::done(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = pending_.find(id);
  if (at == pending_.end()) return;
  references_ -= at->second.references.size();
  pending_bytes_ -= std::min<std::uint64_t>(pending_bytes_, fields_of(at->second).size());
  pending_.erase(at);
  const bool grown = bytes_ > kRewriteBytes && bytes_ > 2 * pending_bytes_;
  const auto written = grown ? rewrite() : append("done " + std::to_string(id));
  if (!written) log::warning("journal of commitments", {{"error", written.error()}});
}

}  // namespace cairn::dimse
