#include "engine/web/http_stats.h"

namespace cairn::web {

std::string_view to_string(HttpVersion version) noexcept {
  return version == HttpVersion::two ? "HTTP/2" : "HTTP/1.1";
}

void HttpStats::answered(HttpVersion version, const std::string& route, unsigned status, std::uint64_t microseconds,
                         std::uint64_t body_bytes) {
  microseconds_.record(microseconds);
  sent_body_bytes_.fetch_add(body_bytes, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  ++requests_[{version, route, status}];
}

void HttpStats::ended_for_cause(const char* reason) {
  const std::scoped_lock lock(mutex_);
  ++ended_[reason];
}

HttpStats::Snapshot HttpStats::snapshot() const {
  Snapshot out;
  out.microseconds = microseconds_.snapshot();
  out.sent_body_bytes = sent_body_bytes_.load(std::memory_order_relaxed);
  out.cut = cut_.load(std::memory_order_relaxed);
  out.connections = connections.load(std::memory_order_relaxed);
  out.http2_connections = http2_connections.load(std::memory_order_relaxed);
  out.http2_streams = http2_streams.load(std::memory_order_relaxed);
  out.http2_held_bytes = http2_held_bytes.load(std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  out.requests = requests_;
  out.ended = ended_;
  return out;
}

}  // namespace cairn::web
