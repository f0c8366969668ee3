#include "engine/dimse/session.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/log.h"
#include "engine/dimse/discard.h"
#include "engine/dimse/mover.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {

namespace pdu = dicom::pdu;
using dicom::CommandField;
using dicom::CommandSet;

struct Session::Wakeup {
  explicit Wakeup(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

Session::Session(std::unique_ptr<net::Stream> stream, std::shared_ptr<SessionEnvironment> environment)
    : env_(std::move(environment)) {
  const Options& o = env_->options;
  const net::AssociationOptions options{
      .max_pdu_bytes = o.max_pdu_bytes, .artim = o.artim, .idle = o.idle, .stall = o.stall};
  association_ = std::make_shared<net::Association>(std::move(stream), net::Role::acceptor, options);
  wakeup_ = std::make_shared<Wakeup>(association_->executor());
}

asio::awaitable<void> Session::run() {
  const auto keep = shared_from_this();
  auto result = co_await set_up();
  if (result && phase_.load(std::memory_order_relaxed) == Phase::established) {
    result = co_await serve();
    env_->counters.associations_open.fetch_sub(1, std::memory_order_relaxed);
  }
  requester_gone();
  reports_lost();
  // Moves that go on keep the connection from being taken for a half-open one.
  if (moves_.empty()) phase_.store(Phase::ending, std::memory_order_relaxed);
  if (!result) association_->abort();
  (void)co_await association_->finish();
  co_await until_moves_end();
  phase_.store(Phase::ending, std::memory_order_relaxed);
  log_end(result ? nullptr : &result.error());
}

void Session::stop(bool at_once) {
  stopping_ = true;
  for (auto& [id, mover] : moves_) mover->stop(at_once);
  reports_lost();
  if (at_once || phase_.load(std::memory_order_relaxed) != Phase::established) {
    association_->close();
  } else if (between_messages_ && in_flight_ == 0 && moves_.empty()) {
    association_->abort();
    association_->flush();
    association_->close();
  }
}

void Session::reject(std::uint8_t result, std::uint8_t source, std::uint8_t reason, const char* why) {
  why_ = why;
  association_->reject({result, source, reason});
  env_->counters.rejected.fetch_add(1, std::memory_order_relaxed);
}

Task<> Session::set_up() {
  using RJ = pdu::AssociateRJ;
  CAIRN_CO_TRY(const pdu::AssociateRQ request, co_await association_->indication());
  calling_ae_ = request.calling_ae;
  called_ae_ = request.called_ae;
  if (request.application_context != dicom::uids::kApplicationContext) {
    reject(1, 1, RJ::application_context_not_supported, "application context not supported");
    co_return outcome::success();
  }
  const auto answer = env_->access.check(calling_ae_, called_ae_, association_->peer_address());
  duplicates_ = answer.duplicates;
  if (answer.verdict == AccessList::Verdict::unknown_called_ae) {
    reject(1, 1, RJ::called_ae_not_recognized, "called AE title not recognized");
    co_return outcome::success();
  }
  if (answer.verdict == AccessList::Verdict::unknown_calling_ae) {
    reject(1, 1, RJ::calling_ae_not_recognized, "calling AE title not recognized");
    co_return outcome::success();
  }
  if (env_->draining.load(std::memory_order_relaxed)) {
    reject(2, 3, RJ::temporary_congestion, "shutting down");
    co_return outcome::success();
  }
  if (env_->counters.associations_open.fetch_add(1, std::memory_order_relaxed) >= env_->options.max_associations) {
    env_->counters.associations_open.fetch_sub(1, std::memory_order_relaxed);
    reject(2, 3, RJ::local_limit_exceeded, "as many associations as allowed are open");
    co_return outcome::success();
  }
  agreement_ = negotiate(request, env_->options);
  association_->accept(agreement_.acceptance, agreement_.peer_max_length);
  agreement_.acceptance = {};
  env_->counters.associations_total.fetch_add(1, std::memory_order_relaxed);
  phase_.store(Phase::established, std::memory_order_relaxed);
  co_return outcome::success();
}

Task<> Session::serve() {
  for (;;) {
    if (stopping_) co_return fail(Errc::cancelled, "shutting down");
    between_messages_ = true;
    auto incoming = co_await association_->next_command();
    between_messages_ = false;
    if (!incoming) {
      if (stopping_) co_return fail(Errc::cancelled, "shutting down");
      co_return incoming.error();
    }
    if (incoming.value().release) {
      co_await until_in_flight_below(1);
      association_->respond_to_release();
      co_return outcome::success();
    }
    CAIRN_CO_TRY(CommandSet request, dicom::decode_command(as_bytes(incoming.value().command)));
    CAIRN_CO_TRYV(co_await dispatch(incoming.value().context_id, std::move(request)));
    // A peer that sends requests and reads no answers is read no further.
    CAIRN_CO_TRYV(co_await association_->drained(64u << 10));
  }
}

Task<> Session::dispatch(std::uint8_t context_id, CommandSet request) {
  const Context* context = agreement_.context(context_id);
  if (context == nullptr) co_return fail(Errc::internal, "presentation context");
  CAIRN_CO_TRY(const bool taken, co_await take_report_answer(context_id, request));
  if (taken) co_return outcome::success();
  if (dicom::is_response(request.command)) {
    co_return fail(Errc::malformed, "response to a request that was never made");
  }
  switch (request.command) {
    case CommandField::c_cancel_rq:
      // What is not a move that runs has been answered already.
      if (const auto at = moves_.find(*request.message_id_being_responded_to); at != moves_.end()) {
        at->second->stop(false);
      }
      co_return outcome::success();
    case CommandField::c_echo_rq:
      co_return co_await echo(*context, context_id, request);
    case CommandField::c_store_rq:
      if (context->kind == dicom::SOPClassKind::storage) {
        co_return co_await store(*context, context_id, std::move(request));
      }
      break;
    case CommandField::c_find_rq:
      if (context->kind == dicom::SOPClassKind::query_find) {
        co_return co_await find(*context, context_id, std::move(request));
      }
      break;
    case CommandField::c_move_rq:
      if (context->kind == dicom::SOPClassKind::query_move) {
        co_return co_await move(*context, context_id, std::move(request));
      }
      break;
    case CommandField::c_get_rq:
      if (context->kind == dicom::SOPClassKind::query_get) {
        co_return co_await get(*context, context_id, std::move(request));
      }
      break;
    case CommandField::n_action_rq:
      if (context->kind == dicom::SOPClassKind::storage_commitment) {
        co_return co_await commit_action(*context, context_id, std::move(request));
      }
      break;
    default:
      break;
  }
  co_return co_await refuse(context_id, request, Status::unrecognized_operation,
                            fail(Errc::unsupported, "operation in this presentation context"));
}

Task<> Session::refuse(std::uint8_t context_id, const CommandSet& request, Status status, Error error) {
  if (request.has_data_set()) {
    Discard discard;
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, discard));
  }
  log::warning("request refused", {{"peer", association_->peer_address()},
                                   {"calling", calling_ae_},
                                   {"command", static_cast<unsigned>(request.command)},
                                   {"status", static_cast<unsigned>(status)},
                                   {"error", error}});
  respond(context_id, failure(request, status, error));
  co_return outcome::success();
}

Task<> Session::echo(const Context& context, std::uint8_t context_id, const CommandSet& request) {
  if (context.kind != dicom::SOPClassKind::verification) {
    co_return co_await refuse(context_id, request, Status::sop_class_not_supported,
                              fail(Errc::unsupported, "C-ECHO in this presentation context"));
  }
  if (request.has_data_set()) {
    Discard discard;
    CAIRN_CO_TRYV(co_await association_->receive_data(context_id, discard));
  }
  env_->counters.echoes.fetch_add(1, std::memory_order_relaxed);
  respond(context_id, dicom::make_response(request, 0));
  co_return outcome::success();
}

void Session::respond(std::uint8_t context_id, const CommandSet& response, Bytes data) {
  association_->send_command(context_id, dicom::encode_command(response), data);
}

asio::awaitable<void> Session::until_in_flight_below(unsigned limit) {
  while (in_flight_ >= limit) {
    wakeup_->timer.expires_at(net::Deadline::max());
    co_await wakeup_->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<void> Session::until_moves_end() {
  while (!moves_.empty()) {
    wakeup_->timer.expires_at(net::Deadline::max());
    co_await wakeup_->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Session::wake() {
  wakeup_->timer.cancel();
  if (stopping_) stop(false);
}

asio::awaitable<void> Session::commit(std::unique_ptr<archive::Receiver> receiver, std::uint8_t context_id,
                                      CommandSet request, net::Clock::time_point began) {
  const auto stored = co_await receiver->commit();
  receiver.reset();
  answer_store(context_id, request, stored ? nullptr : &stored.error(), began);
}

void Session::log_end(const Error* error) {
  Counters& counters = env_->counters;
  counters.received_bytes.fetch_add(association_->received_bytes(), std::memory_order_relaxed);
  const net::End end = association_->end();
  const bool clean = end == net::End::released || end == net::End::rejected;
  if (!clean) counters.aborted.fetch_add(1, std::memory_order_relaxed);
  const double seconds = std::chrono::duration<double>(net::Clock::now() - began_).count();
  const std::string fault = error != nullptr ? to_string(*error) : std::string(why_);
  log::write(clean && failed_ == 0 && end != net::End::rejected ? log::Level::info : log::Level::warning, "association",
             {{"peer", association_->peer_address()},
              {"calling", calling_ae_},
              {"called", called_ae_},
              {"instances", stored_},
              {"failed", failed_},
              {"bytes", association_->received_bytes()},
              {"seconds", seconds},
              {"end", net::to_string(end)},
              {"fault", fault}});
}

}  // namespace cairn::dimse
