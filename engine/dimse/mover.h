// The sub-operations of one C-MOVE (PS3.4 §C.4.2): sends a queue of instances to a destination over several associations,
// which it opens, and opens again when they fail, within the destination's bounds.
//
// Belongs to one executor, on which run() and its associations live; the archive, the pool and the remotes outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/dimse/client.h"
#include "engine/dimse/remotes.h"
#include "engine/dimse/retrieve.h"
#include "engine/dimse/retrieve_queue.h"

namespace cairn::dimse {

struct MoveOrder {
  std::string our_ae;
  std::string originator_ae;  ///< who asked: goes into each C-STORE-RQ
  std::uint16_t originator_message_id = 0;
  std::uint16_t priority = 0;
  RetrieveSet set;
};

/// The presentation contexts to propose: one for each syntax, so that the destination can take them all, at most 128.
std::vector<ClientOptions::Proposal> proposals_for(const std::map<std::string, std::set<std::string>>& syntaxes,
                                                   const std::vector<std::string>& native_syntaxes);

class Mover : public std::enable_shared_from_this<Mover> {
 public:
  Mover(Remotes::Entry& destination, MoveOrder order, archive::Archive& archive, io::WorkerPool& pool,
        asio::any_io_executor executor);

  /// Returns when every instance was sent or has failed for good, or after stop(). `progress` is called after each
  /// instance, and every few seconds without one.
  asio::awaitable<void> run(std::function<void()> progress);

  /// From the executor. Instances under way may end within a short grace; `at_once`: none.
  void stop(bool at_once);
  bool stopped() const noexcept { return stopped_; }
  const SubOperations& operations() const noexcept { return operations_; }

 private:
  asio::awaitable<void> work();
  Task<> send_over(StoreClient& client, bool& progressed);
  asio::awaitable<std::optional<RemoteSlot>> slot();
  asio::awaitable<void> pause(std::chrono::milliseconds time);
  void failed(const std::string& sop_instance_uid, const std::string& reason);

  Remotes::Entry& destination_;
  MoveOrder order_;
  archive::Archive& archive_;
  io::WorkerPool& pool_;
  asio::any_io_executor executor_;
  std::vector<ClientOptions::Proposal> proposals_;
  SubOperations operations_;
  std::shared_ptr<RetrieveQueue> queue_;
  std::function<void()> progress_;
  std::set<StoreClient*> clients_;
  unsigned workers_ = 0;
  bool stopped_ = false;
  std::string last_error_;
  struct Signal;
  std::shared_ptr<Signal> signal_;
};

}  // namespace cairn::dimse
