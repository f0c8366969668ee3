// What storage commitments have lately asked for: who says which instances must be there tells what a study is to
// consist of. In memory, bounded, the oldest dropped first; what is not yet reported comes back after a restart
// (commitment_journal.h). Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "engine/dimse/commitment.h"

namespace cairn::dimse {

class RecentCommitments {
 public:
  static constexpr std::size_t kMostRequests = 10'000, kMostReferences = 100'000;

  void add(const CommitmentRequest& request);
  /// Those with a reference of which `is_of` is true, oldest first.
  std::vector<CommitmentRequest> naming(const std::function<bool(std::string_view sop_instance_uid)>& is_of) const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::deque<CommitmentRequest> requests_;
  std::size_t references_ = 0;
};

}  // namespace cairn::dimse
