#include "bench/load/sink.h"

#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/wire.h"
#include "engine/core/bytes.h"

namespace cairn::load {
namespace {

class Session {
 public:
  Session(int fd, std::uint32_t max_pdu_bytes) : fd_(fd), max_pdu_bytes_(max_pdu_bytes), buffer_(256u << 10) {}
  ~Session() { ::close(fd_); }

  void run() {
    std::byte head[6];
    while (read(head, sizeof head)) {
      const auto length = load_be<std::uint32_t>(head + 2);
      const auto type = static_cast<unsigned>(head[0]);
      if (type == 0x04) {
        if (!data(length)) return;
        continue;
      }
      if (length > 1u << 20) return;
      std::vector<std::byte> body(length);
      if (!read(body.data(), length)) return;
      if (type == 0x05) {
        (void)send(std::string("\x06\0\0\0\0\x04\0\0\0\0", 10));
        return;
      }
      if (type != 0x01) return;
      const auto ac = wire::associate_ac(body, max_pdu_bytes_);
      if (!ac || !send(ac.value())) return;
    }
  }

 private:
  // One P-DATA-TF: keeps commands, discards data sets, answers after the last fragment of one.
  bool data(std::uint64_t left) {
    while (left > 0) {
      std::byte head[wire::kPDVHeadBytes];
      if (left < sizeof head || !read(head, sizeof head)) return false;
      const std::uint64_t length = load_be<std::uint32_t>(head);
      if (length < 2 || length > left - 4) return false;
      left -= 4 + length;
      const auto control = static_cast<unsigned>(head[5]);
      if ((control & 1) != 0) {
        if (length > 65536) return false;
        std::string text(length - 2, '\0');
        if (!read(reinterpret_cast<std::byte*>(text.data()), text.size())) return false;
        command_ += text;
        continue;
      }
      if (!discard(length - 2)) return false;
      if ((control & 2) == 0) continue;
      const auto command = wire::read_command(as_bytes(command_));
      command_.clear();
      if (!command) return false;
      const auto& c = command.value();
      const auto context = static_cast<std::uint8_t>(head[4]);
      if (!send(wire::p_data(context, true, true, wire::c_store_rsp(c.sop_class, c.sop_instance, c.message_id))))
        return false;
    }
    return true;
  }

  bool fill() {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    ssize_t n;
    do n = ::read(fd_, buffer_.data(), buffer_.size());
    while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    at_ = 0;
    end_ = static_cast<std::size_t>(n);
    return true;
  }
  bool read(std::byte* out, std::size_t bytes) {
    while (bytes > 0) {
      if (at_ == end_ && !fill()) return false;
      const std::size_t take = std::min(bytes, end_ - at_);
      std::memcpy(out, &buffer_[at_], take);
      at_ += take, out += take, bytes -= take;
    }
    return true;
  }
  bool discard(std::uint64_t bytes) {
    while (bytes > 0) {
      if (at_ == end_ && !fill()) return false;
      const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, end_ - at_));
      at_ += take, bytes -= take;
    }
    return true;
  }
  bool send(const std::string& text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  int fd_;
  std::uint32_t max_pdu_bytes_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::string command_;
};

}  // namespace

Result<> run_sink(std::uint16_t port, std::uint32_t max_pdu_bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return fail_errno(errno, "socket");
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, "bind");
  if (::listen(listener, 128) != 0) return fail_errno(errno, "listen");
  std::printf("ready dicom=127.0.0.1:%u\n", static_cast<unsigned>(port));
  std::fflush(stdout);
  while (true) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 && errno != EINTR && errno != ECONNABORTED) return fail_errno(errno, "accept");
    if (fd < 0) continue;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread([fd, max_pdu_bytes] { Session(fd, max_pdu_bytes).run(); }).detach();
  }
}

}  // namespace cairn::load
