// An HTTP/2 client of raw frames over a blocking socket: it sends what it is told, right or wrong, and reads all that
// comes. Windows are the test's business: none is opened unasked.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tests/unit/web/test_client.h"

namespace cairn::web::testing {

struct Http2Frame {
  int type = -1;  ///< as in RFC 9113 §6; -1: the connection ended
  int flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
};

class Http2Client {
 public:
  static constexpr int kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPing = 6, kGoaway = 7,
                       kWindow = 8, kContinuation = 9;
  static constexpr int kEndStream = 1, kAck = 1, kEndHeaders = 4;

  /// Sends preface and SETTINGS (`settings`: their payload).
  explicit Http2Client(std::uint16_t port, std::string_view settings = {});
  ~Http2Client();

  bool send(int type, int flags, std::uint32_t stream, std::string_view payload);
  bool send_raw(std::string_view bytes) { return socket_.send(bytes); }
  static std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload);
  std::string coded(const TestClient::Fields& fields);  ///< a header block; call in the order of sending
  /// HEADERS of a request; returns its stream.
  std::uint32_t begin(std::string_view method, std::string_view path, TestClient::Fields fields = {}, bool ends = true);
  bool open_window(std::uint32_t stream, std::uint32_t bytes);
  static std::string number(std::uint32_t value);
  static std::string setting(std::uint16_t id, std::uint32_t value);

  Http2Frame read();  ///< the next frame; SETTINGS and PING are acknowledged
  /// Reads on until the stream has ended, with its window and the connection's opened as bytes come.
  Reply receive(std::uint32_t stream);
  Reply get(std::string_view path, TestClient::Fields fields = {});
  /// Reads on until GOAWAY comes; its error code. Nothing: the connection ended without.
  std::optional<std::uint32_t> goaway();
  /// Reads on until the stream is reset; its error code. Nothing: the connection ended.
  std::optional<std::uint32_t> reset_of(std::uint32_t stream);
  bool ends() { return read_all(); }  ///< the connection does, whatever comes before

  std::map<std::uint32_t, Reply> replies;  ///< so far
  std::map<std::uint32_t, std::uint32_t> resets;
  std::map<std::uint16_t, std::uint32_t> settings;  ///< the server's
  std::uint64_t body_bytes = 0;                     ///< of all DATA frames
  bool opens_windows = false;

 private:
  bool read_all();
  struct Coding;
  TestClient socket_;
  std::string buffer_;
  std::unique_ptr<Coding> coding_;
  std::uint32_t next_stream_ = 1;
};

}  // namespace cairn::web::testing
