// Storage Commitment Push Model as SCP (PS3.4 §J.3): the N-ACTION, and the N-EVENT-REPORT on the same association.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/log.h"
#include "engine/dimse/collect.h"
#include "engine/dimse/commitments.h"
#include "engine/dimse/discard.h"
#include "engine/dimse/session.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {

using dicom::CommandField;
using dicom::CommandSet;

namespace {

constexpr std::size_t kMaxInformationBytes = 16u << 20;
constexpr std::uint16_t kRequestCommitment = 1;
constexpr std::size_t kMostReports = 16;  // without an answer, on one association
constexpr auto kReportAnswer = std::chrono::seconds(30);

Status commitment_status(const Error& error) {
  if (error == Errc::missing) return Status::missing_attribute_value;
  if (error == Errc::conflict) return Status::duplicate_transaction_uid;
  if (error == Errc::limit_exceeded || error == Errc::out_of_space) return Status::resource_limitation;
  if (error == Errc::malformed || error == Errc::truncated) return Status::invalid_argument_value;
  return Status::processing_failure;
}

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

/// An N-EVENT-REPORT of ours that waits for its answer.
struct Session::Report {
  explicit Report(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
  std::optional<std::uint16_t> status;
};

Task<> Session::commit_action(const Context& context, std::uint8_t context_id, CommandSet request) {
  env_->counters.commitments.fetch_add(1, std::memory_order_relaxed);
  Collect data(kMaxInformationBytes, &env_->collected_bytes);
  if (request.has_data_set()) {
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, data));
  }
  request.data_set_type = dicom::kNoDataSet;  // read; refuse() is not to wait for it
  const auto refused = [&](Status status, Error error) { return refuse(context_id, request, status, error); };
  if (request.requested_sop_class_uid != dicom::uids::kStorageCommitment) {
    co_return co_await refused(Status::no_such_sop_class, fail(Errc::unsupported, "Requested SOP Class UID"));
  }
  if (request.requested_sop_instance_uid != dicom::uids::kStorageCommitmentInstance) {
    co_return co_await refused(Status::no_such_object_instance, fail(Errc::not_found, "Requested SOP Instance UID"));
  }
  if (request.action_type_id != kRequestCommitment) {
    co_return co_await refused(Status::no_such_action, fail(Errc::unsupported, "Action Type ID"));
  }
  if (!env_->commitments) {
    co_return co_await refused(Status::processing_failure, fail(Errc::unsupported, "storage commitment"));
  }
  if (data.too_long()) {
    co_return co_await refused(Status::resource_limitation, fail(Errc::limit_exceeded, "Action Information"));
  }
  const auto information = dicom::DataSet::parse(as_bytes(data.bytes()), dicom::encoding_of(context.transfer_syntax));
  if (!information) co_return co_await refused(commitment_status(information.error()), information.error());
  auto read = CommitmentRequest::read(information.value());
  if (!read) co_return co_await refused(commitment_status(read.error()), read.error());
  CommitmentRequest& wanted = read.value();
  wanted.requester_ae = calling_ae_;
  wanted.our_ae = called_ae_;
  wanted.received_s = now_s();
  auto keep = [commitments = env_->commitments, wanted]() mutable -> Result<CommitmentRequest> {
    CAIRN_TRYV(commitments->add(wanted));
    return std::move(wanted);
  };
  auto kept = co_await env_->pool.run(io::WorkClass::interactive, std::move(keep));
  if (!kept) co_return co_await refused(commitment_status(kept.error()), kept.error());
  CommandSet response = dicom::make_response(request, 0);
  response.action_type_id = kRequestCommitment;
  respond(context_id, response);
  env_->commitments->begin(std::move(kept).value(), weak_from_this());
  co_return outcome::success();
}

asio::awaitable<bool> Session::report_commitment(std::string information, std::uint16_t event) {
  const auto self = shared_from_this();
  std::uint8_t context_id = 0;
  const Context* context = nullptr;
  for (unsigned id = 1; id < 256 && context == nullptr; id += 2) {
    context = agreement_.context(static_cast<std::uint8_t>(id));
    context_id = static_cast<std::uint8_t>(id);
    if (context != nullptr && context->kind != dicom::SOPClassKind::storage_commitment) context = nullptr;
  }
  // During another operation its cancel must be the next thing read.
  const bool idle = between_messages_ && moves_.empty() && reports_.size() + late_reports_.size() < kMostReports;
  if (context == nullptr || stopping_ || !idle || !association_->established()) co_return false;
  const dicom::Encoding encoding = dicom::encoding_of(context->transfer_syntax);
  if (!(encoding.explicit_vr && !encoding.big_endian)) {
    const auto parsed = dicom::DataSet::parse(as_bytes(information), {true, false, false});
    if (!parsed) co_return false;
    information = parsed.value().encode(encoding);
  }
  CommandSet request;
  request.command = CommandField::n_event_report_rq;
  request.affected_sop_class_uid = dicom::uids::kStorageCommitment;
  request.affected_sop_instance_uid = dicom::uids::kStorageCommitmentInstance;
  request.message_id = ++last_message_id_;
  request.event_type_id = event;
  request.data_set_type = 0;
  const auto report = std::make_shared<Report>(association_->executor());
  const std::uint16_t id = *request.message_id;
  reports_[id] = report;
  respond(context_id, request, as_bytes(information));
  report->timer.expires_after(kReportAnswer);
  co_await report->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  reports_.erase(id);
  if (!report->status) late_reports_.insert(id);
  co_return report->status == 0;
}

Task<bool> Session::take_report_answer(std::uint8_t context_id, const CommandSet& command) {
  if (command.command != CommandField::n_event_report_rsp || !report_answered(command)) co_return false;
  if (command.has_data_set()) {  // Event Reply: there is none to this event
    Discard discard;
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, discard));
  }
  co_return true;
}

/// False: no report of ours has this message ID.
bool Session::report_answered(const CommandSet& response) {
  const auto at = reports_.find(*response.message_id_being_responded_to);
  if (at == reports_.end()) return late_reports_.erase(*response.message_id_being_responded_to) > 0;
  at->second->status = response.status.value_or(0);
  at->second->timer.cancel();
  return true;
}

void Session::reports_lost() {
  for (auto& [id, report] : reports_) report->timer.cancel();
}

}  // namespace cairn::dimse
