#include "engine/web/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "engine/core/log.h"
#include "engine/core/uid.h"
#include "engine/web/error_response.h"
#include "engine/web/gzip.h"
#include "engine/web/pace.h"
#include "engine/web/response_head.h"
#include "engine/web/uri.h"
#include "engine/web/wire.h"

namespace cairn::web {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::buffer_body>;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

/// What may be left of a body unread for the connection to go on after the answer.
constexpr std::uint64_t kLongestDiscard = 256u << 10;
constexpr std::chrono::seconds kLinger{2};

/// False for what the system reports: the peer is gone.
bool is_http_error(const beast::error_code& error) {
  return error.category() == http::make_error_code(http::error::end_of_stream).category();
}

/// UIDs of the path: the only part of a request target that is logged as the peer wrote it.
std::string uids_of(const Request& request) {
  std::string uids;
  for (const auto& [name, value] : request.captures) {
    if (!is_usable_uid(value)) continue;
    if (!uids.empty()) uids += '/';
    uids += value;
  }
  return uids;
}

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls, std::shared_ptr<Site> site, bool refuse)
      : wire_(std::move(socket), std::move(tls)),
        socket_(wire_.socket()),
        timer_(socket_.get_executor()),
        site_(std::move(site)),
        refuse_(refuse) {
    boost::system::error_code error;
    const auto endpoint = socket_.remote_endpoint(error);
    if (error) return;
    auto address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    peer_address_ = address.to_string();
    peer_is_loopback_ = address.is_loopback();
  }

  asio::awaitable<void> run() override {
    const auto self = shared_from_this();
    if (wire_.secure() && !co_await shake_hands()) {
      boost::system::error_code ignored;
      socket_.close(ignored);
      co_return;
    }
    if (refuse_) {
      Response busy = error_response(503, fail(Errc::limit_exceeded, "connections"));
      co_await send(std::move(busy), {});
    } else {
      while (co_await serve_one()) {
      }
    }
    co_await linger();
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  void drain() override {
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      boost::system::error_code ignored;
      if (self->idle_) self->socket_.cancel(ignored);
    });
  }
  void close() override {
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      self->closed_ = true;
      boost::system::error_code ignored;
      self->socket_.close(ignored);
    });
  }

 private:
  /// The body of the request that `parser` is reading.
  class Body final : public BodyStream {
   public:
    Body(HttpConnection& connection, Parser& parser)
        : connection_(connection), parser_(parser), pace_(connection.site_->limits) {}

    void limit(std::uint64_t bytes) noexcept { limit_ = bytes; }
    void expect_continue() noexcept { continue_owed_ = true; }
    bool continue_owed() const noexcept { return continue_owed_; }
    bool failed() const noexcept { return failed_; }

    Task<std::size_t> read(MutableBytes into) override {
      if (failed_) co_return fail(Errc::closed, "request body");
      if (parser_.is_done()) co_return std::size_t{0};
      if (std::exchange(continue_owed_, false)) {
        const std::string text = "HTTP/1.1 100 Continue\r\n\r\n";
        std::vector<asio::const_buffer> buffers{asio::buffer(text)};
        if (!co_await connection_.write(std::move(buffers), pace_)) co_return broken(Errc::closed);
      }
      auto& body = parser_.get().body();
      while (!parser_.is_done()) {
        body.data = into.data();
        body.size = into.size();
        connection_.allow(pace_.next());
        const auto began = Clock::now();
        auto outcome = co_await http::async_read_some(connection_.wire_, connection_.buffer_, parser_, kToken);
        const auto error = std::get<0>(outcome);
        const std::size_t got = into.size() - body.size;
        pace_.step(began, got);
        received_ += got;
        if (error && connection_.timed_out_) co_return broken(Errc::timeout);
        if (error && error != http::error::need_buffer) {
          const bool cut = error == http::error::partial_message || !is_http_error(error);
          co_return broken(cut ? Errc::truncated : Errc::malformed);
        }
        if (received_ > limit_) co_return broken(Errc::limit_exceeded);
        if (got > 0) co_return got;
      }
      co_return std::size_t{0};
    }

   private:
    Error broken(Errc code) noexcept {
      failed_ = true;
      return fail(code, "request body", received_);
    }

    HttpConnection& connection_;
    Parser& parser_;
    Pace pace_;
    std::uint64_t limit_ = 0;
    std::uint64_t received_ = 0;
    bool continue_owed_ = false;
    bool failed_ = false;
  };

  /// Gives the next operation of the socket this long; then it ends as cancelled, and timed_out_ says why. The
  /// connection stays open, so that the peer can be told.
  void allow(std::chrono::milliseconds patience) {
    timed_out_ = false;
    const std::uint64_t wait = ++waits_;
    timer_.expires_after(patience);
    timer_.async_wait([weak = weak_from_this(), wait](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->waits_ != wait) return;
      self->timed_out_ = true;
      boost::system::error_code ignored;
      self->socket_.cancel(ignored);
    });
  }

  asio::awaitable<bool> shake_hands() {
    allow(site_->limits.header_timeout);
    auto outcome = co_await wire_.async_handshake(kToken);
    co_return !std::get<0>(outcome);
  }

  /// Waits for the first byte of a request and reads its header. False: there is none, the connection ends.
  asio::awaitable<bool> read_header(Parser& parser) {
    const HttpLimits& limits = site_->limits;
    if (buffer_.size() == 0) {
      idle_ = true;
      allow(served_ == 0 ? limits.header_timeout : limits.idle_timeout);
      auto outcome = co_await wire_.async_read_some(buffer_.prepare(8192), kToken);
      idle_ = false;
      if (std::get<0>(outcome)) co_return false;
      buffer_.commit(std::get<1>(outcome));
    }
    parser.header_limit(limits.header_bytes);
    parser.body_limit(boost::none);
    allow(limits.header_timeout);
    auto outcome = co_await http::async_read_header(wire_, buffer_, parser, kToken);
    const auto error = std::get<0>(outcome);
    if (!error) co_return true;
    unsigned status = 0;
    Error fault = fail(Errc::malformed, "request header");
    if (timed_out_) {
      status = 408;
      fault = fail(Errc::timeout, "request header");
    } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      status = 431;
      fault = fail(Errc::limit_exceeded, "request header");
    } else if (error == http::error::bad_version) {
      status = 505;
    } else if (error != http::error::end_of_stream && error != http::error::partial_message && is_http_error(error)) {
      status = 400;
    }
    if (status == 0) co_return false;
    Request unread;
    const auto began = Clock::now();
    Response answer = error_response(status, fault);
    const bool sent = co_await send(std::move(answer), {});
    account("unreadable", unread, status, fault, began, sent ? 0 : 1);
    unread_ = true;
    co_return false;
  }

  /// True when the connection can serve another request.
  asio::awaitable<bool> serve_one() {
    if (site_->draining.load(std::memory_order_relaxed) || closed_) co_return false;
    Parser parser;
    if (!co_await read_header(parser)) co_return false;
    ++served_;
    const auto began = Clock::now();
    sent_body_bytes_ = 0;
    Body body(*this, parser);
    Request request;
    request.body = &body;
    std::string route = "none";
    Response response = co_await answer(parser, body, request, route);
    const bool preflight = request.method == "OPTIONS" && response.status == 204;
    const std::string methods(preflight ? response.headers.get("Allow") : std::string_view());
    add_cross_origin(site_->cross_origin, request, response, methods);
    if (site_->pool != nullptr) apply_gzip(request, response, *site_->pool);
    co_await begin_source(response);
    Framing framing;
    framing.head = request.method == "HEAD";
    framing.http_1_0 = parser.get().version() < 11;
    const bool rest_is_short =
        parser.is_done() || (!body.continue_owed() && !body.failed() && !parser.chunked() &&
                             parser.content_length_remaining().value_or(kLongestDiscard + 1) <= kLongestDiscard);
    framing.keep_alive = parser.keep_alive() && rest_is_short && !site_->draining.load(std::memory_order_relaxed);
    if (ends_with_connection(response, framing)) framing.keep_alive = false;
    const unsigned status = response.status;
    const std::optional<Error> fault = response.fault;
    const bool whole = co_await send(std::move(response), framing);
    account(route, request, status, fault, began, whole ? 0 : 1);
    if (!parser.is_done() && framing.keep_alive && whole) {
      body.limit(UINT64_MAX);
      std::vector<std::byte> discard(16u << 10);
      while (true) {
        const auto got = co_await body.read(discard);
        if (!got || got.value() == 0) break;
      }
    }
    unread_ = !parser.is_done();
    co_return whole&& framing.keep_alive&& parser.is_done() && !closed_;
  }

  /// Finds the route of what has been read and lets it answer.
  asio::awaitable<Response> answer(Parser& parser, Body& body, Request& request, std::string& route_name) {
    if (const auto fault = fill(parser, request)) co_return error_response(*fault);
    const auto found = site_->router.find(request.method, request.segments);
    if (found.route == nullptr) co_return no_route(request, found);
    const Route& route = *found.route;
    route_name = route.path;
    request.captures = found.captures;

    const std::string_view expectation = request.headers.get("Expect");
    if (!expectation.empty()) {
      if (!equal_ignoring_case(expectation, "100-continue"))
        co_return error_response(417, fail(Errc::unsupported, "Expect"));
      if (!parser.is_done()) body.expect_continue();
    }
    body.limit(route.limits.body_bytes);
    if (parser.content_length().value_or(0) > route.limits.body_bytes ||
        (parser.chunked() && route.limits.body_bytes == 0)) {
      co_return error_response(413, fail(Errc::limit_exceeded, "request body"));
    }
    if (!route.limits.light && site_->pool != nullptr &&
        site_->pool->queued(io::WorkClass::interactive) > site_->limits.queued_work) {
      co_return error_response(503, fail(Errc::limit_exceeded, "work queue"));
    }
    try {
      auto result = co_await route.handler(request);
      if (result) co_return std::move(result).value();
      co_return error_response(result.error());
    } catch (const boost::system::system_error& e) {
      // A cancelled wait: the connection is being closed under the handler.
      if (e.code() != asio::error::operation_aborted)
        log::error("http handler failed", {{"route", route.path}, {"reason", e.what()}});
    } catch (const std::exception& e) {
      log::error("http handler failed", {{"route", route.path}, {"reason", e.what()}});
    }
    co_return error_response(fail(Errc::internal, "handler"));
  }

  std::optional<Error> fill(Parser& parser, Request& request) {
    const auto& message = parser.get();
    request.method.assign(message.method_string().data(), message.method_string().size());
    request.peer_address = peer_address_;
    request.peer_is_loopback = peer_is_loopback_;
    request.is_secure = wire_.secure();
    std::size_t hosts = 0;
    for (const auto& field : message) {
      const std::string_view name(field.name_string().data(), field.name_string().size());
      if (equal_ignoring_case(name, "Host")) ++hosts;
      request.headers.add(name, std::string_view(field.value().data(), field.value().size()));
    }
    request.origin_is_allowed = allows_origin(site_->cross_origin, request.headers.get("Origin"));
    if (hosts > 1 || (hosts == 0 && message.version() >= 11)) return fail(Errc::malformed, "Host");
    const std::string_view coding = request.headers.get("Transfer-Encoding");
    if (!coding.empty() && !equal_ignoring_case(coding, "chunked")) return fail(Errc::unsupported, "Transfer-Encoding");
    auto target = parse_target(std::string_view(message.target().data(), message.target().size()));
    if (!target) return target.error();
    request.segments = std::move(target.value().segments);
    request.parameters = std::move(target.value().parameters);
    return std::nullopt;
  }

  static Response no_route(const Request& request, const Router::Found& found) {
    if (found.allowed.empty()) return error_response(fail(Errc::not_found, "resource"));
    std::string allow = "OPTIONS";
    for (const std::string_view method : found.allowed) {
      if (allow.find(method) == std::string::npos) allow.append(", ").append(method);
    }
    Response response;
    if (request.method == "OPTIONS") {
      response.status = 204;
    } else {
      response = error_response(405, fail(Errc::unsupported, "method"));
    }
    response.headers.add("Allow", allow);
    return response;
  }

  /// Pulls the first chunk, so that a fault that shows at once becomes an error response.
  asio::awaitable<void> begin_source(Response& response) {
    first_.clear();
    if (!response.source) co_return;
    std::optional<Error> fault;
    try {
      auto chunk = co_await response.source->next();
      if (chunk) {
        first_ = std::move(chunk).value();
      } else {
        fault = chunk.error();
      }
    } catch (const std::exception&) {
      fault = fail(Errc::cancelled, "response body");
    }
    if (fault) response = error_response(*fault);
  }

  /// Sends an answer whose first chunk begin_source() has pulled. False: the connection is of no more use.
  asio::awaitable<bool> send(Response response, Framing framing) {
    const bool bodiless = is_bodiless(response);
    const bool chunked = is_chunked(response, framing);
    const std::string head = response_head(response, framing);

    Pace pace(site_->limits);
    std::vector<asio::const_buffer> buffers{asio::buffer(head)};
    if (bodiless || framing.head || !response.source) {
      if (!bodiless && !framing.head) {
        buffers.push_back(asio::buffer(response.body));
        sent_body_bytes_ += response.body.size();
      }
      const bool written = co_await write(std::move(buffers), pace);
      co_return written;
    }
    Chunk chunk = std::move(first_);
    std::uint64_t promised = response.length.value_or(UINT64_MAX);
    while (true) {
      std::uint64_t bytes = 0;
      for (const Piece& piece : chunk) bytes += piece.bytes.size();
      if (response.length && bytes > promised) {
        log::error("http response is longer than announced");
        co_return false;
      }
      if (response.length) promised -= bytes;
      std::string chunk_head;
      if (chunked && bytes > 0) {
        char hex[24];
        std::snprintf(hex, sizeof hex, "%llx\r\n", static_cast<unsigned long long>(bytes));
        chunk_head = hex;
        buffers.push_back(asio::buffer(chunk_head));
      }
      for (const Piece& piece : chunk) buffers.emplace_back(piece.bytes.data(), piece.bytes.size());
      if (chunked) buffers.push_back(bytes > 0 ? asio::buffer("\r\n", 2) : asio::buffer("0\r\n\r\n", 5));
      const bool written = co_await write(std::move(buffers), pace);
      if (!written) co_return false;
      buffers.clear();
      sent_body_bytes_ += bytes;
      if (chunk.empty()) break;
      std::optional<Error> fault;
      try {
        auto next = co_await response.source->next();
        if (next) {
          chunk = std::move(next).value();
        } else {
          fault = next.error();
        }
      } catch (const std::exception&) {
        fault = fail(Errc::cancelled, "response body");
      }
      if (fault) {
        log::warning("http response cut", {{"reason", *fault}, {"sent", sent_body_bytes_}, {"peer", peer_address_}});
        co_return false;
      }
    }
    if (response.length && promised != 0) {
      log::error("http response is shorter than announced");
      co_return false;
    }
    co_return true;
  }

  /// Writes all; false when the peer is gone or too slow.
  asio::awaitable<bool> write(std::vector<asio::const_buffer> buffers, Pace& pace) {
    std::size_t first = 0;
    while (true) {
      while (first < buffers.size() && buffers[first].size() == 0) ++first;
      if (first == buffers.size()) co_return true;
      // A view of what is left: the vector is only moved along once its front has been written.
      const std::vector<asio::const_buffer> rest(
          buffers.begin() + static_cast<std::ptrdiff_t>(first),
          buffers.begin() + static_cast<std::ptrdiff_t>(std::min(buffers.size(), first + 64)));
      allow(pace.next());
      const auto began = Clock::now();
      auto outcome = co_await wire_.async_write_some(rest, kToken);
      std::size_t written = std::get<1>(outcome);
      pace.step(began, written);
      if (std::get<0>(outcome)) co_return false;
      while (written > 0) {
        const std::size_t step = std::min(written, buffers[first].size());
        buffers[first] += step;
        written -= step;
        if (buffers[first].size() == 0) ++first;
      }
    }
  }

  void account(const std::string& route, const Request& request, unsigned status, const std::optional<Error>& fault,
               Clock::time_point began, int cut) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count();
    site_->stats.answered(route, status, static_cast<std::uint64_t>(us), sent_body_bytes_);
    if (cut != 0) site_->stats.cut();
    const auto level = status >= 500 ? log::Level::warning : status >= 400 ? log::Level::info : log::Level::debug;
    if (!log::enabled(level)) return;
    log::write(level, "http",
               {{"method", request.method},
                {"route", route},
                {"uids", uids_of(request)},
                {"status", status},
                {"fault", fault ? to_string(*fault) : std::string()},
                {"bytes", sent_body_bytes_},
                {"us", us},
                {"whole", cut == 0},
                {"peer", peer_address_}});
  }

  /// Lets the peer read the answer before what it still sends makes the kernel reset the connection (RFC 9112 §9.6).
  asio::awaitable<void> linger() {
    boost::system::error_code ignored;
    if (closed_ || !socket_.is_open()) co_return;
    if (wire_.secure()) {
      allow(kLinger);
      auto outcome = co_await wire_.async_shutdown(kToken);
      (void)outcome;
    }
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    if (!unread_) co_return;
    allow(kLinger);
    std::vector<std::byte> discard(64u << 10);
    for (std::size_t total = 0; total < (64u << 20);) {
      auto outcome = co_await socket_.async_read_some(asio::buffer(discard), kToken);
      if (std::get<0>(outcome)) co_return;
      total += std::get<1>(outcome);
    }
  }

  Wire wire_;
  tcp::socket& socket_;  // of wire_
  asio::steady_timer timer_;
  std::uint64_t waits_ = 0;  // tells a wait's timer from those of waits that are over
  bool timed_out_ = false;   // the last wait was ended by its timer
  std::shared_ptr<Site> site_;
  beast::flat_buffer buffer_{128u << 10};
  std::string peer_address_;
  bool peer_is_loopback_ = false;
  bool refuse_ = false;
  bool idle_ = false;
  bool closed_ = false;
  bool unread_ = false;  // the peer may still be sending
  std::uint64_t served_ = 0;
  std::uint64_t sent_body_bytes_ = 0;
  Chunk first_;
};

}  // namespace

std::shared_ptr<Connection> make_connection(asio::io_context& reactor, int descriptor,
                                            std::shared_ptr<asio::ssl::context> tls, std::shared_ptr<Site> site,
                                            bool refuse) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length);
  tcp::socket socket(reactor, name.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor);
  return std::make_shared<HttpConnection>(std::move(socket), std::move(tls), std::move(site), refuse);
}

}  // namespace cairn::web
