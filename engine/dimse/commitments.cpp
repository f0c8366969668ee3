#include "engine/dimse/commitments.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/log.h"
#include "engine/dicom/sop_classes.h"
#include "engine/dimse/client.h"
#include "engine/dimse/session.h"

namespace cairn::dimse {

namespace {

constexpr auto kSlotWait = std::chrono::milliseconds(500);
constexpr auto kStopGrace = std::chrono::seconds(3);
constexpr auto kLongestWait = std::chrono::minutes(5);
constexpr std::size_t kChecksPerTurn = 16;  // then others may have the pool
constexpr const char* kSyntaxes[] = {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2"};

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Commitments::Commitments(std::unique_ptr<CommitmentJournal> journal, Settings settings, archive::Archive& archive,
                         io::WorkerPool& pool, const Remotes& remotes, Counters& counters,
                         asio::any_io_executor executor)
    : journal_(std::move(journal)),
      settings_(settings),
      archive_(archive),
      pool_(pool),
      remotes_(remotes),
      counters_(counters),
      executor_(std::move(executor)) {}

void Commitments::resume() {
  for (CommitmentRequest& request : journal_->pending()) begin(std::move(request), {});
}

void Commitments::begin(CommitmentRequest request, std::weak_ptr<Session> session) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ++running_;
  }
  recent_.add(request);
  auto life = [](std::shared_ptr<Commitments> self, CommitmentRequest r,
                 std::weak_ptr<Session> s) -> asio::awaitable<void> {
    co_await self->process(std::move(r), std::move(s));
  };
  asio::co_spawn(executor_, life(shared_from_this(), std::move(request), std::move(session)),
                 [self = shared_from_this()](std::exception_ptr e) {
                   if (e) log::error("a storage commitment threw");
                   const std::lock_guard lock(self->mutex_);
                   --self->running_;
                   self->idle_.notify_all();
                 });
}

void Commitments::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    for (StoreClient* client : self->clients_) client->abort();
    for (asio::steady_timer* pause : self->pauses_) pause->cancel();
  });
  // A connection that is being made is not waited for: its coroutine ends with the executor.
  idle_.wait_for(lock, kStopGrace, [this] { return running_ == 0; });
}

asio::awaitable<void> Commitments::pause(std::chrono::milliseconds time) {
  if (stopping_) co_return;
  asio::steady_timer timer(executor_, time);
  pauses_.insert(&timer);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  pauses_.erase(&timer);
}

asio::awaitable<CommitmentResult> Commitments::check(const CommitmentRequest& request) {
  CommitmentResult result;
  for (std::size_t begin = 0; begin < request.references.size() && !stopping_;) {
    const auto first = request.references.begin() + static_cast<std::ptrdiff_t>(begin);
    const std::size_t count = std::min(kChecksPerTurn, request.references.size() - begin);
    std::vector<CommitmentRequest::Reference> some(first, first + static_cast<std::ptrdiff_t>(count));
    auto work = [archive = &archive_, some]() mutable {
      std::vector<std::uint16_t> reasons;
      for (const auto& reference : some) reasons.push_back(check_reference(*archive, reference));
      return reasons;
    };
    const auto reasons = co_await pool_.run(io::WorkClass::background, std::move(work));
    for (std::size_t i = 0; i < count; ++i) {
      if (reasons[i] == 0) {
        result.committed.push_back(std::move(some[i]));
      } else {
        result.failed.emplace_back(std::move(some[i]), reasons[i]);
      }
    }
    begin += count;
  }
  co_return result;
}

asio::awaitable<void> Commitments::process(CommitmentRequest request, std::weak_ptr<Session> session) {
  const auto answered = std::chrono::steady_clock::now();
  const CommitmentResult result = co_await check(request);
  if (stopping_) co_return;
  log::write(result.failed.empty() ? log::Level::info : log::Level::warning, "storage commitment",
             {{"requester", request.requester_ae},
              {"transaction", request.transaction_uid},
              {"committed", result.committed.size()},
              {"failed", result.failed.size()}});
  bool told = false;
  if (!session.expired()) {
    const auto due = answered + settings_.wait - std::chrono::steady_clock::now();
    co_await pause(std::chrono::ceil<std::chrono::milliseconds>(due));
    const std::string information = result.event_information(request).encode({true, false, false});
    told = co_await report_here(std::move(session), information, result.event_type());
  }
  Remotes::Entry* remote = remotes_.find(request.requester_ae);
  for (unsigned attempt = 0; !told && !stopping_; ++attempt) {
    if (attempt > 0) {
      co_await pause(
          std::min<std::chrono::milliseconds>(std::chrono::seconds(1) * (1u << std::min(attempt, 10u)), kLongestWait));
      if (stopping_) co_return;
    }
    if (now_s() - request.received_s > settings_.give_up.count()) {
      log::error("the result of a storage commitment is given up",
                 {{"requester", request.requester_ae}, {"transaction", request.transaction_uid}});
      counters_.commitments_given_up.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    if (remote == nullptr) {
      if (attempt == 0) {
        log::warning("the requester of a storage commitment is no [[dicom.remote]]: it is told when it is one",
                     {{"requester", request.requester_ae}, {"transaction", request.transaction_uid}});
      }
      continue;
    }
    auto slot = RemoteSlot::take(*remote);
    while (!slot && !stopping_) {
      co_await pause(kSlotWait);
      slot = RemoteSlot::take(*remote);
    }
    if (stopping_) co_return;
    const auto reported = co_await report_anew(request, result);
    slot.reset();
    told = reported.has_value();
    if (told) break;
    log::warning("the result of a storage commitment was not taken", {{"requester", request.requester_ae},
                                                                      {"transaction", request.transaction_uid},
                                                                      {"attempt", attempt + 1},
                                                                      {"error", reported.error()}});
  }
  if (!told && stopping_) co_return;
  co_await pool_.run(io::WorkClass::background, [self = shared_from_this(), id = request.id] {
    self->journal_->done(id);
    return true;
  });
  if (told) counters_.commitments_reported.fetch_add(1, std::memory_order_relaxed);
}

asio::awaitable<bool> Commitments::report_here(std::weak_ptr<Session> weak, std::string information,
                                               std::uint16_t event) {
  const auto session = weak.lock();
  if (!session) co_return false;
  co_return co_await asio::co_spawn(session->executor(), session->report_commitment(std::move(information), event),
                                    asio::use_awaitable);
}

Task<> Commitments::report_anew(const CommitmentRequest& request, const CommitmentResult& result) {
  const Remote& remote = remotes_.find(request.requester_ae)->remote;
  ClientOptions options;
  options.host = remote.host;
  options.port = remote.port;
  options.called_ae = remote.ae_title;
  options.calling_ae = request.our_ae;
  options.connect = remote.connect;
  options.answer = remote.answer;
  const std::string sop_class(dicom::uids::kStorageCommitment);
  options.contexts.push_back({sop_class, {std::begin(kSyntaxes), std::end(kSyntaxes)}});
  options.roles.push_back({sop_class, false, true});
  CAIRN_CO_TRY(auto client, co_await StoreClient::open(std::move(options)));
  if (stopping_) co_return fail(Errc::cancelled, "shutting down");
  clients_.insert(client.get());
  const auto answered = co_await client->report_event(sop_class, std::string(dicom::uids::kStorageCommitmentInstance),
                                                      result.event_type(), result.event_information(request));
  clients_.erase(client.get());
  CAIRN_CO_TRY(const std::uint16_t status, answered);
  (void)co_await client->release();
  if (status != 0) co_return fail(Errc::refused, "N-EVENT-REPORT-RSP", status);
  co_return outcome::success();
}

}  // namespace cairn::dimse
