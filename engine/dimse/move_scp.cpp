// C-MOVE as SCP (PS3.4 §C.4.2): runs beside the association's loop, which sees the cancel; so it may also go on when the
// requester has gone.
#include <boost/asio/co_spawn.hpp>

#include "engine/core/log.h"
#include "engine/dimse/mover.h"
#include "engine/dimse/session.h"
#include "engine/dimse/status.h"

namespace cairn::dimse {

using dicom::CommandSet;

namespace {
constexpr std::size_t kMostMoves = 16;  // of one association at once
constexpr std::size_t kMostQueuedBytes = 64u << 10;
}  // namespace

Task<> Session::move(const Context& context, std::uint8_t context_id, CommandSet request) {
  const auto began = net::Clock::now();
  env_->counters.moves.fetch_add(1, std::memory_order_relaxed);
  const std::string& title = request.move_destination;
  Remotes::Entry* destination = env_->remotes.find(title);
  if (title == env_->options.ae_title) {
    co_return co_await refuse(context_id, request, Status::move_destination_unknown,
                              fail(Errc::conflict, "Move Destination is this archive itself"));
  }
  if (destination == nullptr) {
    co_return co_await refuse(context_id, request, Status::move_destination_unknown,
                              fail(Errc::not_found, "Move Destination"));
  }
  if (moves_.size() >= kMostMoves || moves_.contains(*request.message_id)) {
    co_return co_await refuse(context_id, request, Status::unable_to_perform_sub_operations,
                              fail(Errc::limit_exceeded, "moves of one association"));
  }
  const bool patient_root = context.abstract_syntax == dicom::uids::kPatientRootMove;
  CAIRN_CO_TRY(auto retrieve, co_await begin_retrieve(context, context_id, request, patient_root));
  if (!retrieve) co_return outcome::success();

  MoveOrder order;
  order.our_ae = env_->options.ae_title;
  order.originator_ae = calling_ae_;
  order.originator_message_id = *request.message_id;
  order.priority = request.priority.value_or(0);
  order.set = std::move(retrieve->set);
  auto mover = std::make_shared<Mover>(*destination, std::move(order), env_->archive, env_->pool,
                                       association_->executor());
  moves_[*request.message_id] = mover;
  association_->set_peer_waits(true);
  const std::uint16_t message_id = *request.message_id;
  auto life = run_move(shared_from_this(), std::move(mover), context, context_id, std::move(request),
                       std::move(*retrieve), began);
  asio::co_spawn(association_->executor(), std::move(life),
                 [self = shared_from_this(), message_id](std::exception_ptr e) {
                   if (e) log::error("a move threw", {{"peer", self->association_->peer_address()}});
                   self->moves_.erase(message_id);
                   self->association_->set_peer_waits(!self->moves_.empty());
                   self->wake();
                 });
  co_return outcome::success();
}

asio::awaitable<void> Session::run_move(std::shared_ptr<Session> self, std::shared_ptr<Mover> mover, Context context,
                                        std::uint8_t context_id, CommandSet request, Retrieve retrieve,
                                        net::Clock::time_point began) {
  net::Association& association = *self->association_;
  const SubOperations& operations = mover->operations();
  std::function<void()> progress = [&] {
    if (operations.remaining() == 0 || !association.established() || mover->stopped()) return;
    if (association.queued_bytes() > kMostQueuedBytes) return;  // a requester that does not read
    self->respond(context_id, operations.pending(request));
  };
  co_await mover->run(std::move(progress));
  const Error gone = fail(Errc::closed, "the requester is gone");
  self->end_retrieve("move", context, context_id, request, retrieve, operations,
                     mover->stopped() && operations.remaining() != 0, began,
                     association.established() ? nullptr : &gone);
}

// The association is over: what was asked for by A-ABORT is no longer wanted; a lost connection is as configured.
void Session::requester_gone() {
  const net::End end = association_->end();
  const bool stop = stopping_ || end == net::End::peer_aborted || !env_->options.moves_outlive_requester;
  for (auto& [id, mover] : moves_) {
    if (stop) mover->stop(false);
  }
}

}  // namespace cairn::dimse
