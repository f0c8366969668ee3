// The request and response that routes see, free of any HTTP version: HTTP/1.1 (connection.h) fills and sends them
// today, another framing can later stand behind the same routes. (RFC 9110.)
//
// A Request is owned by its connection and lives until the response has been sent; its body is pulled. A Response's
// body is bytes, or a source that is pulled chunk by chunk as fast as the peer takes it. All of it belongs to one
// reactor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/task.h"

namespace cairn::web {

/// Header fields in order of arrival; names compare without case.
class Headers {
 public:
  void add(std::string_view name, std::string_view value) { fields_.emplace_back(name, value); }
  void set(std::string_view name, std::string_view value);
  /// The value of the first field of that name; empty when absent.
  std::string_view get(std::string_view name) const noexcept;
  bool contains(std::string_view name) const noexcept;
  /// All values of that name, joined by ", " (RFC 9110 §5.3).
  std::string joined(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// True when both are the same but for the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// The body of a request. Never longer than the limit of its route.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  /// Fills the front of `into` (not empty) and returns how much; 0 at the end. Errors: limit_exceeded (past the route's
  /// limit), timeout (the sender is too slow), truncated (the sender left), malformed (chunked coding).
  virtual Task<std::size_t> read(MutableBytes into) = 0;
};

struct Request {
  std::string method;                                           ///< upper case
  std::vector<std::string> segments;                            ///< of the path, percent-decoded
  std::vector<std::pair<std::string, std::string>> parameters;  ///< of the query, decoded, in order
  Headers headers;
  std::string peer_address;
  bool peer_is_loopback = false;
  bool is_secure = false;                                          ///< over TLS
  bool origin_is_allowed = false;                                  ///< a page of a site that the configuration lets in
  std::vector<std::pair<std::string_view, std::string>> captures;  ///< of the route's template
  BodyStream* body = nullptr;                                      ///< never null in a handler

  /// What the template captured under `name`; empty when it has no such part.
  const std::string& captured(std::string_view name) const noexcept;
  /// The first parameter of that name (exact case), or nullptr.
  const std::string* parameter(std::string_view name) const noexcept;
};

/// A run of bytes and what keeps it alive (nothing for static text).
struct Piece {
  Bytes bytes;
  std::shared_ptr<const void> keep;
};
using Chunk = std::vector<Piece>;

Piece piece_of(std::string text);  ///< owns `text`

/// A body made while it is sent.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next bytes; an empty chunk at the end. After an error the connection is cut, so that a peer never takes a
  /// part for the whole; an error of the first call becomes an error response.
  virtual Task<Chunk> next() = 0;
};

struct Response {
  unsigned status = 200;
  Headers headers;
  std::string body;  ///< when `source` is null
  std::unique_ptr<BodySource> source;
  std::optional<std::uint64_t> length;  ///< of what `source` gives, where it is known
  std::optional<Error> fault;           ///< why it is no success; for the log

  static Response text(unsigned status, std::string_view content_type, std::string body);
};

}  // namespace cairn::web
