#include "engine/web/http_stats.h"

namespace cairn::web {

void HttpStats::answered(const std::string& route, unsigned status, std::uint64_t microseconds,
                         std::uint64_t body_bytes) {
  microseconds_.record(microseconds);
  sent_body_bytes_.fetch_add(body_bytes, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  ++requests_[{route, status}];
}

HttpStats::Snapshot HttpStats::snapshot() const {
  Snapshot out;
  out.microseconds = microseconds_.snapshot();
  out.sent_body_bytes = sent_body_bytes_.load(std::memory_order_relaxed);
  out.cut = cut_.load(std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  out.requests = requests_;
  return out;
}

}  // namespace cairn::web
