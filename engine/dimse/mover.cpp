#include "engine/dimse/mover.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include "codec/transfer_syntax.h"
#include "engine/core/log.h"
#include "engine/dicom/pdu.h"

namespace cairn::dimse {

using dicom::CommandSet;

namespace {
constexpr auto kProgressInterval = std::chrono::seconds(5);
constexpr auto kStopGrace = std::chrono::seconds(2);
constexpr auto kPoll = std::chrono::milliseconds(25);

bool may_pass(std::uint16_t status) {  // refused: out of resources
  return (status & 0xff00) == 0xa700;
}
}  // namespace

struct Mover::Signal {
  explicit Signal(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

std::vector<ClientOptions::Proposal> proposals_for(const std::map<std::string, std::set<std::string>>& syntaxes,
                                                   const std::vector<std::string>& native_syntaxes) {
  constexpr std::size_t kMost = dicom::pdu::kMaxPresentationContexts;
  std::vector<ClientOptions::Proposal> apart, together;
  for (const auto& [sop_class, stored] : syntaxes) {
    ClientOptions::Proposal all{sop_class, {}};
    std::vector<std::string> coded;
    bool native_stored = false;
    for (const std::string& s : stored) {
      const codec::TransferSyntax* known = codec::find_transfer_syntax(s);
      const bool native = known != nullptr && !known->encapsulated && can_be_native(s);
      native_stored = native_stored || native;
      if (!native) coded.push_back(s);
    }
    auto& list = all.transfer_syntaxes;
    list = coded;
    // In one context the destination takes what it likes, as a rule the first: then nothing has to be made anew.
    if (std::any_of(stored.begin(), stored.end(), [](const auto& s) { return can_be_native(s); })) {
      list.insert(native_stored ? list.begin() : list.end(), native_syntaxes.begin(), native_syntaxes.end());
    }
    for (const std::string& s : list) apart.push_back({sop_class, {s}});
    together.push_back(std::move(all));
  }
  // Of so many classes each has one context, in which the destination chooses.
  auto& proposals = apart.size() <= kMost ? apart : together;
  if (proposals.size() > kMost) proposals.resize(kMost);
  return std::move(proposals);
}

Mover::Mover(Remotes::Entry& destination, MoveOrder order, archive::Archive& archive, io::WorkerPool& pool,
             asio::any_io_executor executor)
    : destination_(destination),
      order_(std::move(order)),
      archive_(archive),
      pool_(pool),
      executor_(std::move(executor)),
      proposals_(proposals_for(order_.set.syntaxes, destination.remote.transfer_syntaxes)),
      operations_(order_.set.instance_uids.size()),
      queue_(std::make_shared<RetrieveQueue>(std::move(order_.set.instance_uids))),
      signal_(std::make_shared<Signal>(executor_)) {}

asio::awaitable<void> Mover::run(std::function<void()> progress) {
  const auto keep = shared_from_this();
  progress_ = std::move(progress);
  const std::size_t most = std::min<std::size_t>(destination_.remote.associations_per_move, operations_.total());
  for (; workers_ < most; ++workers_) {
    auto work = [](std::shared_ptr<Mover> self) -> asio::awaitable<void> { co_await self->work(); };
    asio::co_spawn(executor_, work(keep), [self = keep](std::exception_ptr e) {
      if (e) log::error("a worker of a move threw");
      --self->workers_;
      self->signal_->timer.cancel();
    });
  }
  bool in_grace = false;
  while (workers_ != 0) {
    in_grace = in_grace || stopped_;
    signal_->timer.expires_after(in_grace ? std::chrono::steady_clock::duration(kStopGrace) : kProgressInterval);
    const auto [ec] = co_await signal_->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ec) continue;
    if (in_grace) {
      stop(true);
    } else {
      progress_();
    }
  }
  if (!stopped_) {
    while (const auto item = queue_->take()) {
      operations_.failed(item->sop_instance_uid, last_error_.empty() ? "destination gave up" : last_error_);
    }
  }
  progress_ = nullptr;
}

void Mover::stop(bool at_once) {
  stopped_ = true;
  signal_->timer.cancel();
  if (!at_once) return;
  for (StoreClient* client : clients_) client->abort();
}

void Mover::failed(const std::string& sop_instance_uid, const std::string& reason) {
  operations_.failed(sop_instance_uid, reason);
  progress_();
}

asio::awaitable<void> Mover::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(executor_);
  const auto until = std::chrono::steady_clock::now() + time;
  while (!stopped_ && std::chrono::steady_clock::now() < until) {
    timer.expires_at(std::min(until, std::chrono::steady_clock::now() + kPoll));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<std::optional<RemoteSlot>> Mover::slot() {
  for (;;) {
    if (stopped_ || queue_->empty()) co_return std::nullopt;
    if (auto taken = RemoteSlot::take(destination_)) co_return taken;
    co_await pause(kPoll);
  }
}

// One association after the other, until nothing is left or the destination has failed too often in a row.
asio::awaitable<void> Mover::work() {
  const Remote& remote = destination_.remote;
  for (unsigned failures = 0; !stopped_ && failures <= remote.retries;) {
    if (failures != 0) co_await pause(remote.wait_before(failures));
    auto place = co_await slot();
    if (!place) break;
    ClientOptions options;
    options.host = remote.host;
    options.port = remote.port;
    options.called_ae = remote.ae_title;
    options.calling_ae = order_.our_ae;
    options.contexts = proposals_;
    options.connect = remote.connect;
    options.answer = remote.answer;
    auto client = co_await StoreClient::open(std::move(options));
    Result<> sent = outcome::success();
    bool progressed = false;
    if (client) {
      clients_.insert(client.value().get());
      if (!stopped_) sent = co_await send_over(*client.value(), progressed);
      clients_.erase(client.value().get());
      if (sent) (void)co_await client.value()->release();
    } else {
      sent = client.error();
    }
    if (sent) {
      failures = 0;
      continue;
    }
    last_error_ = to_string(sent.error());
    failures = progressed ? 1 : failures + 1;
    log::warning("association to a destination failed", {{"destination", remote.ae_title},
                                                         {"host", remote.host},
                                                         {"port", remote.port},
                                                         {"attempt", failures},
                                                         {"error", sent.error()}});
    if (sent.error() == Errc::refused) break;  // for good
  }
}

Task<> Mover::send_over(StoreClient& client, bool& progressed) {
  ObjectFeed feed(queue_, archive_, pool_, executor_, std::make_shared<const ContextTable>(client.contexts()));
  Result<> result = outcome::success();
  while (!stopped_ && result) {
    auto object = co_await feed.next();
    if (!object) break;
    const StoredObject& stored = object->stored;
    RetrieveQueue::Item& item = object->item;
    if (stored.error) {
      failed(stored.sop_instance_uid, to_string(*stored.error));
      continue;
    }
    StoredSource source(stored, pool_, executor_);
    StoreObject sent;
    sent.sop_class_uid = stored.sop_class_uid;
    sent.sop_instance_uid = stored.sop_instance_uid;
    sent.transfer_syntax_uid = stored.context.transfer_syntax;
    sent.source = &source;
    sent.priority = order_.priority;
    sent.move_originator_ae = order_.originator_ae;
    sent.move_originator_message_id = order_.originator_message_id;
    const auto response = co_await client.store_one(sent);
    if (!response) {
      result = response.error();
      if (stopped_) break;
      if (++item.attempts > destination_.remote.retries) {
        failed(item.sop_instance_uid, to_string(response.error()));
      } else {
        queue_->give_back(std::move(item));
      }
      break;
    }
    progressed = true;
    if (may_pass(*response.value().status) && ++item.attempts <= destination_.remote.retries) {
      const unsigned attempts = item.attempts;
      queue_->give_back(std::move(item));
      co_await pause(destination_.remote.wait_before(attempts));
      continue;
    }
    operations_.answered(stored.sop_instance_uid, response.value(), stored.bytes);
    progress_();
  }
  co_await feed.close();
  co_return result;
}

}  // namespace cairn::dimse
