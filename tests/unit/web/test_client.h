// A blocking HTTP/1.1 client over a raw loopback socket: sends what it is told, byte for byte, and reads strictly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/web/message.h"

namespace cairn::web::testing {

struct Reply {
  int status = 0;  ///< 0: the connection ended before a header
  Headers headers;
  std::string body;
  bool whole = false;  ///< the body ended as its header said
};

class TestClient {
 public:
  explicit TestClient(std::uint16_t port);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  using Fields = std::vector<std::pair<std::string, std::string>>;
  bool send(std::string_view bytes);
  Reply receive(bool head = false);
  Reply get(std::string_view target, const Fields& fields = {});
  Reply request(std::string_view method, std::string_view target, const Fields& fields, std::string_view body);
  bool closed_by_peer(int within_ms = 5000);  ///< nothing more comes but the end
  std::string read_some(std::size_t most);

 private:
  bool fill();
  int socket_ = -1;
  std::string buffer_;
};

/// One request on a connection of its own.
Reply get(std::uint16_t port, std::string_view target, const TestClient::Fields& fields = {});

}  // namespace cairn::web::testing
