// Speaks to the server that holds a data directory, over its own HTTP interface. Blocking; one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::app {

/// Where a running server can be reached; it writes this to `data`/endpoint.json once it is ready.
struct Endpoint {
  std::string http_address;
  std::uint16_t http_port = 0;
  std::string dicom_address;
  std::uint16_t dicom_port = 0;
  std::string ae_title;

  std::string http_url() const;  ///< "http://127.0.0.1:8080"
  void write(const std::filesystem::path& data) const;  ///< throws std::runtime_error
  static std::optional<Endpoint> read(const std::filesystem::path& data);
  static void remove(const std::filesystem::path& data);
};

class ServerClient {
 public:
  struct Reply {
    long status = 0;
    std::string body;
  };
  explicit ServerClient(std::string base_url);
  ~ServerClient();

  Result<Reply> get(const std::string& path);
  /// POST with the file's bytes as application/dicom, streamed.
  Result<Reply> post_file(const std::string& path, const std::filesystem::path& file);
  /// POST without a body whose answer is lines; `line` is told of each as it arrives. Returns the status.
  Result<long> post_for_lines(const std::string& path, const std::function<void(std::string_view)>& line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::app
