// One request and its answer, whatever protocol carries them: the route and its limits, the handler, what every answer
// gets (cross-origin fields, gzip), its body chunk by chunk, and the account of it in metrics and log. A protocol
// (http1.h, http2_session.h) fills the request, sends what answer() has made, and says how it went.
//
// Belongs to one reactor. The site outlives it; the body of the request outlives answer().
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "engine/core/task.h"
#include "engine/web/message.h"
#include "engine/web/site.h"

namespace cairn::web {

/// The body of a request as its protocol receives it.
class RequestBody : public BodyStream {
 public:
  virtual bool is_done() const noexcept = 0;                                  ///< all of it has been read
  virtual std::optional<std::uint64_t> announced_bytes() const noexcept = 0;  ///< none: known at its end
  virtual void limit(std::uint64_t bytes) noexcept = 0;                       ///< before the first read
  virtual void expect_continue() noexcept = 0;  ///< the first read tells the peer to go on (RFC 9110 §10.1.1)
};

class Exchange {
 public:
  Exchange(Site& site, HttpVersion version)
      : site_(site), version_(version), began_(std::chrono::steady_clock::now()) {}

  Request request;
  Response response;

  /// Sets path and parameters from `target`; `hosts` is the number of Host fields. What is wrong with them is answered
  /// by answer().
  void read_target(std::string_view target, std::size_t hosts, bool host_may_lack);

  /// Lets the route answer. Never throws.
  asio::awaitable<void> answer(RequestBody& body);
  /// After answer(): pulls the first chunk of the response, so that a fault which shows at once becomes an error
  /// response. Never throws.
  asio::awaitable<void> begin();
  /// In place of both: what could not be read is answered so.
  void refuse(unsigned status, const Error& fault);

  /// The chunks of response.source, from the first; empty at the end. Errors, logged: of the source, or its length is
  /// not as announced. The protocol must then cut the answer, so that the peer never takes it for whole.
  Task<Chunk> next();

  /// Once, when no more will be sent; nothing if there was no answer.
  void account(std::uint64_t body_bytes, bool whole);

 private:
  asio::awaitable<Response> route(RequestBody& body);
  asio::awaitable<Result<Chunk>> pull();

  Site& site_;
  HttpVersion version_;
  std::chrono::steady_clock::time_point began_;
  std::string route_ = "none";
  std::optional<Error> fault_;  // of the target
  std::optional<Chunk> first_;
  std::uint64_t given_ = 0;  // bytes of the response
  unsigned status_ = 0;
  std::optional<Error> answered_fault_;
};

}  // namespace cairn::web
