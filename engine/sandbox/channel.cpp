#include "engine/sandbox/channel.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

namespace cairn::sandbox {
namespace {

constexpr std::size_t kMostDescriptors = 2;

struct ControlRoom {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMostDescriptors * sizeof(int))> bytes{};
};

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<std::pair<Descriptor, Descriptor>> make_channel() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "socket to a decoder process");
  }
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

Result<> set_patience(int channel, std::chrono::milliseconds patience) {
  const timeval time{patience.count() / 1000, patience.count() % 1000 * 1000};
  if (::setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0) {
    return fail_errno(errno, "socket to a decoder process");
  }
  return outcome::success();
}

Result<> send(int channel, Bytes message, std::span<const int> descriptors) {
  if (descriptors.size() > kMostDescriptors) return fail(Errc::limit_exceeded, "descriptors of one message");
  iovec part{const_cast<std::byte*>(message.data()), message.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  ControlRoom control;
  if (!descriptors.empty()) {
    head.msg_control = control.bytes.data();
    head.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(channel, &head, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail(Errc::closed, "decoder process");
  return outcome::success();
}

Result<std::size_t> receive(int channel, MutableBytes into, std::span<Descriptor> descriptors) {
  iovec part{into.data(), into.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  ControlRoom control;
  if (!descriptors.empty()) {
    head.msg_control = control.bytes.data();
    head.msg_controllen = control.bytes.size();
  }
  ssize_t got = 0;
  do {
    got = ::recvmsg(channel, &head, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return fail(Errc::timeout, "decoder process");
  if (got <= 0) return std::size_t{0};  // a reset is an end too
  for (cmsghdr* c = CMSG_FIRSTHDR(&head); c != nullptr; c = CMSG_NXTHDR(&head, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(c) + i * sizeof(int), sizeof number);
      Descriptor taken(number);
      if (i < descriptors.size()) descriptors[i] = std::move(taken);
    }
  }
  if (static_cast<std::size_t>(got) != into.size() || (head.msg_flags & MSG_TRUNC) != 0) {
    return fail(Errc::malformed, "message of a decoder process");
  }
  return into.size();
}

}  // namespace cairn::sandbox
