#include "engine/web/exchange.h"

#include <boost/asio/error.hpp>

#include "engine/core/log.h"
#include "engine/core/uid.h"
#include "engine/web/error_response.h"
#include "engine/web/gzip.h"
#include "engine/web/uri.h"

namespace cairn::web {
namespace {

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

Response no_route(const Request& request, const Router::Found& found) {
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

}  // namespace

void Exchange::read_target(std::string_view target, std::size_t hosts, bool host_may_lack) {
  request.origin_is_allowed = allows_origin(site_.cross_origin, request.headers.get("Origin"));
  if (hosts > 1 || (hosts == 0 && !host_may_lack)) {
    fault_ = fail(Errc::malformed, "Host");
    return;
  }
  auto parsed = parse_target(target);
  if (!parsed) {
    fault_ = parsed.error();
    return;
  }
  request.segments = std::move(parsed.value().segments);
  request.parameters = std::move(parsed.value().parameters);
}

asio::awaitable<Response> Exchange::route(RequestBody& body) {
  if (fault_) co_return error_response(*fault_);
  const std::string_view coding = request.headers.get("Transfer-Encoding");
  if (!coding.empty() && !equal_ignoring_case(coding, "chunked")) {
    co_return error_response(fail(Errc::unsupported, "Transfer-Encoding"));
  }
  const auto found = site_.router.find(request.method, request.segments);
  if (found.route == nullptr) co_return no_route(request, found);
  const Route& route = *found.route;
  route_ = route.path;
  request.captures = found.captures;

  const std::string_view expectation = request.headers.get("Expect");
  if (!expectation.empty()) {
    if (!equal_ignoring_case(expectation, "100-continue")) {
      co_return error_response(417, fail(Errc::unsupported, "Expect"));
    }
    if (!body.is_done()) body.expect_continue();
  }
  const std::uint64_t most = route.limits.body_bytes;
  body.limit(most);
  const auto announced = body.announced_bytes();
  if (announced.value_or(0) > most || (most == 0 && !announced && !body.is_done())) {
    co_return error_response(413, fail(Errc::limit_exceeded, "request body"));
  }
  if (!route.limits.light && site_.pool != nullptr &&
      site_.pool->queued(io::WorkClass::interactive) > site_.limits.queued_work) {
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

asio::awaitable<void> Exchange::answer(RequestBody& body) {
  request.body = &body;
  response = co_await route(body);
  const bool preflight = request.method == "OPTIONS" && response.status == 204;
  const std::string methods(preflight ? response.headers.get("Allow") : std::string_view());
  add_cross_origin(site_.cross_origin, request, response, methods);
  if (site_.pool != nullptr) apply_gzip(request, response, *site_.pool);
  status_ = response.status;
  answered_fault_ = response.fault;
}

asio::awaitable<void> Exchange::begin() {
  if (!response.source) co_return;
  auto chunk = co_await pull();
  if (chunk) {
    first_ = std::move(chunk).value();
    co_return;
  }
  response = error_response(chunk.error());
  status_ = response.status;
  answered_fault_ = response.fault;
}

void Exchange::refuse(unsigned status, const Error& fault) {
  route_ = "unreadable";
  response = error_response(status, fault);
  status_ = status;
  answered_fault_ = fault;
}

asio::awaitable<Result<Chunk>> Exchange::pull() {
  try {
    auto chunk = co_await response.source->next();
    co_return chunk;
  } catch (const std::exception&) {
  }
  co_return fail(Errc::cancelled, "response body");
}

Task<Chunk> Exchange::next() {
  Result<Chunk> chunk = Chunk{};
  if (first_) {
    chunk = std::move(*first_);
    first_.reset();
  } else {
    chunk = co_await pull();
  }
  if (!chunk) {
    log::warning("http response cut", {{"reason", chunk.error()}, {"given", given_}, {"peer", request.peer_address}});
    co_return chunk.error();
  }
  for (const Piece& piece : chunk.value()) given_ += piece.bytes.size();
  if (response.length && given_ > *response.length) {
    log::error("http response is longer than announced");
    co_return fail(Errc::internal, "response body");
  }
  if (response.length && chunk.value().empty() && given_ != *response.length) {
    log::error("http response is shorter than announced");
    co_return fail(Errc::internal, "response body");
  }
  co_return chunk;
}

void Exchange::account(std::uint64_t body_bytes, bool whole) {
  if (status_ == 0) return;
  const auto spent = std::chrono::steady_clock::now() - began_;
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(spent).count();
  site_.stats.answered(version_, route_, status_, static_cast<std::uint64_t>(us), body_bytes);
  if (!whole) site_.stats.cut();
  const auto level = status_ >= 500 ? log::Level::warning : status_ >= 400 ? log::Level::info : log::Level::debug;
  if (!log::enabled(level)) return;
  log::write(level, "http",
             {{"protocol", to_string(version_)},
              {"method", request.method},
              {"route", route_},
              {"uids", uids_of(request)},
              {"status", status_},
              {"fault", answered_fault_ ? to_string(*answered_fault_) : std::string()},
              {"bytes", body_bytes},
              {"us", us},
              {"whole", whole},
              {"peer", request.peer_address}});
}

}  // namespace cairn::web
