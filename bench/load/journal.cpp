#include "bench/load/journal.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

namespace cairn::load {
namespace {

std::string sha256(const Object& object) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  EVP_DigestUpdate(context.get(), object.header.data(), object.header.size());
  for (const Bytes part : object.body) EVP_DigestUpdate(context.get(), part.data(), part.size());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest, &length);
  std::string hex;
  char two[3];
  for (unsigned i = 0; i < length; ++i) {
    std::snprintf(two, sizeof two, "%02x", digest[i]);
    hex += two;
  }
  return hex;
}

const std::string& or_dash(const std::string& text) {
  static const std::string dash = "-";
  return text.empty() ? dash : text;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno(errno, "open journal");
  return std::unique_ptr<Journal>(new Journal(fd));
}

Journal::~Journal() {
  ::close(fd_);
}

Result<> Journal::sending(const Object& o) {
  return line("S " + o.sop_instance_uid + ' ' + or_dash(o.study_instance_uid) + ' ' + or_dash(o.series_instance_uid) +
              ' ' + o.transfer_syntax_uid + ' ' + std::to_string(o.size_bytes()) + ' ' + sha256(o) + '\n');
}

Result<> Journal::answered(const std::string& sop_instance_uid, std::uint16_t status) {
  char hex[8];
  std::snprintf(hex, sizeof hex, "%04X", status);
  return line("A " + sop_instance_uid + ' ' + hex + '\n');
}

Result<> Journal::line(const std::string& text) {
  const ssize_t n = ::write(fd_, text.data(), text.size());  // one write: O_APPEND keeps lines whole between threads
  if (n != static_cast<ssize_t>(text.size())) return fail_errno(n < 0 ? errno : EIO, "write journal");
  return outcome::success();
}

}  // namespace cairn::load
