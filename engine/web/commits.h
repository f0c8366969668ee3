// Commits of a store request that go on while its next parts are received: a group commit then makes many instances
// durable with one flush. Belongs to one request and its executor; finish() before letting go of it.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/core/task.h"
#include "engine/web/keyed_receiver.h"
#include "engine/web/store_response.h"

namespace cairn::web {

class Commits {
 public:
  /// `most`: commits under way at once.
  explicit Commits(std::size_t most);
  ~Commits();

  /// Begins the commit; its outcome comes at the place of this call in the order of calls. Waits while `most` are under
  /// way.
  /// `warning`: Warning Reason when it is stored.
  asio::awaitable<void> add(std::shared_ptr<KeyedReceiver> receiver, std::uint16_t warning = 0);
  /// An outcome that needs no commit.
  void add(StoreOutcome outcome);
  std::size_t size() const noexcept;
  /// Waits for all; then the outcomes, in order.
  asio::awaitable<std::vector<StoreOutcome>> finish();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The outcome of an instance that failed with `error` after `key` had been seen of it.
StoreOutcome failed_outcome(const dicom::KeyAttributes& key, std::uint16_t reason);

}  // namespace cairn::web
