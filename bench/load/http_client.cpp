#include "bench/load/http_client.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cairn::load {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kReadBytes = 256u << 10;
constexpr int kTimeoutSeconds = 60;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Result<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end == text.data()) return fail(Errc::malformed, "length of a body");
  return value;
}

bool same_name(std::string_view field, std::string_view lower) {
  return field.size() == lower.size() && std::equal(field.begin(), field.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
         });
}

}  // namespace

std::string_view http_field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != head.npos && at + 2 < head.size();) {
    const std::size_t begin = at + 2;
    at = head.find("\r\n", begin);
    std::string_view line = head.substr(begin, at == head.npos ? at : at - begin);
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !same_name(line.substr(0, colon), name)) continue;
    line.remove_prefix(colon + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    return line;
  }
  return {};
}

HttpClient::HttpClient(HttpClient&& o) noexcept
    : fd_(std::exchange(o.fd_, -1)),
      host_(std::move(o.host_)),
      input_(std::move(o.input_)),
      body_(std::move(o.body_)),
      head_(std::move(o.head_)),
      at_(o.at_) {}

HttpClient::~HttpClient() {
  if (fd_ >= 0) ::close(fd_);
}

Result<HttpClient> HttpClient::connect(const std::string& host, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno(errno, "socket");
  HttpClient client(fd, host);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return fail(Errc::malformed, "host");
  const timeval limit{kTimeoutSeconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno(errno, "connect");
  }
  return client;
}

Result<std::size_t> HttpClient::more() {
  if (at_ > 0 && at_ == input_.size()) input_.clear(), at_ = 0;
  const std::size_t had = input_.size();
  input_.resize(had + kReadBytes);
  ssize_t n = 0;
  do {
    n = ::read(fd_, input_.data() + had, kReadBytes);
  } while (n < 0 && errno == EINTR);
  input_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n == 0) return fail(Errc::closed, "connection");
  if (n < 0) return errno == EAGAIN ? fail(Errc::timeout, "read") : fail_errno(errno, "read");
  return static_cast<std::size_t>(n);
}

// Where `end` begins, at or behind at_.
Result<std::size_t> HttpClient::find(std::string_view end, std::size_t from) {
  for (;;) {
    if (const std::size_t at = input_.find(end, from); at != input_.npos) return at;
    if (input_.size() - at_ > (1u << 20)) return fail(Errc::limit_exceeded, "header of a response");
    const std::size_t ahead = at_;
    CAIRN_TRYV(more());
    if (at_ != ahead) from = at_;
  }
}

Result<> HttpClient::pass(std::uint64_t bytes, bool keep) {
  while (bytes > 0) {
    if (at_ == input_.size()) {
      CAIRN_TRYV(more());
    }
    const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, input_.size() - at_));
    if (keep) body_.append(input_, at_, take);
    at_ += take;
    bytes -= take;
  }
  return outcome::success();
}

// A body without a length ends with the connection.
Result<std::uint64_t> HttpClient::rest(bool keep) {
  std::uint64_t bytes = 0;
  for (;;) {
    const std::size_t here = input_.size() - at_;
    bytes += here;
    CAIRN_TRYV(pass(here, keep));
    if (const auto got = more(); !got) {
      if (got.error() == Errc::closed) return bytes;
      return got.error();
    }
  }
}

Result<HttpClient::Response> HttpClient::get(std::string_view target, std::string_view accept, bool keep_body) {
  std::string request = "GET ";
  request.append(target).append(" HTTP/1.1\r\nHost: ").append(host_);
  if (!accept.empty()) request.append("\r\nAccept: ").append(accept);
  request.append("\r\n\r\n");
  const auto begin = Clock::now();
  for (std::string_view rest = request; !rest.empty();) {
    const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "write");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  body_.clear();
  if (at_ == input_.size()) {
    CAIRN_TRYV(more());
  }
  Response response;
  response.first_byte_ms = ms_since(begin);
  CAIRN_TRY(const std::size_t end, find("\r\n\r\n", at_));
  head_.assign(input_, at_, end + 2 - at_);
  at_ = end + 4;
  if (head_.size() < 12 || !head_.starts_with("HTTP/1.")) return fail(Errc::malformed, "response");
  CAIRN_TRY(const std::uint64_t status, number(std::string_view(head_).substr(9, 3), 10));
  response.status = static_cast<unsigned>(status);
  if (const auto length = http_field(head_, "content-length"); !length.empty()) {
    CAIRN_TRY(response.body_bytes, number(length, 10));
    CAIRN_TRYV(pass(response.body_bytes, keep_body));
  } else if (http_field(head_, "transfer-encoding") == "chunked") {
    for (;;) {
      CAIRN_TRY(const std::size_t line, find("\r\n", at_));
      CAIRN_TRY(const std::uint64_t chunk, number(std::string_view(input_).substr(at_, line - at_), 16));
      at_ = line + 2;
      CAIRN_TRYV(pass(chunk, keep_body));
      response.body_bytes += chunk;
      CAIRN_TRYV(pass(2, false));
      if (chunk == 0) break;
    }
  } else if (response.status != 204 && response.status != 304) {
    CAIRN_TRY(response.body_bytes, rest(keep_body));
    response.closed = true;
  }
  response.closed = response.closed || http_field(head_, "connection") == "close";
  response.all_ms = ms_since(begin);
  response.head = head_;
  response.body = body_;
  return response;
}

}  // namespace cairn::load
