#include "engine/web/http1.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "engine/web/exchange.h"
#include "engine/web/peer.h"
#include "engine/web/response_head.h"

namespace cairn::web {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::buffer_body>;

/// What may be left of a body unread for the connection to go on after the answer.
constexpr std::uint64_t kLongestDiscard = 256u << 10;

/// False for what the system reports: the peer is gone.
bool is_http_error(const beast::error_code& error) {
  return error.category() == http::make_error_code(http::error::end_of_stream).category();
}

/// The body of the request that `parser` is reading.
class Http1Body final : public RequestBody {
 public:
  Http1Body(Peer& peer, beast::flat_buffer& buffer, Parser& parser, const HttpLimits& limits)
      : peer_(peer), buffer_(buffer), parser_(parser), pace_(limits) {}

  bool is_done() const noexcept override { return parser_.is_done(); }
  std::optional<std::uint64_t> announced_bytes() const noexcept override {
    const auto length = parser_.content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }
  void limit(std::uint64_t bytes) noexcept override { limit_ = bytes; }
  void expect_continue() noexcept override { continue_owed_ = true; }

  /// What is unread is little, and will come.
  bool rest_is_short() const noexcept {
    return parser_.is_done() || (!continue_owed_ && !failed_ && !parser_.chunked() &&
                                 parser_.content_length_remaining().value_or(kLongestDiscard + 1) <= kLongestDiscard);
  }
  asio::awaitable<void> discard() {
    limit_ = UINT64_MAX;
    std::vector<std::byte> unwanted(16u << 10);
    while (true) {
      const auto got = co_await read(unwanted);
      if (!got || got.value() == 0) co_return;
    }
  }

  Task<std::size_t> read(MutableBytes into) override {
    if (failed_) co_return fail(Errc::closed, "request body");
    if (parser_.is_done()) co_return std::size_t{0};
    if (std::exchange(continue_owed_, false)) {
      const std::string text = "HTTP/1.1 100 Continue\r\n\r\n";
      std::vector<asio::const_buffer> buffers{asio::buffer(text)};
      if (!co_await peer_.write(std::move(buffers), pace_)) co_return broken(Errc::closed);
    }
    auto& body = parser_.get().body();
    while (!parser_.is_done()) {
      body.data = into.data();
      body.size = into.size();
      peer_.allow(pace_.next());
      const auto began = Clock::now();
      auto outcome = co_await http::async_read_some(peer_.wire(), buffer_, parser_, Peer::kToken);
      const auto error = std::get<0>(outcome);
      const std::size_t got = into.size() - body.size;
      pace_.step(began, got);
      received_ += got;
      if (error && peer_.timed_out()) co_return broken(Errc::timeout);
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

  Peer& peer_;
  beast::flat_buffer& buffer_;
  Parser& parser_;
  Pace pace_;
  std::uint64_t limit_ = 0;
  std::uint64_t received_ = 0;
  bool continue_owed_ = false;
  bool failed_ = false;
};

class Http1 final : public Protocol {
 public:
  Http1(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, const std::string& begun)
      : peer_(std::move(peer)), site_(std::move(site)) {
    const auto room = buffer_.prepare(begun.size());
    asio::buffer_copy(room, asio::buffer(begun));
    buffer_.commit(begun.size());
  }

  asio::awaitable<void> run() override {
    while (co_await serve_one()) {
    }
    co_await peer_->part(unread_);
  }
  void drain() override {
    if (idle_) peer_->cancel();
  }

 private:
  /// Waits for the first byte of a request and reads its header. False: there is none, the connection ends.
  asio::awaitable<bool> read_header(Parser& parser) {
    const HttpLimits& limits = site_->limits;
    if (buffer_.size() == 0) {
      idle_ = true;
      const auto room = buffer_.prepare(8192);
      const std::size_t got = co_await peer_->read_some({static_cast<std::byte*>(room.data()), room.size()},
                                                        served_ == 0 ? limits.header_timeout : limits.idle_timeout);
      idle_ = false;
      if (got == 0) co_return false;
      buffer_.commit(got);
    }
    parser.header_limit(limits.header_bytes);
    parser.body_limit(boost::none);
    peer_->allow(limits.header_timeout);
    auto outcome = co_await http::async_read_header(peer_->wire(), buffer_, parser, Peer::kToken);
    const auto error = std::get<0>(outcome);
    if (!error) co_return true;
    if (peer_->timed_out()) {
      co_await refuse(408, fail(Errc::timeout, "request header"));
    } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      co_await refuse(431, fail(Errc::limit_exceeded, "request header"));
    } else if (error == http::error::bad_version) {
      co_await refuse(505, fail(Errc::malformed, "request header"));
    } else if (error != http::error::end_of_stream && error != http::error::partial_message && is_http_error(error)) {
      co_await refuse(400, fail(Errc::malformed, "request header"));
    }
    co_return false;
  }

  asio::awaitable<void> refuse(unsigned status, Error fault) {
    Exchange unread(*site_, HttpVersion::one);
    unread.request.peer_address = peer_->address();
    unread.refuse(status, fault);
    sent_body_bytes_ = 0;
    const bool sent = co_await send(unread, {});
    unread.account(sent_body_bytes_, sent);
    unread_ = true;
  }

  /// True when the connection can serve another request.
  asio::awaitable<bool> serve_one() {
    if (site_->draining.load(std::memory_order_relaxed) || peer_->is_closed()) co_return false;
    Parser parser;
    if (served_ > 0) peer_->waits();
    if (!co_await read_header(parser)) co_return false;
    peer_->works();
    ++served_;
    sent_body_bytes_ = 0;
    Http1Body body(*peer_, buffer_, parser, site_->limits);
    Exchange exchange(*site_, HttpVersion::one);
    fill(parser, exchange);
    co_await exchange.answer(body);
    co_await exchange.begin();
    Framing framing;
    framing.head = exchange.request.method == "HEAD";
    framing.http_1_0 = parser.get().version() < 11;
    framing.keep_alive =
        parser.keep_alive() && body.rest_is_short() && !site_->draining.load(std::memory_order_relaxed);
    if (ends_with_connection(exchange.response, framing)) framing.keep_alive = false;
    const bool whole = co_await send(exchange, framing);
    exchange.account(sent_body_bytes_, whole);
    if (!parser.is_done() && framing.keep_alive && whole) co_await body.discard();
    unread_ = !parser.is_done();
    co_return whole&& framing.keep_alive&& parser.is_done() && !peer_->is_closed();
  }

  void fill(Parser& parser, Exchange& exchange) {
    const auto& message = parser.get();
    Request& request = exchange.request;
    request.method.assign(message.method_string().data(), message.method_string().size());
    request.peer_address = peer_->address();
    request.peer_is_loopback = peer_->is_loopback();
    request.is_secure = peer_->is_secure();
    std::size_t hosts = 0;
    for (const auto& field : message) {
      const std::string_view name(field.name_string().data(), field.name_string().size());
      if (equal_ignoring_case(name, "Host")) ++hosts;
      request.headers.add(name, std::string_view(field.value().data(), field.value().size()));
    }
    exchange.read_target(std::string_view(message.target().data(), message.target().size()), hosts,
                         message.version() < 11);
  }

  /// False: the connection is of no more use.
  asio::awaitable<bool> send(Exchange& exchange, Framing framing) {
    const Response& response = exchange.response;
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
      const bool written = co_await peer_->write(std::move(buffers), pace);
      co_return written;
    }
    while (true) {
      const auto chunk = co_await exchange.next();
      if (!chunk) co_return false;
      std::uint64_t bytes = 0;
      for (const Piece& piece : chunk.value()) bytes += piece.bytes.size();
      std::string chunk_head;
      if (chunked && bytes > 0) {
        char hex[24];
        std::snprintf(hex, sizeof hex, "%llx\r\n", static_cast<unsigned long long>(bytes));
        chunk_head = hex;
        buffers.push_back(asio::buffer(chunk_head));
      }
      for (const Piece& piece : chunk.value()) buffers.emplace_back(piece.bytes.data(), piece.bytes.size());
      if (chunked) buffers.push_back(bytes > 0 ? asio::buffer("\r\n", 2) : asio::buffer("0\r\n\r\n", 5));
      const bool written = co_await peer_->write(std::move(buffers), pace);
      if (!written) co_return false;
      buffers.clear();
      sent_body_bytes_ += bytes;
      if (chunk.value().empty()) co_return true;
    }
  }

  std::shared_ptr<Peer> peer_;
  std::shared_ptr<Site> site_;
  beast::flat_buffer buffer_{128u << 10};
  bool idle_ = false;
  bool unread_ = false;  // the peer may still be sending
  std::uint64_t served_ = 0;
  std::uint64_t sent_body_bytes_ = 0;  // of the answer under way
};

}  // namespace

std::unique_ptr<Protocol> make_http1(std::shared_ptr<Peer> peer, std::shared_ptr<Site> site, std::string begun) {
  return std::make_unique<Http1>(std::move(peer), std::move(site), begun);
}

}  // namespace cairn::web
