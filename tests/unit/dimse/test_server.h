// A server over a MemoryArchive on two reactors, and a peer that says exactly the bytes that a test gives it.
#pragma once

#include <thread>

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/dicom/dimse_message.h"
#include "engine/dicom/pdu.h"
#include "engine/dicom/sop_classes.h"
#include "engine/dimse/server.h"
#include "tests/unit/dimse/memory_archive.h"

namespace cairn::test {

class TestServer {
 public:
  explicit TestServer(dimse::Options options = {}) {
    options.port = 0;
    for (auto& reactor : reactors_) reactor = std::make_unique<asio::io_context>(1);
    auto started = dimse::Server::start(options, archive, pool_, {reactors_[0].get(), reactors_[1].get()});
    CAIRN_CHECK(started.has_value());
    server = std::move(started.value());
    for (auto& reactor : reactors_) {
      threads_.emplace_back([&reactor] {
        const auto work = asio::make_work_guard(*reactor);
        reactor->run();
      });
    }
  }
  ~TestServer() {
    server->stop(std::chrono::seconds(2));
    for (auto& reactor : reactors_) reactor->stop();
    for (auto& thread : threads_) thread.join();
    EXPECT_EQ(server->stats().connections_open, 0u);
    EXPECT_EQ(archive.open_receivers, 0);
    server.reset();  // before its reactors
  }
  std::uint16_t port() const { return server->port(); }
  /// Runs a coroutine on a reactor to its end.
  template <class T>
  void run(asio::awaitable<T> work) {
    asio::co_spawn(*reactors_[1], std::move(work), asio::use_future).get();
  }

  MemoryArchive archive;
  std::unique_ptr<dimse::Server> server;

 private:
  io::WorkerPool pool_{2, "test"};
  std::unique_ptr<asio::io_context> reactors_[2];
  std::vector<std::thread> threads_;
};

class Peer {
 public:
  explicit Peer(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Exactly `n` bytes, fewer at the end of the stream or after the time.
  std::string receive(std::size_t n, int timeout_ms = 5000) {
    std::string out;
    while (out.size() < n && readable(timeout_ms)) {
      char buffer[4096];
      const auto got = ::recv(fd_, buffer, std::min(sizeof buffer, n - out.size()), 0);
      if (got <= 0) break;
      out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }
  std::string receive_pdu(int timeout_ms = 5000) {
    std::string pdu = receive(6, timeout_ms);
    if (pdu.size() == 6) pdu += receive(dicom::pdu::read_header(as_bytes(pdu).data()).length, timeout_ms);
    return pdu;
  }
  bool closed_by_peer(int timeout_ms = 5000) {
    char c;
    return readable(timeout_ms) && ::recv(fd_, &c, 1, 0) <= 0;
  }
  /// The next response; its data set goes to `data`.
  dicom::CommandSet response(std::string* data = nullptr) {
    std::string command;
    for (bool command_done = false;;) {
      const std::string pdu = receive_pdu();
      if (pdu.size() < 12 || pdu[0] != 4) {
        ADD_FAILURE() << "no response but PDU type " << (pdu.empty() ? -1 : pdu[0]);
        return {};
      }
      const bool is_command = (pdu[11] & 1) != 0, last = (pdu[11] & 2) != 0;
      if (is_command) command += pdu.substr(12);
      if (!is_command && data != nullptr) *data += pdu.substr(12);
      command_done = command_done || (is_command && last);
      if (!last || !command_done) continue;
      auto decoded = dicom::decode_command(as_bytes(command));
      if (!decoded) {
        ADD_FAILURE() << to_string(decoded.error());
        return {};
      }
      if (is_command && decoded.value().has_data_set()) continue;
      return decoded.value();
    }
  }

  static dicom::pdu::AssociateRQ request() {
    dicom::pdu::AssociateRQ rq;
    rq.called_ae = "CAIRN";
    rq.calling_ae = "PEER";
    rq.application_context = dicom::uids::kApplicationContext;
    rq.contexts.push_back({1, std::string(dicom::uids::kVerification), {"1.2.840.10008.1.2"}});
    rq.contexts.push_back({3, std::string(dicom::uids::kCTImageStorage), {"1.2.840.10008.1.2.1"}});
    rq.contexts.push_back({5, std::string(dicom::uids::kStudyRootFind), {"1.2.840.10008.1.2"}});
    rq.user.max_length = 16384;
    rq.user.implementation_class_uid = "2.25.1";
    return rq;
  }
  dicom::pdu::AssociateAC associate(const dicom::pdu::AssociateRQ& rq = request()) {
    send(dicom::pdu::encode(rq));
    const std::string pdu = receive_pdu();
    if (pdu.size() < 6 || pdu[0] != 2) {
      ADD_FAILURE() << "not accepted: " << (pdu.empty() ? -1 : pdu[0]);
      return {};
    }
    return dicom::pdu::decode_associate_ac(as_bytes(pdu).subspan(6)).value();
  }
  static dicom::CommandSet echo_request(std::uint16_t message_id) {
    dicom::CommandSet c;
    c.command = dicom::CommandField::c_echo_rq;
    c.affected_sop_class_uid = dicom::uids::kVerification;
    c.message_id = message_id;
    return c;
  }
  static dicom::CommandSet store_request(std::uint16_t message_id, std::string instance) {
    dicom::CommandSet c;
    c.command = dicom::CommandField::c_store_rq;
    c.affected_sop_class_uid = dicom::uids::kCTImageStorage;
    c.affected_sop_instance_uid = std::move(instance);
    c.message_id = message_id;
    c.priority = 0;
    c.data_set_type = 0;
    return c;
  }
  static std::string message(std::uint8_t context, const dicom::CommandSet& command, std::string_view data = {},
                             std::uint32_t max = 16384) {
    std::string wire;
    dicom::pdu::append_p_data(wire, context, true, as_bytes(dicom::encode_command(command)), max);
    if (command.has_data_set()) dicom::pdu::append_p_data(wire, context, false, as_bytes(data), max);
    return wire;
  }
  /// The association still answers a C-ECHO.
  bool alive() {
    send(message(1, echo_request(999)));
    const auto r = response();
    return r.status == 0 && r.message_id_being_responded_to == 999;
  }

  bool connected = false;

 private:
  bool readable(int timeout_ms) {
    pollfd p{fd_, POLLIN, 0};
    return ::poll(&p, 1, timeout_ms) == 1;
  }
  int fd_ = -1;
};

}  // namespace cairn::test
