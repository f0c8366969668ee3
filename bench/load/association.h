// An SCU that costs next to nothing: an association requestor (PS3.8) on one blocking socket that sends C-STORE
// requests (PS3.7 §9.1.1) from borrowed bytes with writev, several outstanding if need be (PS3.7 §D.3.3.3), or C-FIND
// requests.
//
// For load and crash tests, where the sender must not be what is measured. Not thread-safe: a thread per association.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/load/object.h"
#include "engine/core/result.h"

namespace cairn::load {

struct AssociationOptions {
  std::string host = "127.0.0.1";  ///< an IPv4 address
  std::uint16_t port = 11112;
  std::string called_ae = "CAIRN", calling_ae = "CAIRN_LOAD";
  unsigned window = 1;       ///< operations outstanding that we propose; 1 proposes nothing
  bool delayed_ack = false;  ///< leave the kernel's delayed acknowledgements and Nagle on, as ordinary clients do
  int timeout_s = 60;        ///< of each read and write
  std::uint32_t max_pdu_bytes = 1u << 20;  ///< longest P-DATA-TF that we send, if the peer takes that much
};

struct StoreResponse {
  std::uint16_t message_id = 0;
  std::uint16_t status = 0;
  std::string comment;  ///< Error Comment, as received
};

class Association {
 public:
  /// Connects and negotiates one presentation context per pair of SOP class and transfer syntax, 128 at most.
  /// Errors: errno of the socket, refused (A-ASSOCIATE-RJ or no context accepted), malformed.
  static Result<Association> request(const AssociationOptions& options,
                                     const std::vector<std::pair<std::string, std::string>>& contexts);
  Association(Association&& other) noexcept;
  Association& operator=(Association&&) = delete;
  ~Association();

  /// Sends one C-STORE-RQ. Errors: unsupported (no accepted context; nothing was sent), errno of the socket.
  Result<> send_store(const Object& object, std::uint16_t message_id);
  /// Waits for the next C-STORE-RSP. Errors: closed, timeout, malformed.
  Result<StoreResponse> receive();
  /// A C-FIND of the first accepted context, waited for: how many responses were pending. Errors: those of
  /// receive(), refused (it did not end with Success).
  Result<std::uint64_t> find(std::string_view identifier, std::uint16_t message_id);
  Result<> release();

  /// Operations that may be outstanding, as negotiated.
  unsigned window() const noexcept { return window_; }

 private:
  struct Context {
    std::string sop_class_uid, transfer_syntax_uid;
    bool accepted = false;
  };

  explicit Association(int fd) : fd_(fd), input_(64u << 10) {}
  Result<> connect(const AssociationOptions& options);
  Result<> negotiate(const AssociationOptions& options);
  Result<> read_exactly(std::size_t bytes);  ///< fills input_ so that at least `bytes` lie from at_
  Result<std::pair<std::uint8_t, Bytes>> read_pdu();
  Result<std::string> read_command_set();  ///< of the next message; data sets are passed over
  Result<> write_all(std::vector<std::pair<const void*, std::size_t>>& pieces);

  int fd_ = -1;
  bool delayed_ack_ = false;
  unsigned window_ = 1;
  std::uint32_t peer_pdu_bytes_ = 16384;
  std::vector<Context> contexts_;
  std::vector<std::byte> input_;
  std::size_t at_ = 0, end_ = 0;
  std::vector<std::byte> pdu_heads_;
  std::vector<std::pair<const void*, std::size_t>> pieces_;
};

}  // namespace cairn::load
