#include "engine/web/commits.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/uid.h"

namespace cairn::web {

struct Commits::State {
  std::size_t most = 1;
  std::size_t under_way = 0;
  std::vector<StoreOutcome> outcomes;
  std::unique_ptr<asio::steady_timer> wake;  // cancelled when a commit ends

  static asio::awaitable<void> wait(std::shared_ptr<State> self, std::size_t until) {
    const auto executor = co_await asio::this_coro::executor;
    if (!self->wake) self->wake = std::make_unique<asio::steady_timer>(executor);
    while (self->under_way > until) {
      self->wake->expires_at(asio::steady_timer::time_point::max());
      auto waited = co_await self->wake->async_wait(asio::as_tuple(asio::use_awaitable));
      (void)waited;
    }
  }

  static asio::awaitable<void> commit(std::shared_ptr<State> self, std::shared_ptr<KeyedReceiver> receiver,
                                      std::size_t at, std::uint16_t warning) {
    StoreOutcome outcome;
    try {
      auto stored = co_await receiver->commit();
      if (!stored) {
        outcome = failed_outcome(receiver->key(), failure_reason_of(stored.error()));
      } else {
        auto& s = stored.value();
        outcome = {std::move(s.sop_class_uid),
                   std::move(s.sop_instance_uid),
                   std::move(s.study_instance_uid),
                   std::move(s.series_instance_uid),
                   0,
                   warning};
        if (s.outcome == store::Outcome::refused) outcome.failure = failure_reason::kDuplicateInstance;
      }
    } catch (const std::exception&) {
      outcome = failed_outcome(receiver->key(), failure_reason::kProcessingFailure);
    }
    self->outcomes[at] = std::move(outcome);
    --self->under_way;
    if (self->wake) self->wake->cancel();
  }
};

Commits::Commits(std::size_t most) : state_(std::make_shared<State>()) {
  state_->most = most;
}
Commits::~Commits() = default;

asio::awaitable<void> Commits::add(std::shared_ptr<KeyedReceiver> receiver, std::uint16_t warning) {
  const auto executor = co_await asio::this_coro::executor;
  const auto state = state_;
  co_await State::wait(state, state->most - 1);
  const std::size_t at = state->outcomes.size();
  state->outcomes.emplace_back();
  ++state->under_way;
  asio::co_spawn(executor, State::commit(state, std::move(receiver), at, warning), [](std::exception_ptr) {});
}

void Commits::add(StoreOutcome outcome) {
  state_->outcomes.push_back(std::move(outcome));
}

std::size_t Commits::size() const noexcept {
  return state_->outcomes.size();
}

asio::awaitable<std::vector<StoreOutcome>> Commits::finish() {
  const auto state = state_;
  co_await State::wait(state, 0);
  co_return std::move(state->outcomes);
}

StoreOutcome failed_outcome(const dicom::KeyAttributes& key, std::uint16_t reason) {
  StoreOutcome out;
  if (is_usable_uid(key.sop_instance_uid)) out.sop_instance_uid = key.sop_instance_uid;
  if (is_usable_uid(key.sop_class_uid)) out.sop_class_uid = key.sop_class_uid;
  out.failure = reason;
  return out;
}

}  // namespace cairn::web
