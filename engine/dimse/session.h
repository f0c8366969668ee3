// One association as acceptor: set-up, the loop over its messages, the services, and its line in the log.
//
// Lives on its connection's core, held by shared_ptr: by the loop and by each store whose commit is pending, so that a
// vanished peer tears nothing. Internal to the DIMSE server.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/archive/archive.h"
#include "engine/dicom/dimse_message.h"
#include "engine/dimse/access.h"
#include "engine/dimse/negotiation.h"
#include "engine/dimse/retrieve.h"
#include "engine/dimse/stats.h"
#include "engine/dimse/status.h"
#include "engine/net/association.h"

namespace cairn::dimse {

class Commitments;

/// What sessions share. Immutable but for the counters and `draining`; outlives every session.
struct SessionEnvironment {
  Options options;
  AccessList access;
  Remotes remotes;
  archive::Archive& archive;
  io::WorkerPool& pool;
  Counters counters;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> collected_bytes{0};  ///< of long identifiers and action information
  std::shared_ptr<Commitments> commitments{};  ///< null: none are taken; set before the first session
};

class Mover;
class ObjectFeed;

/// A C-GET or C-MOVE that may begin.
struct Retrieve {
  std::string level;
  RetrieveSet set;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::unique_ptr<net::Stream> stream, std::shared_ptr<SessionEnvironment> environment);

  /// The whole life of the connection; to be spawned on the stream's executor. Never throws for what a peer does.
  asio::awaitable<void> run();

  /// From the session's executor: ends it, at once or when no message is under way.
  void stop(bool at_once);
  bool in_setup() const noexcept { return phase_.load(std::memory_order_relaxed) != Phase::established; }
  asio::any_io_executor executor() { return association_->executor(); }

  /// Sends the N-EVENT-REPORT of a storage commitment (`information` in Explicit VR Little Endian) and waits for its
  /// answer. From the session's executor. False: the peer is gone, or did not take it.
  asio::awaitable<bool> report_commitment(std::string information, std::uint16_t event);

 private:
  enum class Phase : std::uint8_t { setup, established, ending };

  Task<> set_up();
  Task<> serve();
  Task<> dispatch(std::uint8_t context_id, dicom::CommandSet request);
  void reject(std::uint8_t result, std::uint8_t source, std::uint8_t reason, const char* why);

  Task<> echo(const Context& context, std::uint8_t context_id, const dicom::CommandSet& request);
  Task<> store(const Context& context, std::uint8_t context_id, dicom::CommandSet request);
  Task<> find(const Context& context, std::uint8_t context_id, dicom::CommandSet request);
  Task<> move(const Context& context, std::uint8_t context_id, dicom::CommandSet request);
  static asio::awaitable<void> run_move(std::shared_ptr<Session> self, std::shared_ptr<Mover> mover, Context context,
                                        std::uint8_t context_id, dicom::CommandSet request, Retrieve retrieve,
                                        net::Clock::time_point began);
  void requester_gone();
  asio::awaitable<void> until_moves_end();
  Task<> commit_action(const Context& context, std::uint8_t context_id, dicom::CommandSet request);
  /// Takes in the answer to a report of ours, its data set too. False: `command` is none.
  Task<bool> take_report_answer(std::uint8_t context_id, const dicom::CommandSet& command);
  bool report_answered(const dicom::CommandSet& response);
  void reports_lost();
  Task<> get(const Context& context, std::uint8_t context_id, dicom::CommandSet request);

  /// Reads the identifier of a C-GET or C-MOVE and finds what it names. Empty: it was refused, and that was told.
  Task<std::optional<Retrieve>> begin_retrieve(const Context& context, std::uint8_t context_id,
                                               dicom::CommandSet& request, bool patient_root);
  /// Counts, logs and, unless the peer is gone (`lost`), tells how it ended.
  void end_retrieve(const char* service, const Context& context, std::uint8_t context_id,
                    const dicom::CommandSet& request, const Retrieve& retrieve, const SubOperations& operations,
                    bool cancelled, net::Clock::time_point began, const Error* lost);
  /// Sends what `feed` gives over this association.
  Task<> send_instances(ObjectFeed& feed, std::uint8_t context_id, const dicom::CommandSet& request,
                        SubOperations& operations, bool& is_cancelled);
  /// The peer's response to the C-STORE `message_id` of a C-GET; meanwhile it may cancel the C-GET.
  Task<dicom::CommandSet> sub_operation_response(std::uint16_t message_id, std::uint16_t get_message_id,
                                                 bool& cancelled);
  /// Reads the data set of a request that is refused, and refuses it.
  Task<> refuse(std::uint8_t context_id, const dicom::CommandSet& request, Status status, Error error);

  asio::awaitable<void> commit(std::unique_ptr<archive::Receiver> receiver, std::uint8_t context_id,
                               dicom::CommandSet request, net::Clock::time_point began);
  void answer_store(std::uint8_t context_id, const dicom::CommandSet& request, const Error* error,
                    net::Clock::time_point began);
  asio::awaitable<void> until_in_flight_below(unsigned limit);
  void wake();
  /// Has the peer cancelled this request? Takes in what came before the cancel, and the cancel. Errors: the peer is
  /// gone.
  Task<bool> cancelled(std::uint16_t message_id);
  void respond(std::uint8_t context_id, const dicom::CommandSet& response, Bytes data = {});
  void log_end(const Error* error);

  std::shared_ptr<SessionEnvironment> env_;
  std::shared_ptr<net::Association> association_;
  Agreement agreement_;
  std::string calling_ae_, called_ae_;
  store::DuplicatePolicy duplicates_ = store::DuplicatePolicy::keep;
  std::atomic<Phase> phase_{Phase::setup};  ///< relaxed: read by the acceptor to choose whom to evict
  bool stopping_ = false;
  bool between_messages_ = false;

  unsigned in_flight_ = 0;                                 ///< stores whose commit is pending
  std::map<std::uint16_t, std::shared_ptr<Mover>> moves_;  ///< that run, by message ID
  struct Report;
  std::map<std::uint16_t, std::shared_ptr<Report>> reports_;  ///< of ours that wait for an answer, by message ID
  std::set<std::uint16_t> late_reports_;                      ///< that were given up; their answers may still come
  struct Wakeup;
  std::shared_ptr<Wakeup> wakeup_;

  const net::Clock::time_point began_ = net::Clock::now();
  std::uint64_t stored_ = 0, failed_ = 0;
  std::uint16_t last_message_id_ = 0;  ///< of our own requests
  const char* why_ = "";               ///< of a rejection
};

}  // namespace cairn::dimse
