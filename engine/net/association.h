// One association over a stream (PS3.8): the upper layer protocol, its timers, and the exchange of DIMSE messages as
// command bytes and data. The data of a message goes from the socket straight into memory that a DataSink names.
//
// Belongs to its stream's executor: all calls come from there. Held by shared_ptr; a pending write keeps it alive.
// One coroutine reads (indication, next_command, receive_data, finish); any on the same executor may send.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "engine/core/task.h"
#include "engine/net/stream.h"
#include "engine/net/upper_layer.h"

namespace cairn::net {

struct AssociationOptions {
  std::uint32_t max_pdu_bytes = 256u << 10;  ///< the maximum length that we announce
  std::chrono::milliseconds artim{30'000};   ///< for the A-ASSOCIATE-RQ, and for the peer to close after the end
  std::chrono::milliseconds idle{600'000};   ///< between messages
  std::chrono::milliseconds stall{60'000};   ///< without a byte inside a message; also for our writes
};

/// Where the data set of a message goes.
class DataSink {
 public:
  virtual ~DataSink() = default;
  /// Memory for the next bytes, never empty; valid until the next call of any member.
  virtual Task<MutableBytes> room() = 0;
  /// The first `bytes` of room() are filled. An error ends the association: sinks that want the rest drained keep
  /// their error to themselves.
  virtual Result<> received(std::size_t bytes) = 0;
  /// The peer sends nothing just now: give up memory that others wait for.
  virtual void relieve() = 0;
};

/// Where the data set of a message to the peer comes from, in pieces.
class DataSource {
 public:
  virtual ~DataSource() = default;
  struct Piece {
    Bytes bytes;  ///< of any length, valid until the next call of next()
    bool last = false;
  };
  /// Not called again after the last piece. An error ends the association: the peer has a part of the data set then.
  virtual Task<Piece> next() = 0;
};

/// How an association ended, for the log.
enum class End : std::uint8_t { open, released, rejected, peer_aborted, we_aborted, connection_lost };
const char* to_string(End end) noexcept;

class Association : public std::enable_shared_from_this<Association> {
 public:
  Association(std::unique_ptr<Stream> stream, Role role, AssociationOptions options);

  // --- acceptor
  /// Errors: timeout (ARTIM), closed, malformed and others of a bad request (an A-ABORT is queued then).
  Task<dicom::pdu::AssociateRQ> indication();
  void accept(const dicom::pdu::AssociateAC& acceptance, std::uint32_t peer_max_length);
  void reject(const dicom::pdu::AssociateRJ& rejection);
  void respond_to_release();

  // --- requestor
  /// Errors: refused (rejection() has it), timeout, closed, malformed.
  Task<dicom::pdu::AssociateAC> request(dicom::pdu::AssociateRQ request);
  const dicom::pdu::AssociateRJ& rejection() const noexcept { return upper_layer_.associate_rj(); }
  Task<> release();

  // --- both
  struct Incoming {
    bool release = false;  ///< the peer asks for release; no command
    std::uint8_t context_id = 0;
    std::string command;  ///< at most dicom::kMaxCommandBytes
  };
  /// The next command set. Errors end the association: closed, timeout, malformed, limit_exceeded.
  Task<Incoming> next_command();
  /// The data set that follows the command, to its last fragment.
  Task<> receive_data(std::uint8_t context_id, DataSink& sink);

  /// The next command's bytes when it has arrived whole already, without taking it; never waits. Errors: closed.
  Result<std::optional<Bytes>> peek_command();

  /// Queues a command, with a small data set when it has one; goes out, together with others of this turn of the reactor, in one write.
  /// Ignored when the association is over.
  void send_command(std::uint8_t context_id, std::string_view command, Bytes data = {});
  /// Sends a message. Waits until what is queued is below a small limit. `data` lives until this returns.
  Task<> send_message(std::uint8_t context_id, std::string command, Bytes data);
  /// As above, together with what is queued, in few large writes; `source` lives until this returns.
  Task<> send_message(std::uint8_t context_id, std::string command, DataSource& source);
  /// Writes now what fits of what is queued.
  void flush();
  /// Waits until at most `bytes` wait to be written.
  Task<> drained(std::size_t bytes);
  std::size_t queued_bytes() const noexcept { return outbox_.size(); }
  /// While set, silence between messages is no timeout: the peer waits for us.
  void set_peer_waits(bool waits) noexcept { peer_waits_ = waits; }

  /// A-ABORT by the service user, if the association still is one.
  void abort(dicom::pdu::Abort abort = {});
  /// The last call: sends what is queued, waits for the peer to close for at most ARTIM, closes.
  Task<> finish();
  /// From the executor: ends every wait at once.
  void close() noexcept;

  bool established() const noexcept { return upper_layer_.state() == State::Sta6; }
  End end() const noexcept { return end_; }
  std::uint64_t received_bytes() const noexcept { return received_bytes_; }
  const std::string& peer_address() const noexcept { return stream_->peer_address(); }
  asio::any_io_executor executor() { return stream_->executor(); }

 private:
  Bytes inbox() const noexcept { return {inbox_.get() + inbox_begin_, inbox_end_ - inbox_begin_}; }
  /// `sink`, inside a data set, is asked to relieve while nothing comes.
  Task<> fill(Deadline deadline, DataSink* sink = nullptr);
  Task<Indication> next(std::chrono::milliseconds patience, DataSink* sink = nullptr);
  Task<> take_command_fragment(std::string& command);
  Task<> wait_for_data(DataSink& sink, Deadline limit);
  asio::awaitable<void> yield();
  Error ended(Indication indication);
  Error lost();
  Error violation(Errc code, const char* where, std::uint8_t abort_reason);
  void set_contexts(const dicom::pdu::AssociateAC& acceptance);
  void queue_output();
  void schedule_flush();
  asio::awaitable<void> flush_slowly();
  Task<> until_not_writing();
  Task<> write_stream(std::uint8_t context_id, std::string head, DataSource& source);
  Task<> write_all(std::span<Bytes> pieces);
  Deadline artim_deadline() noexcept;

  std::unique_ptr<Stream> stream_;
  AssociationOptions options_;
  UpperLayer upper_layer_;
  End end_ = End::open;
  std::bitset<256> contexts_;  ///< accepted presentation contexts by ID
  std::uint32_t peer_max_length_ = 0;

  std::unique_ptr<std::byte[]> inbox_;  ///< made when the first bytes are there
  std::size_t inbox_begin_ = 0, inbox_end_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::size_t bytes_since_yield_ = 0;
  std::uint32_t artim_seen_ = 0;
  Deadline artim_deadline_{};

  std::string outbox_;
  bool flush_scheduled_ = false;
  bool writing_ = false;  ///< a coroutine writes: nobody else may
  bool broken_ = false;   ///< a write failed
  bool peer_waits_ = false;
  struct DrainSignal;
  std::shared_ptr<DrainSignal> drain_;
};

}  // namespace cairn::net
