// C-STORE as SCP (PS3.4 Annex B): data sets go into the archive byte for byte; the answer is success only when the
// archive says durable.
#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include "engine/core/log.h"
#include "engine/core/uid.h"
#include "engine/dicom/meta.h"
#include "engine/dimse/discard.h"
#include "engine/dimse/session.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {

using dicom::CommandSet;

MutableBytes scratch() noexcept {
  alignas(64) thread_local std::array<std::byte, 64u << 10> bytes;
  return bytes;
}

namespace {

// Hands the data set on to the archive. The first error stays here; what follows is read and dropped.
class StoreSink final : public net::DataSink {
 public:
  explicit StoreSink(std::unique_ptr<archive::Receiver> receiver) : receiver_(std::move(receiver)) {}

  Task<MutableBytes> room() override {
    if (!receiver_) co_return scratch();
    auto room = co_await receiver_->room();
    if (room) co_return room;
    fail_with(room.error());
    co_return scratch();
  }
  Result<> received(std::size_t bytes) override {
    if (!receiver_) return outcome::success();
    const auto taken = receiver_->received(bytes);
    if (!taken) fail_with(taken.error());
    return outcome::success();
  }
  void relieve() override {
    if (receiver_) receiver_->relieve();
  }
  Task<> begin(std::string meta) {
    const auto written = co_await receiver_->write(as_bytes(meta));
    if (!written) fail_with(written.error());
    co_return outcome::success();
  }

  const std::optional<Error>& error() const noexcept { return error_; }
  std::unique_ptr<archive::Receiver> take() noexcept { return std::move(receiver_); }

 private:
  void fail_with(const Error& error) {
    error_ = error;
    receiver_.reset();
  }
  std::unique_ptr<archive::Receiver> receiver_;
  std::optional<Error> error_;
};

std::optional<Error> fault_of(const CommandSet& request, const Context& context) {
  if (!request.has_data_set()) return fail(Errc::missing, "data set of C-STORE-RQ");
  if (!is_usable_uid(request.affected_sop_instance_uid)) {
    return fail(request.affected_sop_instance_uid.empty() ? Errc::missing : Errc::malformed,
                "Affected SOP Instance UID");
  }
  if (request.affected_sop_class_uid.empty()) return fail(Errc::missing, "Affected SOP Class UID");
  if (request.affected_sop_class_uid != context.abstract_syntax) {
    return fail(Errc::mismatch, "Affected SOP Class UID and presentation context");
  }
  return std::nullopt;
}

StoreAnswer group_of(Status status) noexcept {
  switch (status) {
    case Status::success:
      return StoreAnswer::success;
    case Status::out_of_resources:
      return StoreAnswer::out_of_resources;
    case Status::data_set_does_not_match_sop_class:
      return StoreAnswer::mismatch;
    case Status::cannot_understand:
      return StoreAnswer::cannot_understand;
    case Status::duplicate_sop_instance:
      return StoreAnswer::duplicate;
    default:
      return StoreAnswer::other;
  }
}

}  // namespace

Task<> Session::store(const Context& context, std::uint8_t context_id, CommandSet request) {
  const auto began = net::Clock::now();
  co_await until_in_flight_below(agreement_.window);
  std::optional<Error> fault = fault_of(request, context);
  std::unique_ptr<archive::Receiver> receiver;
  if (!fault) {
    archive::Source source{calling_ae_, called_ae_, association_->peer_address(), store::Via::dimse, duplicates_};
    archive::Announced announced{request.affected_sop_class_uid, request.affected_sop_instance_uid,
                                 context.transfer_syntax};
    auto opened = env_->archive.receive(std::move(source), std::move(announced));
    if (opened) {
      receiver = std::move(opened.value());
    } else {
      fault = opened.error();
    }
  }
  if (fault) {
    if (request.has_data_set()) {
      Discard discard;
      CAIRN_CO_TRYV(co_await association_->receive_data(context_id, discard));
    }
    answer_store(context_id, request, &*fault, began);
    co_return outcome::success();
  }

  StoreSink sink(std::move(receiver));
  CAIRN_CO_TRYV(co_await sink.begin(dicom::make_file_meta(
      request.affected_sop_class_uid, request.affected_sop_instance_uid, context.transfer_syntax, calling_ae_)));
  CAIRN_CO_TRYV(co_await association_->receive_data(context_id, sink));
  if (sink.error()) {
    answer_store(context_id, request, &*sink.error(), began);
    co_return outcome::success();
  }
  if (agreement_.window == 1) {
    co_await commit(sink.take(), context_id, std::move(request), began);
    co_return outcome::success();
  }
  ++in_flight_;
  auto pending = commit(sink.take(), context_id, std::move(request), began);
  asio::co_spawn(association_->executor(), std::move(pending), [self = shared_from_this()](std::exception_ptr e) {
    if (e) log::error("commit of an instance threw", {{"peer", self->association_->peer_address()}});
    if (e) self->association_->close();
    --self->in_flight_;
    self->wake();
  });
  co_return outcome::success();
}

void Session::answer_store(std::uint8_t context_id, const CommandSet& request, const Error* error,
                           net::Clock::time_point began) {
  Counters& counters = env_->counters;
  const Status status = error == nullptr ? Status::success : store_status(*error);
  counters.stores[static_cast<std::size_t>(group_of(status))].fetch_add(1, std::memory_order_relaxed);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(net::Clock::now() - began).count();
  counters.store_us.record(static_cast<std::uint64_t>(took));
  if (error == nullptr) {
    ++stored_;
    respond(context_id, dicom::make_response(request, 0));
    return;
  }
  ++failed_;
  log::warning("store refused",
               {{"peer", association_->peer_address()},
                {"calling", calling_ae_},
                // What is no UID could be anything, a patient's name too.
                {"sop_instance", is_usable_uid(request.affected_sop_instance_uid) ? request.affected_sop_instance_uid
                                                                                  : std::string("(no UID)")},
                {"status", static_cast<unsigned>(status)},
                {"error", *error}});
  respond(context_id, failure(request, status, *error));
}

}  // namespace cairn::dimse
