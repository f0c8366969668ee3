#include "engine/dimse/recent_commitments.h"

#include <algorithm>

namespace cairn::dimse {

void RecentCommitments::add(const CommitmentRequest& request) {
  if (request.references.size() > kMostReferences) return;
  const std::lock_guard lock(mutex_);
  while (!requests_.empty() &&
         (requests_.size() >= kMostRequests || references_ + request.references.size() > kMostReferences)) {
    references_ -= requests_.front().references.size();
    requests_.pop_front();
  }
  references_ += request.references.size();
  requests_.push_back(request);
}

std::vector<CommitmentRequest> RecentCommitments::naming(
    const std::function<bool(std::string_view sop_instance_uid)>& is_of) const {
  const std::lock_guard lock(mutex_);
  std::vector<CommitmentRequest> out;
  for (const CommitmentRequest& request : requests_) {
    const auto& named = request.references;
    if (std::any_of(named.begin(), named.end(), [&](const auto& one) { return is_of(one.sop_instance_uid); })) {
      out.push_back(request);
    }
  }
  return out;
}

}  // namespace cairn::dimse
