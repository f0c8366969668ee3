// Storage Commitment Push Model as SCP (PS3.4 Annex J), beside the associations: each instance is read back and its
// checksums verified, and the result is reported on the requester's association if that is still open a second after
// the answer, else on a new one to its [[dicom.remote]], again and again until it is taken or given up.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "engine/core/task.h"
#include "engine/dimse/commitment_journal.h"
#include "engine/dimse/recent_commitments.h"
#include "engine/dimse/remotes.h"
#include "engine/io/worker_pool.h"

namespace cairn::dimse {

class Session;
class StoreClient;
struct Counters;

/// add() from any thread; everything else happens on one executor. The archive, the pool, the remotes and the counters
/// outlive it.
class Commitments : public std::enable_shared_from_this<Commitments> {
 public:
  struct Settings {
    std::chrono::milliseconds wait{1'000};  ///< for the requester to release, before its own association is used
    std::chrono::seconds give_up{std::chrono::hours(72)};
  };
  Commitments(std::unique_ptr<CommitmentJournal> journal, Settings settings, archive::Archive& archive,
              io::WorkerPool& pool, const Remotes& remotes, Counters& counters, asio::any_io_executor executor);

  /// Goes on with what earlier runs left.
  void resume();
  /// Blocking: durable when it returns. Errors: as CommitmentJournal::add().
  Result<> add(CommitmentRequest& request) { return journal_->add(request); }
  /// Of what was added. `session`: the requester's association, if it is still there.
  void begin(CommitmentRequest request, std::weak_ptr<Session> session);
  /// What was begun of late, the resumed included. Any thread.
  const RecentCommitments& recent() const noexcept { return recent_; }
  /// Ends what runs, and blocks until it has, a few seconds at most; what is not reported stays in the journal. Not
  /// from the executor, which must be running.
  void stop();

 private:
  asio::awaitable<void> process(CommitmentRequest request, std::weak_ptr<Session> session);
  asio::awaitable<CommitmentResult> check(const CommitmentRequest& request);
  asio::awaitable<bool> report_here(std::weak_ptr<Session> session, std::string information, std::uint16_t event);
  Task<> report_anew(const CommitmentRequest& request, const CommitmentResult& result);
  asio::awaitable<void> pause(std::chrono::milliseconds time);

  const std::unique_ptr<CommitmentJournal> journal_;
  const Settings settings_;
  RecentCommitments recent_;
  archive::Archive& archive_;
  io::WorkerPool& pool_;
  const Remotes& remotes_;
  Counters& counters_;
  asio::any_io_executor executor_;
  std::set<StoreClient*> clients_;  ///< that report; the executor's, as is the next
  std::set<asio::steady_timer*> pauses_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards the next two
  std::condition_variable idle_;
  unsigned running_ = 0;
};

}  // namespace cairn::dimse
