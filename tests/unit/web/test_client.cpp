#include "tests/unit/web/test_client.h"

#include <cerrno>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cairn::web::testing {

TestClient::TestClient(std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience{20, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket_);
    socket_ = -1;
  }
}

TestClient::~TestClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool TestClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool TestClient::fill() {
  char piece[65536];
  ssize_t got;
  do {  // rings of the server's process interrupt system calls
    got = ::recv(socket_, piece, sizeof piece, 0);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<std::size_t>(got));
  return true;
}

std::string TestClient::read_some(std::size_t most) {
  while (buffer_.empty() && fill()) {
  }
  const std::string out = buffer_.substr(0, most);
  buffer_.erase(0, out.size());
  return out;
}

bool TestClient::closed_by_peer(int within_ms) {
  if (!buffer_.empty()) return false;
  pollfd waiting{socket_, POLLIN, 0};
  if (::poll(&waiting, 1, within_ms) <= 0) return false;
  char byte;
  return ::recv(socket_, &byte, 1, 0) <= 0;
}

Reply TestClient::receive(bool head) {
  Reply reply;
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return reply;
  }
  std::string_view header(buffer_.data(), end + 2);
  reply.status = std::atoi(std::string(header.substr(9, 3)).c_str());
  header.remove_prefix(header.find("\r\n") + 2);
  while (!header.empty()) {
    const std::size_t line = header.find("\r\n"), colon = header.find(':');
    reply.headers.add(header.substr(0, colon), header.substr(colon + 2, line - colon - 2));
    header.remove_prefix(line + 2);
  }
  buffer_.erase(0, end + 4);
  if (head || reply.status == 204 || reply.status == 304 || reply.status == 100) {
    reply.whole = true;
    return reply;
  }
  if (reply.headers.contains("Content-Length")) {
    const std::size_t length = std::stoull(std::string(reply.headers.get("Content-Length")));
    while (buffer_.size() < length && fill()) {
    }
    reply.whole = buffer_.size() >= length;
    reply.body = buffer_.substr(0, length);
    buffer_.erase(0, reply.body.size());
    return reply;
  }
  if (reply.headers.get("Transfer-Encoding") != "chunked") {
    while (fill()) {
    }
    reply.body.swap(buffer_);
    reply.whole = true;
    return reply;
  }
  while (true) {
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!fill()) return reply;
    }
    const std::size_t length = std::strtoull(buffer_.c_str(), nullptr, 16);
    while (buffer_.size() < end + 2 + length + 2) {
      if (!fill()) return reply;
    }
    reply.body.append(buffer_, end + 2, length);
    buffer_.erase(0, end + 2 + length + 2);
    if (length == 0) break;
  }
  reply.whole = true;
  return reply;
}

Reply TestClient::get(std::string_view target, const Fields& fields) {
  return request("GET", target, fields, {});
}

Reply TestClient::request(std::string_view method, std::string_view target, const Fields& fields,
                          std::string_view body) {
  std::string text = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
  for (const auto& [name, value] : fields) text += name + ": " + value + "\r\n";
  if (!body.empty() || method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += "\r\n";
  text += body;
  send(text);
  return receive(method == "HEAD");
}

Reply get(std::uint16_t port, std::string_view target, const TestClient::Fields& fields) {
  TestClient client(port);
  return client.get(target, fields);
}

}  // namespace cairn::web::testing
