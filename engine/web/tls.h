// Certificate and key of the HTTPS listener (TLS 1.2 and 1.3, RFC 8446), taken anew when their files change: a renewed
// certificate serves the next connection, a broken one is logged and the last good one goes on.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>

#include "engine/core/result.h"

namespace boost::asio::ssl {
class context;
}

namespace cairn::web {

class TlsCredentials {
 public:
  /// `certificate`: a PEM chain, the server's own first; `key`: its PEM key, not encrypted. Errors: malformed (neither
  /// can be read as that), mismatch (they do not belong together).
  static Result<std::unique_ptr<TlsCredentials>> load(std::filesystem::path certificate, std::filesystem::path key);

  /// The context for the next connection. Looks at the files at most once a second. Thread-safe.
  std::shared_ptr<boost::asio::ssl::context> current();

 private:
  using Times = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;
  TlsCredentials(std::filesystem::path certificate, std::filesystem::path key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Result<std::shared_ptr<boost::asio::ssl::context>> read() const;
  Times times() const;

  const std::filesystem::path certificate_, key_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<boost::asio::ssl::context> context_;
  Times times_, refused_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace cairn::web
