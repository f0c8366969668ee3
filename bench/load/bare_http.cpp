// cairn_bare_http PORT FILE: answers every request with the same file by sendfile and does nothing else: what serving stored
// bytes costs at least. A thread per connection; ends when it is killed.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

void serve(int connection, int file, off_t bytes) {
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
  std::string input;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(connection, buffer, sizeof buffer);
    if (n <= 0 || input.size() > (64u << 10)) break;
    input.append(buffer, static_cast<std::size_t>(n));
    if (!input.ends_with("\r\n\r\n")) continue;
    input.clear();
    if (::send(connection, head.data(), head.size(), MSG_MORE | MSG_NOSIGNAL) < 0) break;
    off_t at = 0;
    while (at < bytes && ::sendfile(connection, file, &at, static_cast<std::size_t>(bytes - at)) > 0) {
    }
    if (at < bytes) break;
  }
  ::close(connection);
}

int fault(const char* what) {
  std::perror(what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: cairn_bare_http PORT FILE\n", stderr), 2;
  ::signal(SIGPIPE, SIG_IGN);
  const int file = ::open(argv[2], O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (file < 0 || ::fstat(file, &status) != 0) return fault(argv[2]);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 64) != 0) {
    return fault("listen");
  }
  for (;;) {
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread(serve, connection, file, status.st_size).detach();
  }
}
