// An HTTP/1.1 client that costs next to nothing: one blocking socket, kept alive, one request at a time. For measuring.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/result.h"

namespace cairn::load {

class HttpClient {
 public:
  /// Errors: errno of the socket. `host` is an IPv4 address.
  static Result<HttpClient> connect(const std::string& host, std::uint16_t port);
  HttpClient(HttpClient&& other) noexcept;
  HttpClient& operator=(HttpClient&&) = delete;
  ~HttpClient();

  struct Response {
    unsigned status = 0;
    std::string_view head, body;  ///< valid until the next request; `body` only when it was asked for
    std::uint64_t body_bytes = 0;
    bool closed = false;                   ///< the next request needs another connection
    double first_byte_ms = 0, all_ms = 0;  ///< since the request was written
  };
  /// GET with an Accept header (empty: none); the body is kept or counted only. Errors: closed, timeout, malformed,
  /// errno of the socket.
  Result<Response> get(std::string_view target, std::string_view accept, bool keep_body = true);

 private:
  HttpClient(int fd, std::string host) : fd_(fd), host_(std::move(host)) {}
  Result<std::size_t> more();  ///< reads on behind what is in input_
  Result<std::size_t> find(std::string_view end, std::size_t from);
  Result<std::uint64_t> rest(bool keep);
  Result<> pass(std::uint64_t bytes, bool keep);  ///< takes bytes of the body from at_ on

  int fd_ = -1;
  std::string host_, input_, body_, head_;
  std::size_t at_ = 0;
};

/// Of a header field of `head`, its name in lower case; empty when it is absent.
std::string_view http_field(std::string_view head, std::string_view name);

}  // namespace cairn::load
