#include "bench/load/association.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/load/wire.h"

namespace cairn::load {
namespace {

constexpr std::uint32_t kLongestPDU = 1u << 20;  // longest that we read
constexpr std::size_t kPiecesPerWrite = 512;     // below IOV_MAX

Error socket_error(const char* where) {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return fail(Errc::timeout, where);
  return fail_errno(errno, where);
}

}  // namespace

Association::Association(Association&& o) noexcept
    : fd_(std::exchange(o.fd_, -1)),
      delayed_ack_(o.delayed_ack_),
      window_(o.window_),
      peer_pdu_bytes_(o.peer_pdu_bytes_),
      contexts_(std::move(o.contexts_)),
      input_(std::move(o.input_)),
      at_(o.at_),
      end_(o.end_) {}

Association::~Association() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Association> Association::request(const AssociationOptions& options,
                                         const std::vector<std::pair<std::string, std::string>>& contexts) {
  if (contexts.empty() || contexts.size() > 128) return fail(Errc::limit_exceeded, "presentation contexts");
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno(errno, "socket");
  Association a(fd);
  a.delayed_ack_ = options.delayed_ack;
  for (const auto& [sop_class, syntax] : contexts) a.contexts_.push_back({sop_class, syntax, false});
  CAIRN_TRYV(a.connect(options));
  CAIRN_TRYV(a.negotiate(options));
  return a;
}

Result<> Association::connect(const AssociationOptions& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (::inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) return fail(Errc::malformed, "host");
  const timeval limit{options.timeout_s, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (!delayed_ack_) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return socket_error("connect");
  return outcome::success();
}

Result<> Association::negotiate(const AssociationOptions& options) {
  const std::string rq = wire::associate_rq(options.called_ae, options.calling_ae, options.window, [&] {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& c : contexts_) all.emplace_back(c.sop_class_uid, c.transfer_syntax_uid);
    return all;
  }());
  std::vector<std::pair<const void*, std::size_t>> pieces{{rq.data(), rq.size()}};
  CAIRN_TRYV(write_all(pieces));
  CAIRN_TRY(const auto answer, read_pdu());
  if (answer.first == 0x03) return fail(Errc::refused, "A-ASSOCIATE-RJ");
  if (answer.first != 0x02) return fail(Errc::malformed, "answer to A-ASSOCIATE-RQ");
  CAIRN_TRY(const auto ac, wire::read_associate_ac(answer.second));
  for (const std::uint8_t id : ac.accepted_ids) {
    if (id % 2 == 1 && id / 2u < contexts_.size()) contexts_[id / 2u].accepted = true;
  }
  if (std::none_of(contexts_.begin(), contexts_.end(), [](const Context& c) { return c.accepted; })) {
    return fail(Errc::refused, "no presentation context accepted");
  }
  window_ = std::max(1u, std::min(options.window, ac.window == 0 ? options.window : ac.window));
  const std::uint32_t peer = ac.max_pdu_bytes == 0 ? options.max_pdu_bytes : ac.max_pdu_bytes;
  peer_pdu_bytes_ = std::clamp(peer, std::uint32_t{64}, options.max_pdu_bytes) & ~std::uint32_t{1};
  return outcome::success();
}

Result<> Association::send_store(const Object& object, std::uint16_t message_id) {
  const auto context = std::find_if(contexts_.begin(), contexts_.end(), [&](const Context& c) {
    return c.accepted && c.sop_class_uid == object.sop_class_uid && c.transfer_syntax_uid == object.transfer_syntax_uid;
  });
  if (context == contexts_.end()) return fail(Errc::unsupported, "no accepted presentation context");
  const auto id = static_cast<std::uint8_t>(2 * (context - contexts_.begin()) + 1);

  const std::string command =
      wire::p_data(id, true, true, wire::c_store_rq(object.sop_class_uid, object.sop_instance_uid, message_id));
  const std::size_t fragment = peer_pdu_bytes_ - wire::kPDVHeadBytes;
  const std::uint64_t total = object.size_bytes();
  const std::uint64_t fragments = std::max<std::uint64_t>(1, (total + fragment - 1) / fragment);

  // The heads of one batch of P-DATA-TF PDUs lie in pdu_heads_, whose size is fixed: pieces_ points into it.
  constexpr std::size_t kHeads = kPiecesPerWrite / 4;
  pdu_heads_.resize(kHeads * wire::kPDataHeadBytes);
  pieces_.clear();
  pieces_.emplace_back(command.data(), command.size());
  std::size_t heads = 0;
  std::size_t part = 0, offset = 0;  // where in header (part 0) and body (part 1…) we are
  std::uint64_t left = total;
  for (std::uint64_t f = 0; f < fragments; ++f) {
    const std::size_t length = static_cast<std::size_t>(std::min<std::uint64_t>(fragment, left));
    left -= length;
    std::byte* head = &pdu_heads_[heads++ * wire::kPDataHeadBytes];
    wire::write_p_data_head(head, id, false, left == 0, length);
    pieces_.emplace_back(head, wire::kPDataHeadBytes);
    for (std::size_t need = length; need > 0;) {
      const Bytes source = part == 0 ? as_bytes(object.header) : object.body[part - 1];
      const std::size_t take = std::min(need, source.size() - offset);
      if (take > 0) pieces_.emplace_back(source.data() + offset, take);
      need -= take;
      offset += take;
      if (offset == source.size()) ++part, offset = 0;
    }
    if (heads == kHeads || pieces_.size() >= kPiecesPerWrite) {
      CAIRN_TRYV(write_all(pieces_));
      pieces_.clear();
      heads = 0;
    }
  }
  return write_all(pieces_);
}

Result<std::string> Association::read_command_set() {
  std::string command;
  while (true) {
    CAIRN_TRY(const auto pdu, read_pdu());
    if (pdu.first == 0x07) return fail(Errc::closed, "A-ABORT received");
    if (pdu.first != 0x04) return fail(Errc::malformed, "PDU type");
    CAIRN_TRY(const bool last, wire::append_command(pdu.second, command));
    if (last) return command;
  }
}

Result<StoreResponse> Association::receive() {
  CAIRN_TRY(const std::string command, read_command_set());
  CAIRN_TRY(auto response, wire::read_c_store_rsp(as_bytes(command)));
  return StoreResponse{response.message_id, response.status, std::move(response.comment)};
}

Result<std::uint64_t> Association::find(std::string_view identifier, std::uint16_t message_id) {
  const auto context = std::find_if(contexts_.begin(), contexts_.end(), [](const Context& c) { return c.accepted; });
  const auto id = static_cast<std::uint8_t>(2 * (context - contexts_.begin()) + 1);
  const std::string request = wire::p_data(id, true, true, wire::c_find_rq(context->sop_class_uid, message_id)) +
                              wire::p_data(id, false, true, identifier);
  pieces_.assign(1, {request.data(), request.size()});
  CAIRN_TRYV(write_all(pieces_));
  for (std::uint64_t pending = 0;; ++pending) {
    CAIRN_TRY(const std::string command, read_command_set());
    CAIRN_TRY(const wire::Command response, wire::read_command(as_bytes(command)));
    if (response.field != 0x8020) return fail(Errc::malformed, "C-FIND-RSP");
    if (response.status == 0x0000) return pending;
    if (response.status != 0xFF00 && response.status != 0xFF01) return fail(Errc::refused, "C-FIND-RSP");
  }
}

Result<> Association::release() {
  static constexpr unsigned char kReleaseRQ[10] = {5, 0, 0, 0, 0, 4, 0, 0, 0, 0};
  std::vector<std::pair<const void*, std::size_t>> pieces{{kReleaseRQ, sizeof kReleaseRQ}};
  CAIRN_TRYV(write_all(pieces));
  CAIRN_TRY(const auto pdu, read_pdu());
  if (pdu.first != 0x06) return fail(Errc::malformed, "answer to A-RELEASE-RQ");
  return outcome::success();
}

Result<> Association::read_exactly(std::size_t bytes) {
  if (input_.size() - at_ < bytes) {
    std::memmove(input_.data(), input_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
    if (input_.size() < bytes) input_.resize(bytes);
  }
  while (end_ - at_ < bytes) {
    if (!delayed_ack_) {
      // The kernel clears it by itself; a peer with Nagle on waits for our acknowledgement between its small writes.
      const int on = 1;
      ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
    const ssize_t n = ::read(fd_, input_.data() + end_, input_.size() - end_);
    if (n == 0) return fail(Errc::closed, "connection");
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return socket_error("read");
    end_ += static_cast<std::size_t>(n);
  }
  return outcome::success();
}

Result<std::pair<std::uint8_t, Bytes>> Association::read_pdu() {
  if (at_ == end_) at_ = end_ = 0;
  CAIRN_TRYV(read_exactly(6));
  const auto type = static_cast<std::uint8_t>(input_[at_]);
  const auto length = load_be<std::uint32_t>(&input_[at_ + 2]);
  if (length > kLongestPDU) return fail(Errc::limit_exceeded, "PDU length");
  CAIRN_TRYV(read_exactly(6 + std::size_t{length}));
  const Bytes body(&input_[at_] + 6, length);
  at_ += 6 + std::size_t{length};
  return std::pair{type, body};
}

Result<> Association::write_all(std::vector<std::pair<const void*, std::size_t>>& pieces) {
  iovec vectors[1024];
  std::size_t next = 0;
  while (next < pieces.size()) {
    const std::size_t count = std::min<std::size_t>(pieces.size() - next, std::size(vectors));
    for (std::size_t i = 0; i < count; ++i) {
      vectors[i] = {const_cast<void*>(pieces[next + i].first), pieces[next + i].second};
    }
    ssize_t n = ::writev(fd_, vectors, static_cast<int>(count));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return socket_error("write");
    auto written = static_cast<std::size_t>(n);
    while (next < pieces.size() && written >= pieces[next].second) written -= pieces[next++].second;
    if (written > 0) {
      pieces[next].first = static_cast<const char*>(pieces[next].first) + written;
      pieces[next].second -= written;
    }
  }
  return outcome::success();
}

}  // namespace cairn::load
