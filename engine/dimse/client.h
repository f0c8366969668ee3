// A small SCU: opens an association, verifies, stores data sets byte for byte, queries, releases. For C-MOVE,
// `cairn demo` and tests. Lives on the executor on which open() ran; one call at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/task.h"
#include "engine/dicom/data_set.h"
#include "engine/dicom/dimse_message.h"
#include "engine/dicom/pdu.h"
#include "engine/dimse/context_table.h"

namespace cairn::net {
class Association;
class DataSource;
}

namespace cairn::dimse {

struct ClientOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 11112;
  std::string called_ae = "CAIRN", calling_ae = "CAIRN_SCU";
  struct Proposal {
    std::string abstract_syntax;
    std::vector<std::string> transfer_syntaxes;
  };
  std::vector<Proposal> contexts;                  ///< at most 128
  std::vector<dicom::pdu::RoleSelection> roles;    ///< of ours, where we are not the SCU alone
  std::uint32_t max_pdu_bytes = 256u << 10;
  std::uint16_t async_window = 1;  ///< operations outstanding that we ask for
  std::chrono::milliseconds connect{10'000}, answer{60'000};
};

/// What a Part 10 file says of itself, and its data set where it lies.
struct StoreObject {
  std::string sop_class_uid, sop_instance_uid, transfer_syntax_uid;
  Bytes data_set;
  net::DataSource* source = nullptr;  ///< then the data set comes from here
  std::uint16_t priority = 0;
  std::string move_originator_ae{};  ///< empty: not of a C-MOVE
  std::uint16_t move_originator_message_id = 0;

  /// Errors: as dicom::read_prefix(); missing (the meta information lacks one of the three).
  static Result<StoreObject> from_part10(Bytes file);
};

class StoreClient {
 public:
  /// Errors: refused (rejected for good), closed (rejected for now, or nobody listens), timeout, not_found (the name),
  /// io.
  static Task<std::unique_ptr<StoreClient>> open(ClientOptions options);
  ~StoreClient();  ///< without release(): closes the connection

  bool accepts(std::string_view sop_class_uid, std::string_view transfer_syntax_uid) const;
  unsigned window() const noexcept { return window_; }  ///< as negotiated

  /// Status of a C-ECHO. Errors: unsupported (no context), closed, timeout.
  Task<std::uint16_t> echo();

  /// Stores what `next` gives until it gives nothing, with as many outstanding as the window allows. A data set lives
  /// until `answered` was called for it: with its index from 0 and the response. An object without an accepted context
  /// is answered here with status 0122. Errors end the association.
  using Next = std::function<std::optional<StoreObject>()>;
  using Answered = std::function<void(std::size_t index, const dicom::CommandSet& response)>;
  Task<> store(Next next, Answered answered);

  /// Stores one; with none outstanding. Errors end the association, but unsupported: no accepted context.
  Task<dicom::CommandSet> store_one(const StoreObject& object);

  /// Queries; `match` gets each pending response and returns false to cancel. Returns the final status.
  using Matched = std::function<bool(dicom::DataSet&& match, std::uint16_t status)>;
  Task<std::uint16_t> find(std::string sop_class_uid, dicom::DataSet identifier, Matched match);

  /// Sends an N-EVENT-REPORT, as SCP of the class. Its status. Errors: unsupported (no context), closed, timeout.
  Task<std::uint16_t> report_event(std::string sop_class_uid, std::string sop_instance_uid, std::uint16_t event_type,
                                   dicom::DataSet information);

  Task<> release();
  /// Ends it at once, also for whoever waits for an answer.
  void abort();

  const ContextTable& contexts() const noexcept { return contexts_; }  ///< those that were accepted

 private:
  StoreClient() = default;
  dicom::CommandSet store_request(const StoreObject& object);
  Task<> send_store(const StoreObject& object, std::uint8_t context_id, const dicom::CommandSet& request);
  Task<dicom::CommandSet> next_response(std::uint8_t& context_id);

  std::shared_ptr<net::Association> association_;
  ContextTable contexts_;
  unsigned window_ = 1;
  std::uint16_t last_message_id_ = 0;
};

}  // namespace cairn::dimse
